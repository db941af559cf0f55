"""The share of refusals (429) that are stray: no quota is behind them, but an overloaded gateway,
for instance.

A quota that has refused a request refuses those that follow at once. Stray refusals are independent
of each other, so a stretch of requests with more of them than their share explains is a quota's.
Stretches are of requests in the order in which they were sent: refusals may come late and together.
No clock and no I/O.
"""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass, field

# a share of few requests is uncertain: as if these had been observed, too
PRIOR_REFUSALS, PRIOR_REQUESTS = 1, 20
MAX_SHARE = 0.3
REMEMBERED_REQUESTS = 1000
# So many refusals in so many requests before the first limit were stray, apart from the last ones.
FIRST_REFUSALS, FIRST_REQUESTS = 5, 200
# What a quota looks like: most requests of a stretch are refused as it is used up, or twice the
# usual share and a little as it is exceeded somewhat, but no more than that.
USED_UP = 0.8
EXCESS_FACTOR, EXCESS = 2, 0.02
# The logarithm of how much more likely a stretch must be with such a share. Before any quota has
# shown, a quota is less likely.
EVIDENCE, FIRST_EVIDENCE = 6.0, 12.0
# requests of the recent past, and the share of refusals that is more than a quota's at its rate
OBSERVED_REQUESTS = 100
MANY, MAX_OBSERVED_SHARE = 0.15, 0.5
# refusals that one stretch has at most
MAX_STRETCH = 50


@dataclass(slots=True)
class StrayRefusals:
    """How many requests are refused without a quota, and whether more are."""

    _requests: float = 0.0  # the newest ones count most
    _refusals: float = 0.0  # of them, that were stray as far as is known
    _refused: list[int] = field(default_factory=list[int])  # numbers of requests, in order
    _observed_requests: float = 0.0  # in the recent past
    _observed_refusals: float = 0.0  # of them, whatever the reason

    @property
    def share(self) -> float:
        """Return the estimated share, above 0."""
        share = (self._refusals + PRIOR_REFUSALS) / (self._requests + PRIOR_REQUESTS)
        return min(share, MAX_SHARE)

    def count_request(self) -> None:
        """Count a request, refused or not."""
        self._observed_requests += 1
        if self._observed_requests > OBSERVED_REQUESTS:
            self._observed_requests /= 2
            self._observed_refusals /= 2
        self._requests += 1
        if self._requests > REMEMBERED_REQUESTS:
            self._requests /= 2
            self._refusals /= 2

    def observe_refusal(self) -> None:
        """Count a refusal, stray or not."""
        self._observed_refusals += 1

    def take_observed_share(self) -> bool:
        """Take all recent refusals for stray if they are many. Return whether they are.

        A rate that was reduced so often has few refusals by a quota.
        """
        if self._observed_requests < OBSERVED_REQUESTS / 2 or self._observed_share < MANY:
            return False
        self._requests, self._refusals = self._observed_requests, self._observed_refusals
        return True

    def count_refusal(self) -> None:
        """Count a stray refusal."""
        self._refusals += 1

    def halve(self) -> None:
        """Doubt that half of the refusals were stray."""
        self._refusals /= 2

    def explains(self, number: int, *, is_limited: bool, are_known: bool = False) -> bool:
        """Return whether the share explains the refusal of request `number`, and those before.

        `are_known`: recent refusals were stray. If they are many, their share counts.
        """
        place = bisect(self._refused, number)
        self._refused.insert(place, number)
        share = self.share
        if are_known and self._observed_share >= MANY:
            share = min(MAX_OBSERVED_SHARE, max(share, self._observed_share))
        return not self._has_stretch(place, share, is_first=not is_limited)

    @property
    def _observed_share(self) -> float:
        return self._observed_refusals / (self._observed_requests + PRIOR_REQUESTS)

    def drop(self) -> None:
        """Judge no stretches of earlier requests any more: a quota is the reason."""
        self._refused.clear()

    def settle(self) -> bool:
        """Return whether refusals before the first limit were stray, and take back the others."""
        self._refusals = max(0.0, self._refusals - len(self._refused))
        if self._requests < FIRST_REQUESTS:
            self._refusals = 0.0
        return self._refusals >= FIRST_REFUSALS

    def _has_stretch(self, last: int, share: float, *, is_first: bool) -> bool:
        """Return whether a stretch that ends with this refusal has more than is explained."""
        needed = FIRST_EVIDENCE if is_first else EVIDENCE
        for first in range(max(0, last - MAX_STRETCH), last + 1):
            refusals = last - first + 1
            requests = self._refused[last] - self._refused[first] + 1
            for excessive in (USED_UP, min(USED_UP, EXCESS_FACTOR * share + EXCESS)):
                evidence = refusals * math.log(excessive / share)
                evidence += (requests - refusals) * math.log((1 - excessive) / (1 - share))
                if evidence >= needed:
                    return True
        return False
