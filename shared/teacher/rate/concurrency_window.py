"""How many requests may be in flight: doubled each round trip from a small start, held where the teacher slows, cut where it fails.

No clock and no I/O: time is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START = 8
GROWTH = 0.1  # a round trip, once the window was cut
CUT = 0.8
SLOW, SLOW_SECONDS = (
    2.5,
    0.05,
)  # times the latency of a teacher at ease, and a little: the window does not grow
RECENT = 1 / 16  # weight of one reply in the latency
EASE_SECONDS = (
    600.0  # in which the latency at ease becomes what is usual now: rows may have become longer
)
FAILING = 0.1  # share of a round trip's requests that fail without the window being cut, over what is usual


@dataclass(slots=True)
class Window:
    """The number of requests that may be in flight: at least 1, at most the ceiling."""

    ceiling: int = START
    size: float = START
    latency: float = 0.0  # seconds, of late
    _ease: float = 0.0  # latency of the teacher at ease
    _eased: float = 0.0  # when that was last set
    _was_cut: bool = False
    _usual: float = 0.0  # share of requests that fail, whatever the window
    _round: list[int] = field(
        default_factory=lambda: [0, 0]
    )  # answered and failed since the round trip began
    _round_ends: float = 0.0

    @property
    def places(self) -> int:
        return int(min(self.size, self.ceiling))

    def answered(self, now: float, latency: float, *, full: bool, counts: bool = True) -> None:
        """A reply came after `latency` seconds; `full`: all places were taken; `counts`: it was an answer, not an error."""
        if not counts:
            return
        self.latency += (latency - self.latency) * (RECENT if self.latency else 1)
        self._learn(now)
        self._round[0] += 1
        if full and self.latency <= SLOW * self._ease + SLOW_SECONDS:
            self.size = min(
                self.ceiling,
                self.size + (GROWTH if self._was_cut and self.size > 1 / GROWTH else 1),
            )
        self._end_round(now)

    def failed(self, now: float) -> None:
        """A request timed out, found no connection, or the teacher was busy (503)."""
        self._round[1] += 1
        self._end_round(now)

    def _learn(self, now: float) -> None:
        if not self._ease or self.latency < self._ease:
            self._ease, self._eased = self.latency, now
            return
        self._ease += (self.latency - self._ease) * min(1.0, (now - self._eased) / EASE_SECONDS)
        self._eased = now

    def _end_round(self, now: float) -> None:
        answered, failed = self._round
        if now < self._round_ends or answered + failed < self.places:
            return
        share = failed / (answered + failed)
        if share > 1.5 * self._usual + FAILING:
            self.size, self._was_cut = max(1.0, self.size * CUT), True
        self._usual += (share - self._usual) / 8
        self._round, self._round_ends = [0, 0], now + self.latency
