"""Requests and tokens a minute, counted as Azure OpenAI documents it.

Tokens are estimated on arrival (prompt plus the answer's limit) and added to a counter that
restarts each minute; once it reaches the limit, requests are refused until then. Requests are
expected evenly: the limit is divided into periods of ten seconds, or of one second from 600
requests a minute on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from local.emulators.openai_errors import ApiError

MINUTE_S = 60.0
FINE_PERIODS_FROM_RPM = 600
ANSWER_TOKENS_ASSUMED = 256  # charged for an answer without a limit


@dataclass(slots=True)
class _Counter:
    """Usage of one period. `allowed` is computed when the period opens."""

    period: int = -1
    used: int = 0
    allowed: int = 0


class RateLimits:
    """Both limits of one deployment. `clock` gives seconds and never goes back."""

    def __init__(self, rpm: int | None, tpm: int | None, clock: Callable[[], float]) -> None:
        self._rpm = rpm
        self._tpm = tpm
        self._clock = clock
        self._start = clock()
        self._period_s = 1.0 if (rpm or 0) >= FINE_PERIODS_FROM_RPM else 10.0
        self._requests = _Counter()
        self._tokens = _Counter()

    def elapsed(self) -> float:
        """Return the seconds since the start, from which periods are counted."""
        return self._clock() - self._start

    def admit(self, tokens: int) -> dict[str, str]:
        """Count one request and return the x-ratelimit headers. Raises ApiError 429."""
        elapsed = self.elapsed()
        self._open_periods(elapsed)
        if self._tpm is not None and self._tokens.used >= self._tpm:
            raise self._refusal("tokens", MINUTE_S - elapsed % MINUTE_S, elapsed)
        if self._rpm is not None and self._requests.used >= self._requests.allowed:
            raise self._refusal("requests", self._until_requests(elapsed), elapsed)
        self._requests.used += 1
        self._tokens.used += tokens
        return self._headers(elapsed)

    def _open_periods(self, elapsed: float) -> None:
        period = int(elapsed // self._period_s)
        if self._rpm is not None and period != self._requests.period:
            self._requests = _Counter(period, 0, self._allowance(period))
        minute = int(elapsed // MINUTE_S)
        if minute != self._tokens.period:
            self._tokens = _Counter(minute)

    def _allowance(self, period: int) -> int:
        """Return the requests of one period; those of a minute add up to the limit exactly."""
        share = (self._rpm or 0) * self._period_s / MINUTE_S
        return math.floor((period + 1) * share + 1e-9) - math.floor(period * share + 1e-9)

    def _until_requests(self, elapsed: float) -> float:
        period = self._requests.period + 1
        while not self._allowance(period):
            period += 1
        return period * self._period_s - elapsed

    def _headers(self, elapsed: float) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self._rpm is not None:
            headers["x-ratelimit-limit-requests"] = str(self._rpm)
            remaining = max(0, self._requests.allowed - self._requests.used)
            headers["x-ratelimit-remaining-requests"] = str(remaining)
            headers["x-ratelimit-reset-requests"] = str(math.ceil(self._until_requests(elapsed)))
        if self._tpm is not None:
            headers["x-ratelimit-limit-tokens"] = str(self._tpm)
            headers["x-ratelimit-remaining-tokens"] = str(max(0, self._tpm - self._tokens.used))
            headers["x-ratelimit-reset-tokens"] = str(math.ceil(MINUTE_S - elapsed % MINUTE_S))
        return headers

    def _refusal(self, limit: str, wait_s: float, elapsed: float) -> ApiError:
        return throttled(limit, wait_s, self._headers(elapsed), fault="")


def throttled(limit: str, wait_s: float, headers: dict[str, str], fault: str) -> ApiError:
    """Return a 429 with `retry-after` in seconds and, as Azure OpenAI adds it, in milliseconds."""
    seconds = math.ceil(wait_s)
    waits = {"retry-after": str(seconds), "retry-after-ms": str(math.ceil(wait_s * 1000))}
    message = f"The {limit} of this minute are used up; try again in {seconds} s."
    return ApiError(
        429,
        message,
        kind=limit,
        code="rate_limit_exceeded",
        headers={**headers, **waits},
        fault=fault,
    )
