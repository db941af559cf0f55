"""When to ask the teacher again, and how long to wait: one policy, in one place. Pure functions."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIED = frozenset({408, 409, 429})
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
DURATION = re.compile(rf"(?:{DURATION_PART.pattern})+")
LIMIT_HEADERS = [
    (
        name,
        f"x-ratelimit-remaining-{name}",
        f"x-ratelimit-reset-{name}",
        f"x-rate-limit-reset-{name}",
    )
    for name in ("requests", "tokens")
]
MAX_RETRY_AFTER_SECONDS = 300.0  # a server that names more is asked again then all the same


def is_retried(status: int) -> bool:
    """Whether an HTTP status may change when the same request is sent again."""
    return status in RETRIED or status >= 500


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the server asks to wait: `retry-after-ms`, else `Retry-After` as seconds or as an HTTP date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return _bounded(seconds)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _bounded((moment - (now or datetime.now(UTC))).total_seconds())


@dataclass(frozen=True, slots=True)
class Remaining:
    """What a reply tells of one limit: how much is left, and in how many seconds it is whole again."""

    left: float | None
    reset: float | None


def remaining(headers: Mapping[str, str]) -> dict[str, Remaining]:
    """`x-ratelimit-remaining-…` and `-reset-…`, for `requests` and `tokens`, as far as they are told and make sense.

    Times are seconds (Azure) or durations such as `1m2.5s` and `6ms` (OpenAI); some refusals of Azure spell `x-rate-limit-…`.
    """
    told: dict[str, Remaining] = {}
    for name, left_name, reset_name, other_reset_name in LIMIT_HEADERS:
        left = _number(headers.get(left_name))
        text = headers.get(reset_name) or headers.get(other_reset_name)
        if (left is not None and left >= 0) or text:
            told[name] = Remaining(left, _seconds(text))
    return told


def throttled_for(headers: Mapping[str, str]) -> float | None:
    """Seconds that a refused request is to wait: `Retry-After`, else when the limit that is used up is whole again."""
    wait = retry_after(headers)
    if wait is not None:
        return wait
    resets = [
        one.reset for one in remaining(headers).values() if not one.left and one.reset is not None
    ]
    return _bounded(max(resets)) if resets else None


def backoff(failures: int, generator: random.Random) -> float:
    """Seconds to wait after this many failures in a row: exponential, with full jitter."""
    return generator.uniform(
        0, min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures - 1, 10))
    )


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds if seconds >= 0 else None
    if not DURATION.fullmatch(text):
        return None
    return sum(float(number) * UNITS[unit] for number, unit in DURATION_PART.findall(text))


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return (
        number if number is not None and number == number and abs(number) != float("inf") else None
    )
