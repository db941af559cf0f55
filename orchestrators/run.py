"""distillation_run: the root. It sequences; every decision is a pure function in shared/.

prepare → scan (→ reuse) → gate (→ queue) → preflight → generate → assemble (→ fine-tune) → report
"""

from __future__ import annotations

import azure.durable_functions as df

from orchestrators.durable.context import Context
from orchestrators.durable.edge import Steps, implements
from orchestrators.durable.waiting import RunFailed
from orchestrators.finetune import train_students
from orchestrators.generate import generate_splits
from orchestrators.notify import announce_end
from orchestrators.queue import leave_queue, wait_for_turn
from orchestrators.root import Root, RunCancelled
from orchestrators.scan import scan_datasets
from shared.core.counters import Counters
from shared.core.paths import SPLITS, Split
from shared.generation.answer_cache import nothing_reused
from shared.report.agreement import agreement_warnings
from shared.runs.contracts import (
    ASSEMBLE_SPLIT,
    DISTILLATION_RUN,
    PREFLIGHT,
    PREPARE_RUN,
    REUSE_ANSWERS,
    WRITE_REPORT,
    AssembleRequest,
    PreparedRun,
    ReportRequest,
    ReuseRequest,
    RunReference,
    RunSummary,
)
from shared.runs.gates import (
    after_generation,
    after_scan,
    budget_overrun,
    expected_usage,
    target_missed,
    training_splits,
    valid_rows,
)
from shared.runs.monthly_budget import MonthLimit, month_error
from shared.runs.requests import RunRequest
from shared.runs.status import Outcome, RunStatus, Stage
from shared.runs.usage_range import usage_range
from shared.scan.plan import SplitScan
from shared.scan.scan_warnings import scan_warnings
from shared.spec.budget import Usage
from shared.spec.models import RunSpec

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=DISTILLATION_RUN)
@implements(DISTILLATION_RUN, lambda request: request.run_id)
def distillation_run(context: Context, request: RunRequest) -> Steps[RunSummary]:
    """Take a run through its stages and report on it, however it ends.

    Raises when the run failed, so that Durable's status is Failed too.
    """
    root = Root(context, request)
    try:
        yield from _stages(root)
        root.status.outcome = "completed"
    except RunCancelled:
        root.status.outcome = "cancelled"
        root.status.stopping = True
    except RunFailed as failure:
        root.status.fail(failure.error)
    yield from _write_report(root)
    yield from leave_queue(root)
    yield from announce_end(root)
    return _summary(root)


def _stages(root: Root) -> Steps[None]:
    """Raises RunFailed, RunCancelled."""
    yield from root.listen()
    prepared = yield from _prepare(root)
    spec = prepared.spec
    scans = yield from scan_datasets(root, prepared.ranges)
    if spec.reuse:
        scans = yield from _reuse_answers(root, spec, spec.reuse, scans)
    elif root.round:  # however this round ends, the rows of earlier ones count
        yield from root.read_progress(spec)
    _check_scan(root, spec, scans, prepared.month)
    if prepared.is_queued:
        yield from wait_for_turn(root)
    yield from _preflight(root)
    yield from generate_splits(root, spec, scans)
    counters = yield from _assemble(root, spec, scans)
    if spec.students:
        yield from train_students(root, spec, training_splits(counters))


def _prepare(root: Root) -> Steps[PreparedRun]:
    root.enter("prepare")
    prepared = yield from root.call(PREPARE_RUN, root.request)
    root.splits = [split for split in SPLITS if split in prepared.etags]
    root.budget = prepared.spec.budget
    root.notifies = prepared.notifies
    root.status.warnings = prepared.warnings
    root.status.datasets_only = not prepared.spec.students
    return prepared


