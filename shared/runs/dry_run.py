"""Dry runs: scan and estimate without writing anything.

The teacher is only called if the user asks for a probe.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from shared.core.errors import ErrorCode, ErrorData, InvalidInput, NotFound, PermanentError
from shared.core.paths import Split
from shared.core.settings import Settings
from shared.dataset.lines import ReadBytes
from shared.dataset.rejection import RejectedRow
from shared.generation.answer_cache import EarlierAnswers, answered_earlier, nothing_reused
from shared.runs.first_wave import NO_TOKENS, after_first_wave, forecast_error, forecast_warnings
from shared.runs.gates import after_scan, expected_usage, most_usage
from shared.runs.http import invalid_query, truth_of, unknown_parameters
from shared.runs.monthly_budget import month_error, month_limit, month_warnings
from shared.runs.probe import MAX_PROBED_ROWS, MAX_SECONDS, Probe, probe_rows, rows_to_probe
from shared.runs.usage_range import UsageRange, usage_range
from shared.scan.answer_sets import AnswerSets
from shared.scan.findings import Findings
from shared.scan.plan import RangePlan
from shared.scan.range_plan import plan_in_memory
from shared.scan.range_scan import nothing_answered
from shared.scan.references import ReferenceCounts
from shared.scan.scan_warnings import scan_warnings
from shared.spec.budget import Estimate, priced
from shared.spec.models import RunSpec
from shared.spec.quote import Quote, quote
from shared.spec.target_rows import tokens_at_target
from shared.teacher.budget import MonthlySpend, read_monthly_spend

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_BYTES = 256 * 1024 * 1024  # about a minute, while the caller waits
MAX_BYTES_WITH_ANSWERS = MAX_BYTES // 8  # provided answers are read, which takes so much longer
MAX_REJECTED = 100
"""Rejected rows that the answer lists."""
MAX_DIGITS = 9  # Python refuses to read numbers of thousands of digits


class SplitFindings(TypedDict):
    """What a dry run finds in one split."""

    rows: int
    valid: int
    reused: NotRequired[int]
    """Rows that the run named in `reuse` has answered."""
    shards: int
    rejected: dict[str, int]
    answers: NotRequired[AnswerSets]
    """The labels or choices that the rows offer, if the task has such."""
    references: NotRequired[ReferenceCounts]
    """Rows that have a reference answer, and whether it can be read."""
    conflicts: NotRequired[Findings]
    """Rows that repeat an earlier question with a different reference."""
    near_duplicates: NotRequired[Findings]
    """Rows that nearly repeat a row of an earlier split."""


class DryRun(TypedDict):
    """The answer to a dry run. `error` says why the run would fail.

    `datasets_only`: no student is trained, because `student` is null. `estimate` and `quote` follow
    from the probe, if rows were probed.
    """

    dry_run: Literal[True]
    task: str
    splits: dict[Split, SplitFindings]
    estimate: Estimate
    range: UsageRange
    probe: NotRequired[Probe]
    quote: Quote
    monthly_budget: NotRequired[MonthlySpend]
    """Before the probe, if the app has such a budget."""
    datasets_only: bool
    rejected_rows: list[RejectedRow]
    error: ErrorData | None
    warnings: list[str]


class StartQuery(TypedDict, total=False):
    """The query of `POST /api/runs`, for its description."""

    dry_run: Annotated[
        bool, Field(description="start nothing, and return what the run would find and cost")
    ]
    probe: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_PROBED_ROWS,
            description="with dry_run: ask the teacher for so many rows",
        ),
    ]


class DryRunQuery(NamedTuple):
    """The query of `POST /api/runs`."""

    is_dry_run: bool
    probe: int
    """How many rows the teacher is asked for."""


def parse_dry_run(query: Mapping[str, str]) -> DryRunQuery:
    """Return the values of `?dry_run=` and `&probe=`.

    Raises InvalidInput for any other query: a typing error must not start a run that costs money.
    """
    problems = unknown_parameters(query, StartQuery.__annotations__)
    is_dry_run = truth_of(query, "dry_run", problems, default=False)
    probe = _probed_rows(query["probe"]) if "probe" in query else 0
    if probe is None:
        problem = f"is {query['probe']!r}: it must be a number of rows from 1 to {MAX_PROBED_ROWS}"
        problems.append({"where": "probe", "problem": problem})
    elif probe and not is_dry_run:
        problems.append({"where": "probe", "problem": "is for a dry run: add dry_run=true"})
    if problems:
        raise invalid_query(problems)
    return DryRunQuery(is_dry_run, probe or 0)


def _probed_rows(text: str) -> int | None:
    """Return a number of rows that may be probed, None for anything else."""
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS
    return int(text) if is_number and 1 <= int(text) <= MAX_PROBED_ROWS else None


async def dry_run(
    storage: Storage,
    spec: RunSpec,
    settings: Settings,
    run_id: str = "",
    probe: int = 0,
    *,
    is_request: bool = True,
) -> DryRun:
    """Scan the datasets in place, and return what a run would find and use.

    The teacher is asked for the first `probe` rows, if the run could begin. Where nobody waits for
    an HTTP answer (`is_request`), datasets may be larger and all rejected rows are listed. Raises
    NotFound, and PermanentError (`too_large`) for datasets that take longer than a request can
    wait.
    """
    until = time.monotonic() + MAX_SECONDS
    if probe and spec.answers.are_provided:
        problem = "the rows bring their own answers: there is no teacher to ask"
        raise InvalidInput(
            "nothing can be probed", details=[{"where": "probe", "problem": problem}]
        )
    inputs = spec.inputs
    earlier = EarlierAnswers(storage, spec.reuse) if spec.reuse else None
    sizes = {split: await _size(storage, path) for split, path in inputs.items()}
    if is_request:
        await _check_size(spec, sizes, earlier)
    is_answered = await answered_earlier(spec, earlier) if earlier else nothing_answered
    readable: dict[Split, tuple[ReadBytes, int]] = {
        split: (partial(storage.stream_path, path), sizes[split]) for split, path in inputs.items()
    }
    plans, rejected = await plan_in_memory(readable, spec, is_answered)
    usage = expected_usage(plans, spec)
    error = after_scan(spec, plans)
    limit = month_limit(spec, settings)
    month = await read_monthly_spend(storage, settings) if limit else None
    if limit and error is None:
        error = month_error(limit, usage_range(usage, spec)["low"])
    probed: Probe | None = None
    if probe and error is None:
        read, _ = readable["train"]
        rows = await rows_to_probe(plans["train"], read, spec, is_answered, probe)
        probed = await probe_rows(storage, rows, spec, settings, run_id, until)
        usage = probed.scaled(expected_usage(plans, spec, probed.acceptance))
        error = probed.error or after_first_wave(spec, probed) or forecast_error(spec, usage)
    warnings = spec.student_warnings + settings.key_warnings + spec.schedule_warnings
    warnings += scan_warnings(spec, plans)
    if error is None:
        warnings += forecast_warnings(spec, usage)
        if month and limit:
            warnings += month_warnings(month, usage, limit.prices)
    if probed is not None and probed.has_no_tokens:
        warnings.append(NO_TOKENS)
    if earlier and not any(plan.reused for plan in plans.values()):
        warnings.append(nothing_reused(earlier.run_id))
    splits: dict[Split, SplitFindings] = {}
    for split, plan in plans.items():
        splits[split] = _findings(plan, has_reuse=earlier is not None)
    train = plans["train"]
    trained_tokens = tokens_at_target(spec, train.example_tokens, train.valid)
    answer: DryRun = {
        "dry_run": True,
        "task": spec.task,
        "splits": splits,
        "estimate": priced(usage, spec.budget),
        "range": usage_range(expected_usage(plans, spec), spec, most_usage(plans, spec)),
        "quote": quote(spec, settings, usage, trained_tokens),
        "datasets_only": not spec.students,
        "rejected_rows": rejected[:MAX_REJECTED] if is_request else rejected,
        "error": error,
        "warnings": warnings,
    }
    if month:
        answer["monthly_budget"] = month
    if probed:
        answer["probe"] = probed
    return answer


async def _check_size(
    spec: RunSpec, sizes: Mapping[str, int], earlier: EarlierAnswers | None
) -> None:
    """Raise PermanentError (`too_large`) for files that take longer than a request can wait."""
    size = sum(sizes.values()) + (await earlier.size() if earlier else 0)
    limit = MAX_BYTES_WITH_ANSWERS if spec.answers.are_provided else MAX_BYTES
    if size > limit:
        read = "the datasets and the answers to reuse" if earlier else "the datasets"
        message = (
            f"{read} have {size:,} bytes, but a dry run reads at most {limit:,}: "
            "start the run, whose scan reports the same"
        )
        raise PermanentError(message, code=ErrorCode.TOO_LARGE)


def _findings(plan: RangePlan, *, has_reuse: bool) -> SplitFindings:
    """Return what a split's plan says."""
    findings: SplitFindings = {
        "rows": plan.rows,
        "valid": plan.valid,
        "shards": len(plan.shards),
        "rejected": plan.rejected,
    }
    if has_reuse:
        findings["reused"] = plan.reused
    if plan.answers.sets:
        findings["answers"] = plan.answers.shown()
    if plan.references.rows:
        findings["references"] = plan.references
    if plan.conflicts.rows:
        findings["conflicts"] = plan.conflicts
    if plan.near_duplicates.rows:
        findings["near_duplicates"] = plan.near_duplicates
    return findings


async def _size(storage: Storage, path: str) -> int:
    """Return the size of a dataset in bytes. Raises NotFound."""
    properties = await storage.properties(path)
    if properties is None:
        raise NotFound(f"dataset {path} does not exist")
    return properties.size
