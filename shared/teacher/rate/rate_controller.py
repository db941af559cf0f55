"""How fast requests may follow each other: a measured rate, pauses, and quotas from headers.

The rate is unlimited until a request is refused (429). It then becomes the recently admitted rate,
counting the wait that the teacher asks for: for a quota by fixed periods, whoever shares it, that
is about the sustainable share. From there it follows a curve like TCP CUBIC's: quickly back to the
rate that was too much, there for a long time, then ever faster upwards, as the quota may have
grown. Each refusal costs a request, so slow rates probe less often. Requests are evenly spaced, as
services also refuse bursts within a second.

Refusals without a quota behind them (`stray_refusals.py`) delay only their own request.

No clock and no I/O: time is passed in, so that simulations of hours take milliseconds.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from shared.teacher.rate.stray_refusals import StrayRefusals

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

# A quota that has refused a request refuses the next one, too; a stray refusal says nothing about
# it. So after some refusals these many requests follow at once as trials.
TRIALS = 2
# A shorter wait may be over before they arrive: then they show nothing.
MIN_TRIAL_SECONDS = 0.05
# After each trial in a row that shows a quota, twice as many refusals count as the quota's untried,
# as a trial costs refusals. The first limit counts as several.
FIRST_CONFIRMED, MAX_CONFIRMED = 3, 6
# times the admitted rate: so far above it, no limit holds anything back
LIFTED = 8
# Refusals that are as frequent at this part of the rate don't depend on it.
SLOWED = 1 / 8
# of the most that was ever left of a limit: with this share there is plenty
PLENTY = 0.5

# reset times of a limit for which requests are held back, see `record_quota`
MIN_HOLD_SECONDS = 3.0
MAX_HOLD_SECONDS = 50.0


@dataclass(slots=True)
class _Quota:
    """One limit, as the reply to the newest request showed it."""

    remaining: float
    resets_at: float
    number: int  # of that request
    most: float  # that ever remained
    holds: bool  # requests are held back when nothing remains


@dataclass(slots=True)
class RateController:
    """When the next request may start."""

    jitter: random.Random = field(default_factory=random.Random)
    rate: float = math.inf  # requests a second now

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

    _strays: StrayRefusals = field(default_factory=StrayRefusals)
    _trials: int = 0  # requests that are to follow at once
    _confirmed: int = FIRST_CONFIRMED  # refusals in a row that were a quota's; 0: strays are known
    _without_trial: int = 0  # refusals that count as a quota's untried
    _last_tried: int = 0  # number of the refused request before the trials
    _usual_rate: float = 0.0  # after the first cut since a quota was last confirmed
    _best_rate: float = 0.0  # that was admitted before a cut; less each time that it was resumed
    _last_number_before_cut: int = 0
    _last_refused: int = 0  # number of the request whose refusal began the pause

    _quotas: dict[str, _Quota] = field(default_factory=dict[str, _Quota])

    def delay(self, now: float) -> float:
        """Return the seconds until a request may start; 0 when it may start now."""
        delay = max(0.0, self._paused_until - now)
        if not self._trials:
            delay = max(delay, self._next_start - now)
        for quota in self._quotas.values():
            if quota.holds:
                delay = max(delay, self._seconds_held(quota, now))
        return delay

    def start_request(self, now: float) -> int:
        """Count a request that starts now. Return its number, by which its outcome is recorded."""
        if self._pause_ended == -math.inf:
            self._pause_ended = now
            self._last_start = now
            self._first_start = now
        self._last_number += 1
        self._admitted += 1
        decay = math.exp((self._last_start - now) / RECENT_SECONDS)
        self._recently_admitted = self._recently_admitted * decay + 1
        self._last_start = now
        self._trials = max(0, self._trials - 1)
        self._strays.count_request()
        if self._is_limited:
            self.rate = self._rate_on_curve(now)
            if self.rate > LIFTED * max(1.0, self._recently_admitted / RECENT_SECONDS):
                self._lift_limit()
                return self._last_number
            # the next requests make up for a late start, but never in a burst
            self._next_start = max(self._next_start, now - 1 / self.rate) + 1 / self.rate
        return self._last_number

    def _lift_limit(self) -> None:
        self.rate = self._excessive_rate = self._reduced_rate = math.inf
        self._next_start = 0.0

    @property
    def _is_limited(self) -> bool:
        return self._excessive_rate != math.inf

    def record_admitted(self, number: int) -> None:
        """Record that a request was not refused, whatever else became of it."""
        if number > self._last_refused:
            self._paused_until = 0.0  # it was sent later: the wait is over

    def record_refusal(
        self, now: float, number: int, retry_after: float, *, is_told: bool = True
    ) -> bool:
        """Record a refused request, to be sent again after `retry_after` seconds.

        `is_told`: the teacher asks for that wait; otherwise it is a guess, which shows no period.
        Return whether the refusal is stray: then it delays that request alone.
        """
        self._admitted = max(0, self._admitted - 1)
        self._recently_admitted = max(0.0, self._recently_admitted - 1)
        self._strays.observe_refusal()
        if self._is_stray(number, retry_after):
            return True
        jitter = self.jitter.uniform(0, 1 / self.rate) if self._is_limited else 0.0
        self._paused_until = max(self._paused_until, now + retry_after + jitter)
        self._last_refused = max(self._last_refused, number)
        # a request that started before the last cut shows nothing new
        if number > self._last_number_before_cut:
            self._cut(now, retry_after, is_told=is_told)
        # otherwise requests that were due in the pause would start all at once after it
        self._next_start = max(self._next_start, self._paused_until)
        return False

    def _is_stray(self, number: int, retry_after: float) -> bool:
        quotas = self._quotas.values()
        if any(quota.number == number and quota.remaining <= 0 for quota in quotas):
            return False
        if number <= self._last_number_before_cut:
            return not self._confirmed
        is_plenty_left = bool(quotas) and min(map(self._share_left, quotas)) >= PLENTY
        if not self._is_limited:
            self._strays.count_refusal()
        if self._is_limited and not is_plenty_left:
            return self._is_stray_when_limited(number, retry_after)
        return self._strays.explains(number, is_limited=self._is_limited)

    def _is_stray_when_limited(self, number: int, retry_after: float) -> bool:
        """Return whether a refusal is stray as far as is known. If it may be, it is tried."""
        if self._last_tried and number > self._last_tried + TRIALS:
            self._expect_strays()
        self._last_tried = 0
        shows_quota = retry_after >= MIN_TRIAL_SECONDS
        if self._confirmed and (self._without_trial or not shows_quota):
            self._without_trial = max(0, self._without_trial - 1)
            self._strays.count_refusal()
            return False
        if self._strays.explains(number, is_limited=True, are_known=not self._confirmed):
            self._trials = TRIALS
            self._last_tried = number if shows_quota else 0
            return True
        if self._confirmed:
            self._strays.halve()
        self._confirm(self._confirmed + 1)
        return False

    def _expect_strays(self) -> None:
        """Record that the trials after a refusal were admitted. Undo the cuts that it explains."""
        self._strays.count_refusal()
        self._confirmed = 0
        if self.rate < self._usual_rate:
            self.rate = self._reduced_rate = self._excessive_rate = self._usual_rate
            self._pause_ended = self._last_start
            self._admitted = 0
            self._probe_seconds = SEARCH_SECONDS

    def _confirm(self, times: int) -> None:
        """Record that a quota was the reason of a refusal, so many times in a row."""
        self._confirmed = min(times, MAX_CONFIRMED)
        self._without_trial = 2 ** (self._confirmed - 1) - 1 if self._confirmed else 0
        self._usual_rate = 0.0

    def _share_left(self, quota: _Quota) -> float:
        remaining = quota.remaining - (self._last_number - quota.number)
        return remaining / quota.most if quota.most > 0 else 1.0

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
            most = max(remaining, quota.most if quota else 0.0)
            holds = remaining >= 0 and MIN_HOLD_SECONDS <= reset <= MAX_HOLD_SECONDS
            self._quotas[name] = _Quota(remaining, sent + reset, number, most, holds)

    def _cut(self, now: float, retry_after: float, *, is_told: bool) -> None:
        """Reduce the rate, and let nothing from before count any more."""
        if not self._is_limited:
            self._confirm(0 if self._strays.settle() else FIRST_CONFIRMED)
        self._best_rate = max(self._best_rate, KEPT * self._recently(now) / RECENT_SECONDS)
        if not self._is_limited or is_told or self._admitted:  # else the same period goes on
            self._reduce_rate(now, retry_after, is_told=is_told)
        if self.rate < SLOWED * self._best_rate and self._strays.take_observed_share():
            self._resume_best_rate()
        self._strays.drop()
        self._trials = self._last_tried = 0
        self._usual_rate = self._usual_rate or self.rate
        self._pause_ended = max(now, self._paused_until)
        self._admitted = 0
        self._last_number_before_cut = self._last_number

    def _resume_best_rate(self) -> None:
        """Return to the rate before several cuts that were of no use: strays are the reason.

        If it was a quota after all, the next time is at half the rate.
        """
        self.rate = self._reduced_rate = self._excessive_rate = self._best_rate
        self._probe_seconds = SEARCH_SECONDS
        self._confirmed = 0
        self._best_rate /= 2

    def _reduce_rate(self, now: float, retry_after: float, *, is_told: bool) -> None:
        elapsed = max(now - self._pause_ended, 1e-3)
        is_first = not self._is_limited
        recently_admitted = self._recently(now)
        # After a long wait, a period's quota was used up before its end: the requests admitted in
        # the period are the whole quota.
        is_period = is_told and retry_after > RECENT_SECONDS
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
            # stray refusals may have cut the rate in the middle of the period
            is_whole = is_period and self._confirmed >= FIRST_CONFIRMED
            excessive = min(self.rate, sustained / KEPT) if is_whole else self.rate
            least = 0.0 if is_whole else LEAST_KEPT * self.rate
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

    def _recently(self, now: float) -> float:
        return self._recently_admitted * math.exp((self._last_start - now) / RECENT_SECONDS)

    def _rate_on_curve(self, now: float) -> float:
        """Return the rate at this time after the last refusal."""
        position = self._position(now)
        if position < 0:
            drop = self._excessive_rate - self._reduced_rate
            return max(self._reduced_rate, self._excessive_rate + drop * position**3)
        return self._excessive_rate * (1 + RISE * position**3)

    def _position(self, now: float) -> float:
        """Return where the curve is: below 0 until the rate is what it was before the cut."""
        return (now - self._pause_ended) / self._probe_seconds - 1.0

    def _seconds_held(self, quota: _Quota, now: float) -> float:
        """Return the seconds to wait for one limit, counting the requests started since."""
        remaining = quota.remaining - (self._last_number - quota.number)
        is_used_up = remaining <= 0 and now < quota.resets_at
        return quota.resets_at - now if is_used_up else 0.0
