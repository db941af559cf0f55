"""Between what and what a run's use of the teacher will lie, before anything was asked."""

from __future__ import annotations

from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from shared.dataset.token_estimates import TOLERANCE
from shared.generation.ask_turn import MAX_REPLIES
from shared.spec.budget import Estimate, Usage, priced
from shared.spec.models import RunSpec


class UsageRange(TypedDict):
    """The two ends of a range that is meant to hold what a run takes."""

    low: Estimate
    high: Estimate


def usage_range(expected: Usage, spec: RunSpec, most: Usage | None = None) -> UsageRange:
    """Return the range around an expected usage. `most`: of as many rows as may be asked.

    `low`: one sample a row, each asked once, and answers of one token. `high`: every answer asked
    for as often as an unreadable one is, and as long as `teacher.max_tokens`. Requests that fail or
    are refused, and answers that are cut off and asked again with more tokens, may come on top.
    """
    lowest = Usage(
        requests=expected.requests // _samples(spec),
        prompt_tokens=round(expected.prompt_tokens / _samples(spec) * (1 - TOLERANCE)),
        completion_tokens=expected.requests // _samples(spec),
    )
    most = most or expected
    requests = most.requests * MAX_REPLIES
    highest = Usage(
        requests=requests,
        prompt_tokens=round(most.prompt_tokens * MAX_REPLIES * (1 + TOLERANCE)),
        completion_tokens=requests * spec.teacher.max_tokens,
    )
    return {"low": priced(lowest, spec.budget), "high": priced(highest, spec.budget)}


def _samples(spec: RunSpec) -> int:
    """Return how many samples of each row an estimate has."""
    return spec.quality.samples + int(spec.quality.rationalise)
