"""How many requests may be in flight.

The window doubles each round trip from a small start, stays as it is while the teacher is slow
(`latency_at_rest.py`), and is cut when the teacher fails. No clock and no I/O: time is passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from shared.teacher.rate.latency_at_rest import PROBE_SHARE, LatencyAtRest

START = 8
# added in a round trip once the window was cut
GROWTH = 0.1
CUT = 0.8
# share of a round trip's requests, above the usual share, that may fail without a cut
TOLERATED_FAILURES = 0.1


@dataclass(slots=True)
class _RoundTrip:
    """Outcomes in the current round trip."""

    ends: float = 0.0
    answered: int = 0
    failed: int = 0


@dataclass(slots=True)
class ConcurrencyWindow:
    """The number of requests that may be in flight: at least 1, at most the ceiling."""

    ceiling: int = START
    size: float = START
    _latency: LatencyAtRest = field(default_factory=LatencyAtRest)
    _was_cut: bool = False
    _usual_failures: float = 0.0  # share of requests that fail whatever the window
    _round_trip: _RoundTrip = field(default_factory=_RoundTrip)

    @property
    def places(self) -> int:
        """Return how many requests may be in flight now."""
        size = min(self.size, self.ceiling)
        return max(1, int(size * PROBE_SHARE)) if self._latency.is_probing else int(size)

    def record_answer(
        self, now: float, latency: float, *, is_full: bool, timeout: float = math.inf
    ) -> None:
        """Count an answer that came after `latency` seconds, of `timeout` that it might have taken.

        `is_full`: all places were taken.
        """
        self._latency.timeout = timeout
        self._latency.record(now, latency)
        self._round_trip.answered += 1
        if is_full and not self._latency.is_slow(now, latency, self.places):
            grows_slowly = self._was_cut and self.size > 1 / GROWTH
            self.size = min(self.ceiling, self.size + (GROWTH if grows_slowly else 1))
        self._end_round_trip(now)

    def record_failure(self, now: float) -> None:
        """Count a request that timed out or found no connection, or a busy teacher (503)."""
        self._round_trip.failed += 1
        self._end_round_trip(now)

    def _end_round_trip(self, now: float) -> None:
        """Cut the window if too many requests of the round trip failed, once it is complete."""
        requests = self._round_trip.answered + self._round_trip.failed
        if now < self._round_trip.ends or requests < self.places:
            return
        failures = self._round_trip.failed / requests
        if failures > 1.5 * self._usual_failures + TOLERATED_FAILURES:
            self.size = max(1.0, self.size * CUT)
            self._was_cut = True
        self._usual_failures += (failures - self._usual_failures) / 8
        self._round_trip = _RoundTrip(ends=now + self._latency.recent)
