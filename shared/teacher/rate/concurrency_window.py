"""How many requests may be in flight.

The window doubles each round trip from a small start, stays as it is while the teacher is slow, and
is cut when the teacher fails. No clock and no I/O: time is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START = 8
# added in a round trip once the window was cut
GROWTH = 0.1
CUT = 0.8
# The window does not grow while the latency exceeds SLOW times its value at rest, plus a little.
SLOW = 2.5
SLOW_SECONDS = 0.05
# weight of one reply in the latency
RECENT = 1 / 16
# time in which the latency at rest adapts to the current one: rows may have become longer
ADAPTATION_SECONDS = 600.0
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
    latency: float = 0.0  # seconds, recent average
    _latency_at_rest: float = 0.0
    _adapted_at: float = 0.0
    _was_cut: bool = False
    _usual_failures: float = 0.0  # share of requests that fail whatever the window
    _round_trip: _RoundTrip = field(default_factory=_RoundTrip)

    @property
    def places(self) -> int:
        """Return how many requests may be in flight now."""
        return int(min(self.size, self.ceiling))

    def record_answer(self, now: float, latency: float, *, is_full: bool) -> None:
        """Count an answer that came after `latency` seconds. `is_full`: all places were taken."""
        self.latency += (latency - self.latency) * (RECENT if self.latency else 1)
        self._adapt_latency_at_rest(now)
        self._round_trip.answered += 1
        if is_full and self.latency <= SLOW * self._latency_at_rest + SLOW_SECONDS:
            grows_slowly = self._was_cut and self.size > 1 / GROWTH
            self.size = min(self.ceiling, self.size + (GROWTH if grows_slowly else 1))
        self._end_round_trip(now)

    def record_failure(self, now: float) -> None:
        """Count a request that timed out or found no connection, or a busy teacher (503)."""
        self._round_trip.failed += 1
        self._end_round_trip(now)

    def _adapt_latency_at_rest(self, now: float) -> None:
        if not self._latency_at_rest or self.latency < self._latency_at_rest:
            self._latency_at_rest = self.latency
        else:
            weight = min(1.0, (now - self._adapted_at) / ADAPTATION_SECONDS)
            self._latency_at_rest += (self.latency - self._latency_at_rest) * weight
        self._adapted_at = now

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
        self._round_trip = _RoundTrip(ends=now + self.latency)
