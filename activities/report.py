"""write_report: what became of the run, as a card for people and as `report.json`.

`report.json` is written last of all: it is the manifest of everything it names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import azure.durable_functions as df

from shared.assembly.commit import commit_rejected
from shared.core.counters import Counters, total
from shared.core.errors import ErrorCode, NotFound, PermanentError
from shared.core.paths import ASKED_SPLITS, JSON_LINES, RUNS, RunPaths, Split
from shared.core.process import current
from shared.core.run_actions import actions_of
from shared.core.storage_account import open_storage
from shared.dataset.file_facts import FileFacts, file_facts
from shared.dataset.lines import Line
from shared.finetuning.record import Trained, TrainingRecord
from shared.report.agreement import agreement_by_split
from shared.report.card import card
from shared.report.model import Report
from shared.report.statistics import Describer, Description
from shared.report.suggested_fixes import ReasonLine, reason_lines
from shared.report.teachers import TeacherRows, read_teachers
from shared.runs.activity import implements
from shared.runs.contracts import WRITE_REPORT, ReportRequest, WrittenReport
from shared.scan.plan import PlanReader, SplitScan
from shared.spec.budget import Estimate, Usage, cost
from shared.spec.models import RunSpec
from shared.spec.quote import Quote, quote
from shared.spec.resolution import read_spec
from shared.spec.target_rows import tokens_at_target
from shared.tasks import TASKS
from shared.teacher.budget import OtherRequests, other_requests, read_ledger

if TYPE_CHECKING:
    from shared.core.storage import Storage

MARKDOWN = "text/markdown; charset=utf-8"

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=WRITE_REPORT)
@implements(WRITE_REPORT)
async def write_report(request: ReportRequest) -> WrittenReport:
    """Write `rejected.jsonl`, the card and the report. Return the paths of all outputs."""
    paths = RunPaths(request.run_id)
    async with open_storage(current().settings) as storage:
        spec = await read_spec(storage, paths)
        counters = await _write_rejected(storage, spec, paths, request.splits)
        ledger = await read_ledger(storage, paths)
        other = other_requests(ledger, counters.values(), spec.budget)
        report = await _report(storage, spec, paths, request, counters, other)
        await storage.write(paths.card, card(report).encode(), content_type=MARKDOWN)
        await storage.write(paths.report, report.model_dump_json(indent=1).encode())
    outputs = {name: facts.path for name, facts in report.outputs.items()}
    outputs["card"] = f"{RUNS}/{paths.card}"
    outputs["report"] = f"{RUNS}/{paths.report}"
    return WrittenReport(outputs=outputs, counters=counters, other=other)


async def _write_rejected(
    storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split]
) -> dict[Split, Counters]:
    """Write `rejected.jsonl`. Return the counters, with rejections as they are in that file.

    There are none if the run ended before its scan: its rows aren't counted. Raises PermanentError
    unless rows = accepted + rejected + not needed + not asked in each split.
    """
    try:
        counters = await commit_rejected(storage, spec, paths, splits)
    except NotFound:  # the run ended before the scan
        await storage.write(paths.rejected, b"", content_type=JSON_LINES)
        return {}
    for split in splits:
        rows = (await PlanReader(storage, paths, split).plan()).rows
        _check_rows(split, rows, counters[split])
    return counters


def _check_rows(split: Split, rows: int, counters: Counters) -> None:
    """Check the conservation law. Raises PermanentError."""
    if counters.rows == rows and counters.adds_up:
        return
    message = (
        f"{split} has {rows} rows, but {counters.accepted} were accepted, "
        f"{counters.rejected_rows} rejected, {counters.not_needed} not needed "
        f"and {counters.not_asked_rows} not asked"
    )
    raise PermanentError(message, code=ErrorCode.CONSERVATION)


async def _report(
    storage: Storage,
    spec: RunSpec,
    paths: RunPaths,
    request: ReportRequest,
    counters: dict[Split, Counters],
    other: OtherRequests,
) -> Report:
    """Raises PermanentError if a dataset doesn't have the lines that were counted for it."""
    inputs = {
        split: await _file_facts(storage, paths.input(split), None) for split in request.splits
    }
    datasets = await _datasets(storage, spec, paths)
    expected_lines = _expected_lines(counters)
    if request.outcome != "completed":
        datasets = _without_outdated(datasets, expected_lines)
    _check_lines(datasets, expected_lines)
    outputs: dict[str, FileFacts] = {}
    for split, dataset in datasets.items():
        outputs[split] = dataset.facts
        outputs[f"{split}_provenance"] = dataset.provenance
    outputs["rejected"] = await _file_facts(storage, paths.rejected, None)
    used = Usage.model_validate(total(counters.values()), from_attributes=True)
    used.add(other.preflight)
    reasons: list[ReasonLine] = []
    for split, counts in counters.items():
        reasons += reason_lines(split, counts, spec)
    status = request.status
    scans = await _scans(storage, paths, request.splits)
    return Report(
        run=paths.run_id,
        status=request.outcome,
        task=spec.task,
        round=request.round,
        finished=request.finished.replace(microsecond=0),
        inputs={**inputs},
        outputs=outputs,
        counts={**counters},
        totals=total(counters.values()).totals if counters else {},
        reasons=reasons,
        answers=status.answers,
        conflicts={name: scan.conflicts for name, scan in scans.items() if scan.conflicts.rows},
        near_duplicates={
            name: scan.near_duplicates for name, scan in scans.items() if scan.near_duplicates.rows
        },
        agreement=agreement_by_split(counters),
        teachers=await _teachers(storage, spec, paths, counters),
        datasets={split: dataset.description for split, dataset in datasets.items()},
        preflight=other.preflight,
        unrecorded=other.unrecorded,
        cost=cost(used, spec.budget),
        estimate=status.estimate,
        quote=await _quote(storage, spec, paths, status.estimate),
        specification=spec,
        finetune=status.finetune,
        training=await _trainings(storage, spec, paths),
        error=status.error,
        warnings=status.warnings,
        actions=await actions_of(storage, paths.run_id),
    )


