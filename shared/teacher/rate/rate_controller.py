"""How fast a teacher may be asked: a rate that is found out, pauses that it asks for, and quotas that its headers tell.

The rate is unlimited until a request is refused (429). Then it becomes what was admitted of late, the wait that the teacher
asks for included: for a quota by fixed periods, shared with whomever, that is about the sustainable share. From there it
follows a curve as TCP CUBIC does: quickly back to what was just too much, long there, then ever faster upwards, as the quota
may have grown. Each refusal costs a request, so slow rates probe more seldom. Requests are spaced evenly, as services also
refuse bursts within a second.

No clock and no I/O: time is passed in, so that simulations of hours take milliseconds.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

KEPT = 0.97  # of the rate, after a refusal
LEAST_KEPT = 0.7
RISE = 0.5  # of the rate, in the second probe time after a refusal; eight times that by the third
SEARCH_SECONDS = (
    2.0  # probe time after the first refusal, which came at a rate that nothing was known of
)
PROBE_REQUESTS = 100  # in a probe time, so that about one in a hundred is refused
PROBE_WAITS = 15  # and the waits that a teacher asks for are a small part of it
MIN_PROBE_SECONDS, MAX_PROBE_SECONDS = 8.0, 60.0
LATE_SECONDS = 3.0  # what "of late" means
FEW = 2  # admitted of late: too few to tell a rate by, and one request a wait is what was asked for
SHORTEST_SECONDS = 0.1  # of such a wait
SLOWEST = 1 / 60  # requests a second
# Refusals that come one upon the other whatever the rate may be stray. Then one request a pause tries: if it is admitted
# each time, they are. Mostly refusals among the next requests say that they are not, after all.
QUICK_SECONDS, QUICK_REQUESTS, QUICK_CUTS, TRIES = 2.0, 20, 3, 3
TRIES_AT_ONCE = 8  # some may get no reply for long
NEXT_REQUESTS, MOSTLY = 32, 20
MIN_HOLD_SECONDS, MAX_HOLD_SECONDS = 3.0, 50.0  # see `tell`


@dataclass(slots=True)
class _Quota:
    """What is left of one limit, as the newest request's reply told it."""

    remaining: float
    until: float  # when its period ends
    sequence: int  # of the request that was told


