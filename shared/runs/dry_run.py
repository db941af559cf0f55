"""Dry runs: scan and estimate without calling the teacher or writing anything."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from shared.core.errors import ErrorCode, ErrorData, InvalidInput, NotFound, PermanentError, Problem
from shared.core.paths import Split
from shared.core.settings import Settings
from shared.dataset.lines import ReadBytes
from shared.dataset.rejection import RejectedRow
from shared.generation.answer_cache import EarlierAnswers, answered_earlier, nothing_reused
from shared.runs.gates import after_scan, expected_usage
from shared.runs.http import UNKNOWN_PARAMETER
from shared.scan.answer_sets import AnswerSets
from shared.scan.findings import Findings
from shared.scan.range_plan import plan_in_memory
from shared.scan.range_scan import nothing_answered
from shared.scan.scan_warnings import scan_warnings
from shared.spec.budget import Estimate, priced
from shared.spec.models import RunSpec
from shared.spec.quote import Quote, quote

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_BYTES = 256 * 1024 * 1024  # about a minute, while the caller waits
MAX_BYTES_WITH_ANSWERS = MAX_BYTES // 8  # provided answers are read, which takes so much longer
MAX_REJECTED = 100
"""Rejected rows that the answer lists."""


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
    conflicts: NotRequired[Findings]
    """Rows that repeat an earlier question with a different reference."""
    near_duplicates: NotRequired[Findings]
    """Rows that nearly repeat a row of an earlier split."""


class DryRun(TypedDict):
    """The answer to a dry run. `error` says why the run would fail.

    `datasets_only`: no student is trained, because `student` is null.
    """

    dry_run: Literal[True]
    task: str
    splits: dict[Split, SplitFindings]
    estimate: Estimate
    quote: Quote
    datasets_only: bool
    rejected_rows: list[RejectedRow]
    error: ErrorData | None
    warnings: list[str]


def parse_dry_run(query: Mapping[str, str]) -> bool:
    """Return the value of `?dry_run=`.

    Raises InvalidInput for any other query: a typing error must not start a run that costs money.
    """
    unknown: list[Problem] = [
        {"where": key, "problem": UNKNOWN_PARAMETER} for key in query if key != "dry_run"
    ]
    text = query.get("dry_run", "false").lower()
    if text not in ("true", "false"):
        unknown.append({"where": "dry_run", "problem": f"is {text!r}: it must be true or false"})
    if unknown:
        raise InvalidInput("the query is invalid", code=ErrorCode.INVALID_QUERY, details=unknown)
    return text == "true"


async def dry_run(storage: Storage, spec: RunSpec, settings: Settings) -> DryRun:
    """Scan the datasets in place, and return what a run would find and use.

    Raises NotFound, and PermanentError (`too_large`) for datasets that take longer than a request
    can wait.
    """
    inputs = spec.inputs
    earlier = EarlierAnswers(storage, spec.reuse) if spec.reuse else None
    sizes = {split: await _size(storage, path) for split, path in inputs.items()}
    size = sum(sizes.values()) + (await earlier.size() if earlier else 0)
    limit = MAX_BYTES_WITH_ANSWERS if spec.answers.are_provided else MAX_BYTES
    if size > limit:
        read = "the datasets and the answers to reuse" if earlier else "the datasets"
        message = (
            f"{read} have {size:,} bytes, but a dry run reads at most {limit:,}: "
            "start the run, whose scan reports the same"
        )
        raise PermanentError(message, code=ErrorCode.TOO_LARGE)
    is_answered = await answered_earlier(spec, earlier) if earlier else nothing_answered
    readable: dict[Split, tuple[ReadBytes, int]] = {
        split: (partial(storage.stream_path, path), sizes[split]) for split, path in inputs.items()
    }
    plans, rejected = await plan_in_memory(readable, spec, is_answered)
    warnings = spec.student_warnings + spec.schedule_warnings
    warnings += scan_warnings(spec, plans)
    if earlier and not any(plan.reused for plan in plans.values()):
        warnings.append(nothing_reused(earlier.run_id))
    splits: dict[Split, SplitFindings] = {}
    for split, plan in plans.items():
        splits[split] = {
            "rows": plan.rows,
            "valid": plan.valid,
            "shards": len(plan.shards),
            "rejected": plan.rejected,
        }
        if earlier:
            splits[split]["reused"] = plan.reused
        if plan.answers.sets:
            splits[split]["answers"] = plan.answers.shown()
        if plan.conflicts.rows:
            splits[split]["conflicts"] = plan.conflicts
        if plan.near_duplicates.rows:
            splits[split]["near_duplicates"] = plan.near_duplicates
    return {
        "dry_run": True,
        "task": spec.task,
        "splits": splits,
        "estimate": priced(expected_usage(plans), spec.budget),
        "quote": quote(spec, settings, expected_usage(plans), plans["train"].example_tokens),
        "datasets_only": not spec.students,
        "rejected_rows": rejected[:MAX_REJECTED],
        "error": after_scan(spec, plans),
        "warnings": warnings,
    }


async def _size(storage: Storage, path: str) -> int:
    """Return the size of a dataset in bytes. Raises NotFound."""
    properties = await storage.properties(path)
    if properties is None:
        raise NotFound(f"dataset {path} does not exist")
    return properties.size