async def _scans(storage: Storage, paths: RunPaths, splits: list[Split]) -> dict[Split, SplitScan]:
    """Return what the scan has found in each split, nothing if the run ended before."""
    scans: dict[Split, SplitScan] = {}
    for split in splits:
        with contextlib.suppress(NotFound):
            scans[split] = (await PlanReader(storage, paths, split).plan()).scan()
    return scans


async def _quote(
    storage: Storage, spec: RunSpec, paths: RunPaths, estimate: Estimate | None
) -> Quote | None:
    """Return what a dry run would have quoted, None if the run ended before its scan."""
    if estimate is None:
        return None
    plan = await PlanReader(storage, paths, "train").plan()
    usage = Usage.model_validate(estimate, from_attributes=True)
    trained_tokens = tokens_at_target(spec, plan.example_tokens, plan.valid)
    return quote(spec, current().settings, usage, trained_tokens)


async def _teachers(
    storage: Storage, spec: RunSpec, paths: RunPaths, counters: dict[Split, Counters]
) -> list[TeacherRows]:
    if spec.answers.are_provided:
        return []
    return await read_teachers(storage, paths, counters.values())


@dataclass(frozen=True)
class _Dataset:
    """A dataset that the run has written."""

    facts: FileFacts
    description: Description
    provenance: FileFacts


async def _datasets(storage: Storage, spec: RunSpec, paths: RunPaths) -> dict[str, _Dataset]:
    """Return the datasets that the run has written so far."""
    datasets: dict[str, _Dataset] = {}
    for split in ASKED_SPLITS:
        describer = Describer(has_values=TASKS[spec.task].has_values)
        try:
            facts = await _file_facts(storage, paths.dataset(split), describer.take)
        except NotFound:  # the run ended before, or it has no such dataset
            continue
        provenance = await _file_facts(storage, paths.provenance(split), None)
        datasets[split] = _Dataset(facts, describer.description(), provenance)
    return datasets


async def _file_facts(
    storage: Storage, name: str, take: Callable[[Line], None] | None
) -> FileFacts:
    return await file_facts(f"{RUNS}/{name}", storage.stream(name), take)


async def _trainings(storage: Storage, spec: RunSpec, paths: RunPaths) -> list[Trained]:
    """Return what became of each student whose training began."""
    trainings: list[Trained] = []
    for number, student in enumerate(spec.students):
        try:
            record = TrainingRecord.model_validate(await storage.read_json(paths.training(number)))
        except NotFound:
            continue
        trainings.append(record.trained(student))
    return trainings


def _expected_lines(counters: dict[Split, Counters]) -> dict[str, int]:
    """Return how many lines each dataset has when it is complete."""
    lines: dict[str, int] = {}
    held_out = sum(counts.held_out_examples for counts in counters.values())
    if held_out:
        lines["validation"] = held_out
    for split, counts in counters.items():
        lines[split] = counts.examples_not_held_out
    return lines


def _without_outdated(
    datasets: dict[str, _Dataset], expected_lines: dict[str, int]
) -> dict[str, _Dataset]:
    """Leave out datasets of an earlier round, which lack rows that were accepted since.

    A run that was resumed and then stopped still has them.
    """
    return {
        split: dataset
        for split, dataset in datasets.items()
        if dataset.facts.lines == expected_lines.get(split)
    }


def _check_lines(datasets: dict[str, _Dataset], expected_lines: dict[str, int]) -> None:
    """The last guard of the conservation law. Raises PermanentError."""
    for split, lines in expected_lines.items():
        dataset = datasets.get(split)
        if dataset is None:
            continue
        for facts in (dataset.facts, dataset.provenance):
            if facts.lines != lines:
                message = f"{facts.path} has {facts.lines} lines, but {lines} examples"
                raise PermanentError(message, code=ErrorCode.CONSERVATION)
