"""Decisions after the first wave: does the run go on, and what is it expected to use? Pure.

The scan only knows the prompts. How long answers are, and how often a row is asked again, is known
once the first rows are answered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from shared.core.counters import Counters, total
from shared.core.errors import ErrorCode, ErrorData, Problem
from shared.core.paths import Split
from shared.generation.first_wave import FIRST_WAVE_SPLIT, FirstRows, ShownReply
from shared.scan.duplicates import place_of
from shared.scan.plan import ScanCounts
from shared.spec.budget import Usage, over_budget
from shared.spec.models import RunSpec
from shared.spec.target_rows import expected_accepted

NO_TOKENS = (
    "the teacher's replies report no tokens (usage): what is expected of them follows from the scan"
)
MIN_USABLE_SHARE = 0.5
"""Of the first rows; less where `quality.min_success_ratio` demands less of the run."""
FORECAST_TOLERANCE = 0.25
"""A forecast from 20 rows may be off by so much."""


def after_first_wave(spec: RunSpec, rows: FirstRows) -> ErrorData | None:
    """Return why the run stops before it asks further rows, None to go on."""
    min_share = min(MIN_USABLE_SHARE, spec.quality.min_success_ratio)
    has_enough = rows.usable > 0 and rows.usable >= rows.rows * min_share
    if has_enough or not rows.rows:
        return None
    listed = ", ".join(f"{count} {reason}" for reason, count in sorted(rows.reasons.items()))
    advice = (
        "resume with other settings of teacher or quality, or start a new run with another prompt"
    )
    problem = f"rejected: {listed}; {advice}"
    details: list[Problem] = [{"where": FIRST_WAVE_SPLIT, "problem": problem}]
    details += [_problem(reply) for reply in rows.replies if not reply.usable]
    return {
        "code": ErrorCode.FIRST_WAVE,
        "message": f"{_usable_in_words(rows)}: the run asks for no others",
        "details": details,
    }


def _usable_in_words(rows: FirstRows) -> str:
    if rows.rows == 1:
        return "the first row has no usable answer"
    return f"{rows.usable} of the first {rows.rows} rows have a usable answer"


def _problem(reply: ShownReply) -> Problem:
    problem = f"{reply.reason}: {reply.detail}"
    if reply.reply:
        problem += f"; the teacher's reply: {json.dumps(reply.reply, ensure_ascii=False)}"
    return {"where": place_of(FIRST_WAVE_SPLIT, reply.line), "problem": problem}


def forecast(
    spec: RunSpec,
    scans: Mapping[Split, ScanCounts],
    by_split: Mapping[Split, Counters],
    rows: FirstRows,
    round_: int,
) -> Usage | None:
    """Return what the whole run is expected to use, None if that can't be told.

    It is what all rounds have used so far, and the scan's estimate for the rows that are left, in
    proportion to what the first rows took. Of the rows that earlier rounds accepted, as large a
    share is asked again as of the first rows. With `quality.target_rows`, the rows that are left
    are those it takes to reach the target if the same share of them is accepted. It can't be told
    if the first rows asked nothing, or if the counters could not be read.
    """
    if not rows.taken.requests or not by_split:
        return None
    expected = Usage.model_validate(total(by_split.values()), from_attributes=True)
    for split, counters in by_split.items():
        most = math.inf
        others = counters.accepted - (rows.usable if split == FIRST_WAVE_SPLIT else 0)
        again = max(0, others) * rows.share_asked_again
        if split == FIRST_WAVE_SPLIT and rows.acceptance:
            most = _missing(spec, scans[split], counters, again) / rows.acceptance
        expected.add(rows.scaled(_remaining(scans[split], counters, round_, again, most)))
    return expected


def _missing(spec: RunSpec, scan: ScanCounts, counters: Counters, again: float) -> float:
    """Return how many rows of the file have to be accepted yet, infinity for all that can.

    `again`: rows that were accepted and are asked again.
    """
    accepted = expected_accepted(spec)
    if accepted is None:
        return math.inf
    missing = max(0, accepted - counters.accepted - counters.spare + again)
    return missing * scan.rows / max(1, scan.valid)


def _remaining(
    scan: ScanCounts, counters: Counters, round_: int, again: float, most: float
) -> Usage:
    """Return the part of the scan's estimate for the rows that are asked yet, but no more than
    `most` rows. `again`: rows that were accepted and are asked again.
    """
    retried = sum(failed for earlier, failed in counters.failed.items() if earlier < round_)
    remaining = min(most, scan.rows - counters.done + retried + again)
    estimated = max(1, scan.rows - counters.reused)  # reused answers aren't in the estimate
    share = min(1.0, remaining / estimated)
    return scan.estimate.scaled(share)


def forecast_error(spec: RunSpec, expected: Usage) -> ErrorData | None:
    """Return why a run stops whose forecast exceeds its budget by more than a forecast may be off.

    It would use up the budget and end without datasets.
    """
    problems = over_budget(_lower_end(expected), spec.budget, estimated=True)
    if not problems:
        return None
    return {
        "code": ErrorCode.BUDGET,
        "message": "judging by its first rows, the run would exceed its budget",
        "details": over_budget(expected, spec.budget, estimated=True),
    }


def forecast_warnings(spec: RunSpec, expected: Usage) -> list[str]:
    """Return a warning for each limit that the run is expected to exceed."""
    problems = over_budget(expected, spec.budget, estimated=True)
    return [f"{problem['where']}: {problem['problem']}" for problem in problems]


def _lower_end(expected: Usage) -> Usage:
    share = 1 / (1 + FORECAST_TOLERANCE)
    return Usage(
        requests=int(expected.requests * share),
        prompt_tokens=int(expected.prompt_tokens * share),
        completion_tokens=int(expected.completion_tokens * share),
    )
