"""How fast requests may follow each other: a measured rate, pauses, and quotas from headers.

The rate is unlimited until a request is refused (429). It then becomes the recently admitted rate,
counting the wait that the teacher asks for: for a quota by fixed periods, whoever shares it, that
is about the sustainable share. From there it follows a curve like TCP CUBIC's: quickly back to the
rate that was too much, there for a long time, then ever faster upwards, as the quota may have
grown. Each refusal costs a request, so slow rates probe less often. Requests are evenly spaced, as
services also refuse bursts within a second.

No clock and no I/O: time is passed in, so that simulations of hours take milliseconds.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

# share of the rate that remains after a refusal
KEPT = 0.97
LEAST_KEPT = 0.7
# growth of the rate in the second probe time after a refusal; eight times that by the third
RISE = 0.5
# probe time after the first refusal, which came at a rate that nothing was known about
SEARCH_SECONDS = 2.0
# requests in a probe time, so that about one in a hundred is refused
PROBE_REQUESTS = 100
# times the teacher's wait, so that waiting is a small part of a probe time
PROBE_WAITS = 15
MIN_PROBE_SECONDS = 8.0
MAX_PROBE_SECONDS = 60.0
# time over which the recently admitted requests are counted
RECENT_SECONDS = 3.0
# with fewer recent requests no rate can be measured: one request per wait is allowed
FEW_REQUESTS = 2
SHORTEST_WAIT_SECONDS = 0.1
SLOWEST = 1 / 60  # requests a second

# Refusals that follow each other quickly whatever the rate are probably stray. Then the rate stays
# as it is, and one request after each pause is a trial: if the trials are admitted, refusals are
# stray. If most of the next requests are refused after all, they are not.
QUICK_SECONDS = 2.0
QUICK_REQUESTS = 20
MAX_QUICK_CUTS = 3
ADMITTED_TRIALS = 3
# some trials may get no reply for a long time
MAX_TRIALS_IN_FLIGHT = 8
STRAY_SAMPLE = 32  # requests
MAX_STRAY_REFUSALS = 20  # among STRAY_SAMPLE requests

# reset times of a limit for which requests are held back, see `record_quota`
MIN_HOLD_SECONDS = 3.0
MAX_HOLD_SECONDS = 50.0


@dataclass(slots=True)
class _Quota:
    """One limit, as the reply to the newest request showed it."""

    remaining: float
    resets_at: float
    number: int  # of that request


@dataclass(slots=True)
class RateController:
    """When the next request may start."""

    jitter: random.Random = field(default_factory=random.Random)
    rate: float = math.inf  # requests a second now
    # refusals come whatever the rate is: each delays only its own row
    refusals_are_stray: bool = False

    _excessive_rate: float = math.inf  # the rate at the last refusal
    _reduced_rate: float = math.inf  # the rate after it
    _probe_seconds: float = SEARCH_SECONDS

    _pause_ended: float = -math.inf
    _admitted: int = 0  # since the pause ended
    _recently_admitted: float = 0.0  # each request weighs less with time
    _last_start: float = 0.0
    _first_start: float = 0.0
    _last_number: int = 0
    _next_start: float = 0.0
    _paused_until: float = 0.0

    _quick_cuts: int = 0
    _last_number_before_cut: int = 0
    _trial_is_due: bool = False
    _trials: set[int] = field(default_factory=set[int])  # numbers of the requests
    _admitted_trials: int = 0
    _stray_refusals: int = 0  # in the current sample

    _quotas: dict[str, _Quota] = field(default_factory=dict[str, _Quota])

    def delay(self, now: float) -> float:
        """Return the seconds until a request may start; 0 when it may start now."""
        if self._trial_is_due:
            return 0.0
        delay = max(0.0, self._next_start - now, self._paused_until - now)
        for quota in self._quotas.values():
            delay = max(delay, self._seconds_held(quota, now))
        return delay

    def start_request(self, now: float) -> int:
        """Count a request that starts now. Return its number, by which its outcome is recorded."""
        if self._pause_ended == -math.inf:
            self._pause_ended = now
            self._last_start = now
            self._first_start = now
        self._last_number += 1
        if self._trial_is_due:
            self._trial_is_due = False
            self._trials.add(self._last_number)
        if self.refusals_are_stray and self._last_number % STRAY_SAMPLE == 0:
            self._stray_refusals = 0
        self._admitted += 1
        decay = math.exp((self._last_start - now) / RECENT_SECONDS)
        self._recently_admitted = self._recently_admitted * decay + 1
        self._last_start = now
        if self._excessive_rate != math.inf:
            self.rate = self._rate_on_curve(now)
            # the next requests make up for a late start, but never in a burst
            self._next_start = max(self._next_start, now - 1 / self.rate) + 1 / self.rate
        return self._last_number

    def record_admitted(self, number: int) -> None:
        """Record that a request was not refused, whatever else became of it."""
        if number not in self._trials:
            return
        self._trials.discard(number)
        self._admitted_trials += 1
        if self._admitted_trials == ADMITTED_TRIALS:
            self._lift_limits()

    def record_end(self, number: int) -> None:
        """Record that a request has ended. Without another record before, it got no reply."""
        self._trials.discard(number)

    def record_refusal(self, now: float, number: int, retry_after: float) -> None:
        """Record a refused request, after which the teacher asks for `retry_after` seconds."""
        self._admitted = max(0, self._admitted - 1)
        self._recently_admitted = max(0.0, self._recently_admitted - 1)
        if self.refusals_are_stray:
            self._stray_refusals += 1
            if self._stray_refusals < MAX_STRAY_REFUSALS:
                return
            self.refusals_are_stray = False
        has_rate = self._excessive_rate != math.inf
        jitter = self.jitter.uniform(0, 1 / self.rate) if has_rate else 0.0
        self._paused_until = max(self._paused_until, now + retry_after + jitter)
        if number in self._trials:
            self._trials.discard(number)
            self._admitted_trials = 0
            self._quick_cuts = 0
        # a request that started before the last cut shows nothing new
        elif number > self._last_number_before_cut:
            self._cut(now, retry_after)
        # otherwise requests that were due in the pause would start all at once after it
        self._next_start = max(self._next_start, self._paused_until)

    def record_quota(
        self, name: str, number: int, *, remaining: float, sent: float, reset: float
    ) -> None:
        """Record the headers of a reply: what remained of the limit `name` when it was `sent`.

        The limit is whole again after `reset` seconds. Short times are left to the rate, as headers
        give whole seconds and arrive when the period is over. Long ones may belong to a limit that
        refills continuously, which a refusal tells apart.
        """
        quota = self._quotas.get(name)
        if quota is None or number >= quota.number:
            holds = remaining >= 0 and MIN_HOLD_SECONDS <= reset <= MAX_HOLD_SECONDS
            self._quotas[name] = _Quota(remaining if holds else math.inf, sent + reset, number)

    def _lift_limits(self) -> None:
        """Treat refusals as stray: neither rate nor pauses hold requests back any more."""
        self.refusals_are_stray = True
        self._quick_cuts = 0
        self._admitted_trials = 0
        self._trials.clear()
        self.rate = math.inf
        self._excessive_rate = math.inf
        self._reduced_rate = math.inf
        self._paused_until = 0.0
        self._next_start = 0.0

    def _cut(self, now: float, retry_after: float) -> None:
        """Reduce the rate, unless refusals follow each other so quickly that they may be stray."""
        elapsed = max(now - self._pause_ended, 1e-3)
        is_quick = elapsed < QUICK_SECONDS or self._admitted < QUICK_REQUESTS
        self._quick_cuts = self._quick_cuts + 1 if is_quick else 1
        if self._quick_cuts > MAX_QUICK_CUTS:
            self._trial_is_due = len(self._trials) < MAX_TRIALS_IN_FLIGHT
        else:
            self._reduce_rate(now, elapsed, retry_after)
        self._pause_ended = now + retry_after
        self._admitted = 0
        self._last_number_before_cut = self._last_number

    def _reduce_rate(self, now: float, elapsed: float, retry_after: float) -> None:
        is_first = self._excessive_rate == math.inf
        recently_admitted = self._recently_admitted * math.exp(
            (self._last_start - now) / RECENT_SECONDS
        )
        # After a long wait, a period's quota was used up before its end: the requests admitted in
        # the period are the whole quota.
        is_period = retry_after > RECENT_SECONDS
        if is_period:
            sustained = KEPT * self._admitted / (elapsed + retry_after)
        else:
            share = 1 - math.exp((self._first_start - now - 1e-3) / RECENT_SECONDS)
            seconds = RECENT_SECONDS * share + (retry_after if is_first else 0.0)
            sustained = KEPT * recently_admitted / seconds
        if is_first:
            excessive = sustained
            reduced = sustained
        else:
            excessive = self.rate
            least = 0.0 if is_period else LEAST_KEPT * self.rate
            reduced = min(KEPT * self.rate, max(sustained, least))
        if recently_admitted < FEW_REQUESTS:
            reduced = max(reduced, 1 / max(retry_after, SHORTEST_WAIT_SECONDS))
        self.rate = max(reduced, SLOWEST)
        self._reduced_rate = self.rate
        self._excessive_rate = max(excessive, self.rate)
        if is_first and not is_period:
            self._probe_seconds = SEARCH_SECONDS
        else:
            probe = max(PROBE_REQUESTS / self.rate, PROBE_WAITS * retry_after, MIN_PROBE_SECONDS)
            self._probe_seconds = min(probe, MAX_PROBE_SECONDS)

    def _rate_on_curve(self, now: float) -> float:
        """Return the rate at this time after the last refusal."""
        position = (now - self._pause_ended) / self._probe_seconds - 1
        if position < 0:
            drop = self._excessive_rate - self._reduced_rate
            return max(self._reduced_rate, self._excessive_rate + drop * position**3)
        return self._excessive_rate * (1 + RISE * position**3)

    def _seconds_held(self, quota: _Quota, now: float) -> float:
        """Return the seconds to wait for one limit, counting the requests started since."""
        remaining = quota.remaining - (self._last_number - quota.number)
        is_used_up = remaining <= 0 and now < quota.resets_at
        return quota.resets_at - now if is_used_up else 0.0