def _reuse_answers(
    root: Root, spec: RunSpec, earlier_run: str, scans: dict[Split, SplitScan]
) -> Steps[dict[Split, SplitScan]]:
    """Copy an earlier run's answers into the journals. Return scans that estimate the rest."""
    estimates = dict(scans)
    for split in root.asked_splits:
        scan = scans[split]
        usage = Usage()
        reused = 0
        first = 0
        while first < scan.shards:
            root.enter("reuse")
            request = ReuseRequest(run_id=root.run_id, split=split, first=first, round=root.round)
            answers = yield from root.call(REUSE_ANSWERS, request)
            usage.add(answers.estimate)
            reused += answers.reused
            first = answers.next
        estimates[split] = scan.model_copy(update={"estimate": usage, "reused": reused})
    if not any(scan.reused for scan in estimates.values()):
        root.status.warnings.append(nothing_reused(earlier_run))
    yield from root.read_progress(spec)
    return estimates


def _check_scan(
    root: Root, spec: RunSpec, scans: dict[Split, SplitScan], month: MonthLimit | None
) -> None:
    """The gate before the teacher is paid. Raises RunFailed with every reason."""
    expected = expected_usage(scans, spec)
    root.status.expect(expected, spec.budget)
    root.status.warnings += scan_warnings(spec, scans)
    error = after_scan(spec, scans)
    # who resumes a run may spend several months' budgets on it
    if month and not error and root.round == 0:
        error = month_error(month, usage_range(expected, spec)["low"])
    if error:
        raise RunFailed(error)


def _preflight(root: Root) -> Steps[None]:
    root.enter("preflight")
    passed = yield from root.call(PREFLIGHT, RunReference(run_id=root.run_id))
    root.status.preflight = passed.usage
    root.status.warnings += passed.warnings


def _assemble(
    root: Root, spec: RunSpec, scans: dict[Split, SplitScan]
) -> Steps[dict[Split, Counters]]:
    """Assemble the datasets, and check again that enough was accepted. Return the final counts."""
    counters: dict[Split, Counters] = {}
    for split in root.asked_splits:
        root.enter("assemble")
        request = AssembleRequest(run_id=root.run_id, split=split, shards=scans[split].shards)
        assembled = yield from root.call(ASSEMBLE_SPLIT, request)
        while assembled.status == "unfinished":
            root.enter("assemble")
            assembled = yield from root.call(ASSEMBLE_SPLIT, request)
        counters[split] = assembled.counters
    root.status.count(counters, spec.budget)
    root.status.warnings += budget_overrun(spec, counters, root.status.preflight)
    root.status.warnings += target_missed(spec, counters)
    root.status.warnings += agreement_warnings(counters)
    error = after_generation(spec, counters, valid_rows(scans))
    if error:
        raise RunFailed(error)
    return counters


def _write_report(root: Root) -> Steps[None]:
    """Report on every run that was prepared. A run that has failed keeps the stage it failed in."""
    last_stage: Stage = root.status.stage if root.status.outcome == "failed" else "done"
    if root.splits and root.status.outcome:
        has_report = yield from _call_write_report(root, root.status.outcome)
        if not has_report and last_stage == "done":
            last_stage = "report"
    root.show_stage(last_stage)


def _call_write_report(root: Root, outcome: Outcome) -> Steps[bool]:
    """Return whether the report was written. If not, the run has failed."""
    root.show_stage("report")
    request = ReportRequest(
        run_id=root.run_id,
        splits=root.splits,
        outcome=outcome,
        status=RunStatus.model_validate(root.status.custom_status()),
        finished=root.context.current_utc_datetime,
        round=root.round,
    )
    try:
        report = yield from root.call(WRITE_REPORT, request)
    except RunFailed as failure:
        if root.status.error is None:
            root.status.fail(failure.error)
        return False
    root.status.outputs = report.outputs
    root.status.preflight = report.other.preflight
    root.status.unrecorded = report.other.unrecorded
    if report.counters:
        root.status.count(report.counters, root.budget)
    return True


def _summary(root: Root) -> RunSummary:
    """Raises for a failed run, with its message."""
    status = root.status
    if status.error is not None and status.outcome == "failed":
        raise Exception(status.error["message"])
    outcome = "cancelled" if status.outcome == "cancelled" else "completed"
    return RunSummary(run_id=root.run_id, status=outcome, outputs=status.outputs)
