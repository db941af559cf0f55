"""The gate to one deployment of a teacher: how many requests it may have, how fast, or none at all.

A gate is closed while its deployment refuses every request or can't be reached, as long as another
deployment works. Then one request tries it again; the closed time doubles with each failure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from shared.teacher.rate.concurrency_window import ConcurrencyWindow
from shared.teacher.rate.rate_controller import RateController

REFUSED_SECONDS = 60.0  # closed after a refusal of every request: wrong key, no quota left
UNREACHABLE_SECONDS = 2.0
MAX_CLOSED_SECONDS = 900.0
# a deployment that fails so often in a row, by time-outs and errors, counts as unreachable
MAX_FAILURES = 6
# After so many rejected rows in a row, the deployment may be at fault instead of the rows.
MAX_REJECTIONS = 6


@dataclass(slots=True, eq=False)
class Gate:
    """Requests to one deployment. No clock: time is passed in, in seconds."""

    window: ConcurrencyWindow = field(default_factory=ConcurrencyWindow)
    rate: RateController = field(default_factory=RateController)
    in_flight: int = 0
    problem: str = ""  # why it is or was last closed
    _refuses: bool = False  # whether it was last closed because it refuses every request
    _failures: int = 0  # since the last answer
    _rejections: int = 0  # of rows, since it last accepted a request
    _closings: int = 0  # since the last answer
    _closed_until: float = -math.inf
    _last_number: int = 0
    _last_number_before_closing: int = 0

    def is_open(self, now: float) -> bool:
        return self._closed_until <= now

    def may_answer(self, now: float) -> bool:
        """Return whether it is open, or will be tried again soon: it only couldn't be reached."""
        return self.is_open(now) or not self._refuses

    @property
    def is_full(self) -> bool:
        """Return whether all places are taken. Once it was closed, it has one until it answers."""
        places = 1 if self._closings else self.window.places
        return self.in_flight >= places

    @property
    def load(self) -> float:
        """Return the share of the places that is taken. Failures count as taken places."""
        return (self.in_flight + self._failures) / self.window.places

    @property
    def has_failed_often(self) -> bool:
        return self._failures >= MAX_FAILURES

    @property
    def has_rejected_often(self) -> bool:
        return self._rejections >= MAX_REJECTIONS

    @property
    def last_number(self) -> int:
        """The number of the request that started last."""
        return self._last_number

    def delay(self, now: float) -> float:
        """Return the seconds until a request may start; 0 when it may start now."""
        return max(self._closed_until - now, self.rate.delay(now))

    def start_request(self, now: float) -> int:
        """Count a request that starts now. Return its number, by which its outcome is recorded."""
        self.in_flight += 1
        self._last_number = self.rate.start_request(now)
        return self._last_number

    def end_request(self, number: int) -> None:
        """End a request, whatever its outcome. A known outcome is recorded before."""
        self.in_flight -= 1

    def record_answer(self, number: int) -> None:
        """Record that the deployment has answered a request: it works."""
        self._failures = 0
        if number > self._last_number_before_closing:
            self._closings = 0
            self._closed_until = -math.inf

    def record_acceptance(self) -> None:
        """Record that the deployment has accepted a request for its content."""
        self._rejections = 0

    def record_rejection(self) -> None:
        """Record that the deployment has rejected a row."""
        self._rejections += 1

    def record_failure(self) -> None:
        """Record a request that timed out, or was answered with an error of the service."""
        self._failures += 1

    def close(self, now: float, number: int, seconds: float, problem: str) -> None:
        """Let no request start for some time. Requests that started before show nothing new."""
        if number <= self._last_number_before_closing:
            return
        closed = min(seconds * 2**self._closings, MAX_CLOSED_SECONDS)
        self._refuses = seconds >= REFUSED_SECONDS
        self._closings += 1
        self._failures = 0
        self._closed_until = now + closed
        self._last_number_before_closing = self._last_number
        self.problem = problem
