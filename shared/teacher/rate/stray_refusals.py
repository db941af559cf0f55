"""Tells stray refusals (429) from those of a quota.

A quota refuses more when it is asked faster. Stray refusals, of an overloaded gateway for instance,
keep their share. So the rate is raised in a test: at the start, and when refusals go on although
the rate was cut. If the refused share stays, it is learned, and refusals count as stray from then
on until a stretch of requests has more of them than that share explains.

Stretches are of requests in the order in which they were sent: refusals may come late and together.
No clock and no I/O.
"""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass, field

# a share of few requests is uncertain: as if these had been observed, too
PRIOR_REFUSALS, PRIOR_REQUESTS = 1, 20
# with fewer stray refusals in a test, the first refusal at a known quota is the quota's
FEW_REFUSALS = 2
MAX_SHARE = 0.2
# by how much more is refused in a stretch in which the rate of a test exceeds a quota
TEST_EXCESS = 0.2
# what is looked for when no test goes on: twice the usual share and a little
EXCESS_FACTOR, EXCESS = 2, 0.02
# The logarithm of how much more likely a stretch is with the larger share. A test makes errors more
# often, as each request that a quota refuses in it counts.
TEST_EVIDENCE, EVIDENCE = 8.0, 12.0
# refusals in a row, but for one request, that only a quota explains
IN_A_ROW = 4
# times the usual number of requests between stray refusals: without one, the share is forgotten
MOST_WITHOUT = 7
REMEMBERED_REQUESTS = 1000


@dataclass(slots=True)
class StrayRefusals:
    """The share of requests that is refused at any rate, and whether more are."""

    is_testing: bool = True
    share: float = 0.0  # learned in the last test that no quota has ended
    is_known: bool = False  # whether there were stray refusals in it
    _began: int = 0  # number of the request before the first that is counted
    _earlier_requests: float = 0.0
    _earlier_refusals: float = 0.0
    _refused: list[int] = field(default_factory=list[int])  # numbers of the requests, in order

    def begin_test(self, number: int, refusals: float, requests: float) -> None:
        """Begin a test after request `number`. `refusals` of the `requests` before were stray."""
        self.is_testing = True
        self.drop(number)
        self._earlier_refusals = refusals
        self._earlier_requests = requests

    def drop(self, number: int) -> None:
        """Judge no stretches from before request `number` any more: a quota is the reason."""
        self._began = number
        self._earlier_refusals = self._earlier_requests = 0.0
        self._refused.clear()

    def repeat_test(self, number: int) -> None:
        """Begin a test after request `number`, as if all refusals so far had been stray."""
        refusals = self._earlier_refusals + len(self._refused)
        requests = self._earlier_requests + number - self._began
        self.begin_test(number, refusals, requests)

    def end_test(self, number: int) -> None:
        """Learn the share of a test that ends with request `number`, without sign of a quota."""
        self.is_testing = False
        self.is_known = self._earlier_refusals + len(self._refused) >= FEW_REFUSALS
        self.share = self._share_before(len(self._refused), number)

    def forget(self) -> None:
        """Expect no stray refusals any more."""
        self.share = 0.0
        self.is_known = False

    def is_stray(self, number: int, *, may_be_quota: bool) -> bool:
        """Return whether the refusal of request `number` is stray as far as is known.

        `may_be_quota`: a quota is known, and may be used up.
        """
        if self._refused and (number - self._refused[-1]) * self.share > MOST_WITHOUT:
            self.forget()
        if may_be_quota and not self.is_testing and not self.is_known:
            return False
        place = bisect(self._refused, number)
        self._refused.insert(place, number)
        if self._has_stretch(place):
            self.record_quota()
            return False
        if not self.is_testing and not may_be_quota:
            self._remember(number)
        return True

    def record_quota(self) -> None:
        """Record that a quota is the reason for the newest refusals."""
        self.is_testing = False

    @property
    def refuses_all(self) -> bool:
        """Return whether the last requests were refused in a row, but for one."""
        last = self._refused[-IN_A_ROW:]
        return len(last) == IN_A_ROW and last[-1] - last[0] <= IN_A_ROW

    def _remember(self, number: int) -> None:
        """Adapt the share to the last requests."""
        first = number - REMEMBERED_REQUESTS
        if self._began < first:
            self._began = first
            self._earlier_requests = self._earlier_refusals = 0
            self._refused = [refused for refused in self._refused if refused > first]
        if self.is_known:
            self.share = self._share_before(len(self._refused), number)

    def _has_stretch(self, last: int) -> bool:
        """Return whether a stretch that ends with this refusal has more than is explained."""
        needed = TEST_EVIDENCE if self.is_testing else EVIDENCE
        for first in range(last, -1, -1):
            refusals = last - first + 1
            requests = self._refused[last] - self._refused[first] + 1
            share, excessive = self._hypotheses(first)
            evidence = refusals * math.log(excessive / share)
            evidence += (requests - refusals) * math.log((1 - excessive) / (1 - share))
            if evidence >= needed:
                return True
        return False

    def _hypotheses(self, first: int) -> tuple[float, float]:
        """Return the share that is expected from a refusal on, and the one that is looked for."""
        if self.is_testing:
            share = self._share_before(first, self._refused[first])
            return share, share + TEST_EXCESS
        share = max(self.share, PRIOR_REFUSALS / (REMEMBERED_REQUESTS + PRIOR_REQUESTS))
        return share, EXCESS_FACTOR * share + EXCESS

    def _share_before(self, refusals: int, number: int) -> float:
        refused = refusals + self._earlier_refusals + PRIOR_REFUSALS
        requests = number - self._began + self._earlier_requests + PRIOR_REQUESTS
        return min(refused / requests, MAX_SHARE)
