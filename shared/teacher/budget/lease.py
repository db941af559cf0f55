"""One worker's lease of a budget: what it may send without a look at the ledger.

Reserving and settling are sums in memory. One task renews the lease in the background before it is
used up, so that requests wait for storage only when little is left. A request that finds too little
waits until one in flight settles, or another worker gives back what it doesn't use.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.core.paths import RunPaths
from shared.core.shared_document import SharedDocument
from shared.spec.budget import Usage
from shared.spec.models import BudgetSpec
from shared.teacher.budget.ledger import (
    Amounts,
    Claim,
    Grant,
    Ledger,
    Limits,
    grant,
    ledger_document,
    shortage,
)
from shared.teacher.budget.reservation import NO_TOKENS, OverBudget, Tokens

if TYPE_CHECKING:
    from shared.core.storage import Storage

log = logging.getLogger(__name__)

LEASE_SECONDS = 5.0
"""A lease lasts about so long, as fast as requests were sent since the last renewal.

Longer if many workers share the ledger, so that together they renew no more often than it allows.
"""
MIN_LEASE_REQUESTS = 32
RENEWAL_SECONDS = 10.0
"""A worker renews its lease at least so often, and gives back what it doesn't use."""
POLL_SECONDS = 0.5
"""Until the ledger is asked again, if nothing could be granted."""
CLAIMS_PER_SECOND = 16
"""Of all workers together: one blob takes some 30 changes a second."""
ONE_REQUEST = Amounts(requests=1)
Recorded = Callable[[], Awaitable[Usage]]
USED_UP = "the run's budget allows no further request"


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that waits for its reservation."""

    most: Tokens
    granted: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def is_granted(self) -> bool:
        granted = self.granted
        return granted.done() and not granted.cancelled() and granted.exception() is None


class BudgetLease:
    """A `Budget` for everything that one process asks for one run, or for all runs in a month.

    `recorded` returns what an empty ledger begins with.
    """

    def __init__(
        self,
        document: SharedDocument[Ledger],
        budget: BudgetSpec,
        recorded: Recorded | None = None,
        *,
        is_preflight: bool = False,
    ) -> None:
        self._document = document
        self._recorded = recorded
        self._budget = budget
        self._limits = Limits(budget)
        self._is_preflight = is_preflight
        self.counts_tokens = self._limits.on_tokens
        self._name = uuid4().hex[:12]
        self._is_registered = False
        # what was used, what is in flight, and what is neither: the rest of the lease
        # (plain numbers: every request changes them twice)
        self._used_requests = 0
        self._used_prompt_tokens = 0
        self._used_completion_tokens = 0
        self._reserved_requests = 0
        self._reserved_tokens = 0
        self._reserved_cost = 0
        self._free_requests = 0
        self._free_tokens: float = 0 if self.counts_tokens else math.inf
        self._free_cost: float = 0 if self.counts_tokens else math.inf
        # once less than this is free, the lease is renewed in the background
        self._low = Amounts()
        self._last_most = NO_TOKENS
        self._started = 0  # requests
        self._started_before = 0  # the last renewal
        self._renewed_at = time.monotonic()
        self._lease_seconds = LEASE_SECONDS
        self._denied_until = 0.0
        self._waiting: deque[_Waiting] = deque()
        self._is_frozen = False  # while a renewal may take away what is free
        self._kick = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    # For the teacher client

    def try_reserve(self, most: Tokens) -> bool:
        """Reserve, unless that has to wait."""
        if self._waiting or self._is_frozen:
            return False
        if not self._has(most):
            return False
        self._take(most)
        if self._is_low:
            self._wake_keeper()
        return True

    async def reserve(self, most: Tokens, *, is_further: bool = False) -> None:
        """Wait for a reservation. Raises OverBudget, and errors of the storage."""
        waiting = _Waiting(most)
        if is_further:
            self._waiting.appendleft(waiting)
        else:
            self._waiting.append(waiting)
        self._wake_keeper()
        try:
            await waiting.granted
        except asyncio.CancelledError:
            if waiting.is_granted:
                self.release(most)
            raise
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(waiting)

    def release(self, most: Tokens) -> None:
        """Give back a reservation whose request wasn't sent."""
        self._end(most)
        self._free_requests += 1
        if self._waiting:
            self._kick.set()

    def settle(self, most: Tokens, used: Tokens) -> None:
        """Replace a reservation by what was used."""
        self._end(most)
        self._used_requests += 1
        self._used_prompt_tokens += used.prompt
        self._used_completion_tokens += used.completion
        if self.counts_tokens:
            self._free_tokens -= used.prompt + used.completion
            self._free_cost -= self._limits.cost(*used)
        if self._waiting:
            self._kick.set()

    def _need(self, most: Tokens) -> Amounts:
        if not self.counts_tokens:
            return ONE_REQUEST
        return Amounts(1, most.prompt + most.completion, self._limits.cost(*most))

    def _has(self, most: Tokens) -> bool:
        if not self.counts_tokens:
            return self._free_requests >= 1
        return (
            self._free_requests >= 1
            and self._free_tokens >= most.prompt + most.completion
            and self._free_cost >= self._limits.cost(*most)
        )

    def _take(self, most: Tokens) -> None:
        self._started += 1
        self._last_most = most
        self._reserved_requests += 1
        self._free_requests -= 1
        if self.counts_tokens:
            self._move_tokens(most, 1)

    def _end(self, most: Tokens) -> None:
        """End a reservation. Its tokens are free again, its request isn't."""
        self._reserved_requests -= 1
        if self.counts_tokens:
            self._move_tokens(most, -1)

    def _move_tokens(self, most: Tokens, sign: int) -> None:
        tokens = sign * (most.prompt + most.completion)
        cost = sign * self._limits.cost(*most)
        self._reserved_tokens += tokens
        self._reserved_cost += cost
        self._free_tokens -= tokens
        self._free_cost -= cost

    @property
    def _is_low(self) -> bool:
        low = self._low
        return (
            self._free_requests < low.requests
            or self._free_tokens < low.tokens
            or self._free_cost < low.cost
        )

    # The ledger

    def _wake_keeper(self) -> None:
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())
        self._kick.set()

    async def _keep(self) -> None:
        """Renew the lease whenever it is low, and at least every ten seconds."""
        pause = 0.0
        while True:
            if pause:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._kick.wait()
            self._kick.clear()
            try:
                pause = await self._serve()
            except Exception as error:
                log.warning("the lease of a budget could not be renewed: %s", error)
                self._fail_waiting(error)
                pause = RENEWAL_SECONDS

    async def _serve(self) -> float:
        """Hand out what is free, and get more. Return the seconds until the next look."""
        self._hand_out()
        now = time.monotonic()
        if self._waiting:
            # what is in flight may free enough, without a look at the ledger
            if self._reserved_requests and now < self._denied_until:
                return self._denied_until - now
        elif not self._is_low and now < self._renewed_at + RENEWAL_SECONDS:
            return self._renewed_at + RENEWAL_SECONDS - now
        has_none_in_flight = not self._reserved_requests
        has_asked = bool(self._waiting)
        renewal = await self._renew()
        self._hand_out()
        if self._waiting and has_asked and not renewal.granted.requests:
            # what remains may do for a smaller request
            has_none_in_flight = not self._reserved_requests
            renewal = await self._renew(self._smallest_waiting)
            self._hand_out()
        if not self._waiting:
            return RENEWAL_SECONDS
        turns = (renewal.workers - 1) / CLAIMS_PER_SECOND
        if not has_asked:
            return 0.0  # there may be more
        if renewal.granted.requests:
            return self._wait_before_next_claim(turns)
        if has_none_in_flight and not renewal.others_hold:
            need = self._need(self._smallest_waiting)
            problems = list(shortage(renewal, need, self._budget))
            self._fail_waiting(OverBudget(USED_UP, details=problems))
            return RENEWAL_SECONDS
        return self._wait_before_next_claim(max(POLL_SECONDS, turns))

    def _wait_before_next_claim(self, longest: float) -> float:
        """Return the seconds until the next claim, at random, so that workers don't meet."""
        pause = random.uniform(longest / 2, longest)
        self._denied_until = time.monotonic() + pause
        return pause

    @property
    def _smallest_waiting(self) -> Tokens:
        def size(most: Tokens) -> tuple[int, int]:
            need = self._need(most)
            return need.cost, need.tokens

        return min((waiting.most for waiting in self._waiting), key=size)

    def _hand_out(self) -> None:
        """Grant the reservations that wait, in order, as far as they are in the lease."""
        still_waiting: list[_Waiting] = []
        for waiting in self._waiting:
            if waiting.granted.done():
                continue
            if self._has(waiting.most):
                self._take(waiting.most)
                waiting.granted.set_result(None)
            else:
                still_waiting.append(waiting)
        self._waiting.clear()
        self._waiting.extend(still_waiting)

    def _fail_waiting(self, error: Exception) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.granted.done():
                waiting.granted.set_exception(error)

    async def _renew(self, most: Tokens | None = None) -> Grant:
        """Write what was used into the ledger, and claim what the next seconds need.

        If requests wait, that is at least what the first of them needs, or this one.
        Requests go on using what is free meanwhile, unless some wait or far too much is free: then
        all of that is given back, and granted anew.
        """
        target = self._target_requests()
        free = self._free
        self._is_frozen = bool(self._waiting) or free.requests > 2 * target
        # less than nothing is free if a reply took more than was reserved for it
        kept = Amounts() if self._is_frozen else free.at_least(Amounts())
        if most is None and self._waiting:
            most = self._waiting[0].most
        need = Amounts() if most is None else self._need(most)
        lacking = self._need(self._last_most).times(target) - kept
        claim = Claim(
            name=self._name,
            used=self._used,
            held=self._reserved + kept,
            need=need,
            target=lacking.at_least(need),
            is_preflight=self._is_preflight,
        )

        async def change(ledger: Ledger) -> Grant:
            if self._recorded is not None and ledger == Ledger():
                ledger.rows.add(await self._recorded())
            return grant(ledger, claim, self._limits, time.time())

        self._is_registered = True
        try:
            renewal = await self._document.change(change)
        except BaseException:
            # whether it was written is unknown: what is kept is in the ledger in either case
            self._add_free(kept - free)
            raise
        finally:
            self._is_frozen = False
        self._add_free(kept + renewal.granted - free)
        self._low = self._free.divided(2)
        self._started_before = self._started
        self._renewed_at = time.monotonic()
        # a lease is renewed once half of it is used
        self._lease_seconds = max(LEASE_SECONDS, 2 * renewal.workers / CLAIMS_PER_SECOND)
        return renewal

    def _target_requests(self) -> int:
        """Return how many requests the next seconds need, none if nothing is asked any more."""
        is_idle = self._started == self._started_before and not self._reserved_requests
        if is_idle and not self._waiting:
            return 0
        seconds = max(1.0, time.monotonic() - self._renewed_at)
        recent = (self._started - self._started_before) / seconds
        return max(MIN_LEASE_REQUESTS, len(self._waiting), math.ceil(recent * self._lease_seconds))

    @property
    def _used(self) -> Usage:
        return Usage(
            requests=self._used_requests,
            prompt_tokens=self._used_prompt_tokens,
            completion_tokens=self._used_completion_tokens,
        )

    @property
    def _reserved(self) -> Amounts:
        return Amounts(self._reserved_requests, self._reserved_tokens, self._reserved_cost)

    @property
    def _free(self) -> Amounts:
        if not self.counts_tokens:
            return Amounts(self._free_requests)
        return Amounts(self._free_requests, int(self._free_tokens), int(self._free_cost))

    def _add_free(self, amounts: Amounts) -> None:
        self._free_requests += amounts.requests
        self._free_tokens += amounts.tokens
        self._free_cost += amounts.cost

    async def close(self) -> None:
        """Settle what was used. If the storage fails, the lease stays: an upper bound of it."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if not self._is_registered:
            return

        async def change(ledger: Ledger) -> None:
            ledger.close(self._name, self._used)

        try:
            await self._document.change(change)
        except Exception as error:
            log.warning("the use of a budget could not be settled: %s", error)


@asynccontextmanager
async def open_budget(
    storage: Storage,
    paths: RunPaths,
    budget: BudgetSpec,
    recorded: Recorded | None = None,
    *,
    is_preflight: bool = False,
) -> AsyncGenerator[BudgetLease]:
    """Open a lease of a run's budget, and settle it in the end.

    The ledger isn't touched before the first request. `recorded` returns what the run's journals
    have used: a ledger that was deleted begins with that.
    """
    document = ledger_document(storage, paths)
    lease = BudgetLease(document, budget, recorded, is_preflight=is_preflight)
    try:
        yield lease
    finally:
        await lease.close()
