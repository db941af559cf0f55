"""When a request is retried, and how long to wait before. Pure functions."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# 424: a model behind the server failed (Bedrock); 425: too early; 498: no capacity (Groq)
RETRIED_STATUSES = frozenset({408, 409, 424, 425, 429, 498})
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
# a server that asks for a longer wait is asked again after this one
MAX_RETRY_AFTER_SECONDS = 300.0

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
DURATION = re.compile(rf"(?:{DURATION_PART.pattern})+")


@dataclass(frozen=True, slots=True)
class _LimitHeaders:
    name: str
    remaining: str
    reset: str
    other_reset: str


LIMIT_HEADERS = [
    _LimitHeaders(
        name,
        remaining=f"x-ratelimit-remaining-{name}",
        reset=f"x-ratelimit-reset-{name}",
        other_reset=f"x-rate-limit-reset-{name}",
    )
    for name in ("requests", "tokens")
]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit: how much of it remains, and in how many seconds it is whole again."""

    remaining: float | None
    reset: float | None


def is_retried(status: int) -> bool:
    """Return whether the same request may succeed later after this HTTP status."""
    return status in RETRIED_STATUSES or status >= 500


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that the server asks to wait, at most MAX_RETRY_AFTER_SECONDS.

    Reads `retry-after-ms`, else `Retry-After` as seconds or as an HTTP date.
    """
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


def rate_limits(headers: Mapping[str, str]) -> dict[str, RateLimit]:
    """Return the limits `requests` and `tokens`, as far as `x-ratelimit-…` headers give them.

    Times are seconds (Azure) or durations such as `1m2.5s` and `6ms` (OpenAI); some refusals from
    Azure spell `x-rate-limit-…`.
    """
    limits: dict[str, RateLimit] = {}
    for names in LIMIT_HEADERS:
        remaining = _number(headers.get(names.remaining))
        reset = headers.get(names.reset) or headers.get(names.other_reset)
        if (remaining is not None and remaining >= 0) or reset:
            limits[names.name] = RateLimit(remaining, _seconds(reset))
    return limits


def throttle_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait after a 429: `Retry-After`, else until used-up limits reset."""
    seconds = retry_after(headers)
    if seconds is not None:
        return seconds
    resets = [
        limit.reset
        for limit in rate_limits(headers).values()
        if not limit.remaining and limit.reset is not None
    ]
    return _bounded(max(resets)) if resets else None


def backoff(failures: int, generator: random.Random) -> float:
    """Return the seconds to wait after so many failures: exponential, with full jitter."""
    longest = FIRST_BACKOFF_SECONDS * 2 ** min(failures - 1, 10)
    return generator.uniform(0, min(MAX_BACKOFF_SECONDS, longest))


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _seconds(text: str | None) -> float | None:
    """Return a time of a reset header in seconds, None for other text."""
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds if seconds >= 0 else None
    if not DURATION.fullmatch(text):
        return None
    return sum(float(number) * UNITS[unit] for number, unit in DURATION_PART.findall(text))


def _number(text: str | None) -> float | None:
    """Return a finite number, None for other text."""
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