@dataclass(slots=True)
class Pace:
    """When the next request may start."""

    jitter: random.Random = field(default_factory=random.Random)
    rate: float = math.inf  # requests a second now
    stray: bool = False  # refusals come whatever the rate is: they hold up their own row alone
    _top: float = math.inf  # the rate that was too much
    _low: float = math.inf  # and what it was cut to
    _probe_seconds: float = SEARCH_SECONDS
    _since: float = -math.inf  # the end of the last wait
    _admitted: int = 0  # since then
    _late: float = 0.0  # admitted, each weighing less with time
    _started: float = 0.0  # the last start
    _began: float = 0.0  # the first start
    _cuts: int = 0  # one quickly after the other
    _refusals: int = 0  # among the next requests, while refusals are stray
    _trying: bool = False
    _tried: set[int] = field(default_factory=set[int])  # numbers of the requests that try
    _tries: int = 0  # admitted
    _cut_sequence: int = 0
    _sequence: int = 0
    _next: float = 0.0
    _paused: float = 0.0
    _quotas: dict[str, _Quota] = field(default_factory=dict[str, _Quota])

    def wait(self, now: float) -> float:
        """Seconds until a request may start; 0 when it may now."""
        if self._trying:
            return 0.0
        held = max((self._held(quota, now) for quota in self._quotas.values()), default=0.0)
        return max(0.0, self._next - now, self._paused - now, held)

    def started(self, now: float) -> int:
        """A request starts. Returns its number, to tell its outcome by."""
        if self._since == -math.inf:
            self._since = self._started = self._began = now
        self._sequence += 1
        if self._trying:
            self._trying = False
            self._tried.add(self._sequence)
        if self.stray and self._sequence % NEXT_REQUESTS == 0:
            self._refusals = 0
        self._admitted += 1
        self._late = self._late * math.exp((self._started - now) / LATE_SECONDS) + 1
        self._started = now
        if self._top != math.inf:
            self.rate = self._curve(now)
            # a late start is made up for by the next ones, but never by a burst
            self._next = max(self._next, now - 1 / self.rate) + 1 / self.rate
        return self._sequence

    def admitted(self, sequence: int) -> None:
        """A request was not refused, whatever else became of it."""
        if sequence in self._tried:
            self._tried.discard(sequence)
            self._tries += 1
            if self._tries == TRIES:
                self.stray, self._cuts, self._tries = True, 0, 0
                self._tried.clear()
                self.rate = self._top = self._low = math.inf
                self._paused = self._next = 0.0

    def ended(self, sequence: int) -> None:
        """A request has ended. If none of the others was told, nobody knows whether it was admitted: no reply came."""
        self._tried.discard(sequence)

    def refuse(self, now: float, sequence: int, wait: float) -> None:
        """A request was refused, and the teacher asks for `wait` seconds of peace."""
        self._admitted, self._late = max(0, self._admitted - 1), max(0.0, self._late - 1)
        if self.stray:
            self._refusals += 1
            if self._refusals < MOSTLY:
                return
            self.stray = False
        jitter = self.jitter.uniform(0, 1 / self.rate) if self._top != math.inf else 0.0
        self._paused = max(self._paused, now + wait + jitter)
        if sequence in self._tried:
            self._tried.discard(sequence)
            self._tries = self._cuts = 0
        elif (
            sequence > self._cut_sequence
        ):  # else it started before the last cut, and tells nothing new
            self._cut(now, wait)
        self._next = max(
            self._next, self._paused
        )  # or what was due in the pause would start together with the next

    def tell(self, name: str, sequence: int, remaining: float, sent: float, reset: float) -> None:
        """What a reply's headers say of the limit `name`: what remained of it, and in how many seconds it is whole again.

        Short times are left to the rate, as the headers give whole seconds and come when the period is over. Long ones may
        be those of a limit that refills little by little, which a refusal tells apart.
        """
        known = self._quotas.get(name)
        if known is None or sequence >= known.sequence:
            holds = remaining >= 0 and MIN_HOLD_SECONDS <= reset <= MAX_HOLD_SECONDS
            self._quotas[name] = _Quota(remaining if holds else math.inf, sent + reset, sequence)

    def _cut(self, now: float, wait: float) -> None:
        first = self._top == math.inf
        elapsed = max(now - self._since, 1e-3)
        quick = elapsed < QUICK_SECONDS or self._admitted < QUICK_REQUESTS
        self._cuts = self._cuts + 1 if quick else 1
        if (
            self._cuts > QUICK_CUTS
        ):  # perhaps stray: the rate stays as it is until those that try tell
            self._trying = len(self._tried) < TRIES_AT_ONCE
            self._since, self._admitted, self._cut_sequence = now + wait, 0, self._sequence
            return
        late = self._late * math.exp((self._started - now) / LATE_SECONDS)
        of_late = late / (
            LATE_SECONDS * (1 - math.exp((self._began - now - 1e-3) / LATE_SECONDS)) + first * wait
        )
        period = (
            wait > LATE_SECONDS
        )  # that was used up before its end: what was admitted in it is the whole of it
        sustained = KEPT * (self._admitted / (elapsed + wait) if period else of_late)
        self._top = sustained if first else self.rate
        least = 0.0 if period else LEAST_KEPT * self.rate
        low = sustained if first else min(KEPT * self.rate, max(sustained, least))
        if late < FEW:
            low = max(low, 1 / max(wait, SHORTEST_SECONDS))
        self.rate = self._low = max(low, SLOWEST)
        self._top = max(self._top, self.rate)
        longer = max(PROBE_REQUESTS / self.rate, PROBE_WAITS * wait, MIN_PROBE_SECONDS)
        self._probe_seconds = (
            SEARCH_SECONDS if first and not period else min(longer, MAX_PROBE_SECONDS)
        )
        self._since, self._admitted, self._cut_sequence = now + wait, 0, self._sequence

    def _curve(self, now: float) -> float:
        """The rate at this time after the last refusal."""
        late = (now - self._since) / self._probe_seconds - 1
        if late < 0:
            return max(self._low, self._top + (self._top - self._low) * late**3)
        return self._top * (1 + RISE * late**3)

    def _held(self, quota: _Quota, now: float) -> float:
        """Seconds to wait for one limit, by what was left and what was started since."""
        left = quota.remaining - (self._sequence - quota.sequence)
        return quota.until - now if left <= 0 and now < quota.until else 0.0
