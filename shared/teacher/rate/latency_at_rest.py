"""Whether a teacher is slow because it has too many of our requests, or because answers take long.

The latency at rest is that of few requests. While the recent one is far above it, more requests
would only wait at the teacher, as a small one of one's own soon shows. But rows may have become
longer instead. So after a while, a quarter of the requests measures the latency at rest anew: where
requests wait for each other, they have room then. No clock and no I/O: time is passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# The teacher is slow while the latency exceeds SLOW times its value at rest, plus a little.
SLOW = 2.5
SLOW_SECONDS = 0.05
# It is also slow while answers take so much of the time-out: a few more requests, and those that
# time out are asked again, and again. Unless few requests take nearly as long.
NEAR_TIMEOUT = 0.8
SLOW_AT_LEAST = 1.5
# weight of one reply in the recent latency
RECENT = 1 / 64
# The mean of so many answers is the first latency at rest: the first of all is a short one.
FIRST_ANSWERS = 8
# share of the requests that a measurement has: less than SLOW leaves of a teacher's queue
PROBE_SHARE = 1 / 4
# A measurement has so many answers at least, and two for each place: short ones come first.
PROBE_ANSWERS = 16
# Latencies until the first measurement. Each that finds nothing new doubles the wait, up to where
# the time at a quarter is a hundredth.
FIRST_PROBE_LATENCIES = 5
LAST_PROBE_LATENCIES = 200


@dataclass(slots=True)
class _Probe:
    """A measurement with few requests."""

    lacking: int  # answers
    answers: int = 0
    seconds: float = 0.0  # of all answers


@dataclass(slots=True)
class LatencyAtRest:
    """Latencies in seconds."""

    recent: float = 0.0
    timeout: float = math.inf  # of requests
    _at_rest: float = 0.0
    _answers: int = 0
    _slow_since: float | None = None
    _patience: float = FIRST_PROBE_LATENCIES  # recent latencies until the next measurement
    _probe: _Probe | None = None
    # requests that were sent before count for nothing: they had more or fewer beside them
    _counts_from: float = -math.inf

    @property
    def is_probing(self) -> bool:
        """Return whether only PROBE_SHARE of the requests may be in flight."""
        return self._probe is not None

    def record(self, now: float, latency: float) -> None:
        """Count an answer that came after `latency` seconds."""
        if now - latency < self._counts_from:
            return
        if self._probe is not None:
            self._record_probe(self._probe, now, latency)
            return
        self._answers += 1
        is_first = self._answers <= FIRST_ANSWERS
        self.recent += (latency - self.recent) * (1 / self._answers if is_first else RECENT)
        if is_first:
            self._at_rest = self.recent
        elif self.recent < self._at_rest:
            self._at_rest += (self.recent - self._at_rest) * RECENT

    def is_slow(self, now: float, latency: float, places: int) -> bool:
        """Return whether more requests than these `places` would only wait at the teacher.

        `latency` is that of the answer which has just come: the average is late to tell.
        """
        if self._probe is not None or now < self._counts_from:
            return True
        if self._answers < FIRST_ANSWERS:
            return False
        if not self._is_above(self.recent):
            self._slow_since = None
            return self._is_above(latency)
        if self._slow_since is None:
            self._slow_since = now
        elif now - self._slow_since >= self._patience * self.recent:
            answers = max(PROBE_ANSWERS, int(2 * PROBE_SHARE * places))
            self._probe = _Probe(answers)
            self._counts_from = now + self.recent
        return True

    def _is_above(self, latency: float) -> bool:
        near_timeout = max(NEAR_TIMEOUT * self.timeout, SLOW_AT_LEAST * self._at_rest)
        return latency > min(SLOW * self._at_rest + SLOW_SECONDS, near_timeout)

    def _record_probe(self, probe: _Probe, now: float, latency: float) -> None:
        probe.answers += 1
        probe.seconds += latency
        if probe.answers < probe.lacking:
            return
        self._at_rest = probe.seconds / probe.answers
        self._probe = None
        self._slow_since = None
        self._counts_from = now + self.recent
        if self._is_above(self.recent):
            self._patience = min(2 * self._patience, LAST_PROBE_LATENCIES)
        else:
            self._patience = FIRST_PROBE_LATENCIES
