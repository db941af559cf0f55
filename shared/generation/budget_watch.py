"""Holds a shard to the budget of its run, by the counts that all journals of the run publish.

Counts are some seconds old, and requests in flight are still paid for, so a run may exceed a limit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.core.errors import ErrorCode, PermanentError, Problem
from shared.core.paths import ASKED_SPLITS, RunPaths
from shared.generation.journal import split_counters
from shared.spec.budget import Usage, over_budget, used_up
from shared.spec.models import BudgetSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

# as much again for each page of the list of journals
CHECK_SECONDS = 5.0
PAGE_SHARDS = 5000


class OverBudget(PermanentError):
    code = ErrorCode.BUDGET


class BudgetWatch:
    """The budget of a run, as one of its shards sees it. `shards`: those of the shard's split."""

    def __init__(self, storage: Storage, paths: RunPaths, budget: BudgetSpec, shards: int) -> None:
        self._storage = storage
        self._paths = paths
        self._budget = budget
        self._seconds = CHECK_SECONDS * (1 + shards // PAGE_SHARDS)
        self._checking = asyncio.Lock()
        self._may_ask = not budget.is_set

    async def check_before_first_row(self) -> None:
        """Raise OverBudget if nothing is left of the budget. Only the first row waits for this."""
        async with self._checking:
            if self._may_ask:
                return
            _raise_for(used_up(await self._run_usage(), self._budget))
            self._may_ask = True

    async def watch(self) -> None:
        """Raise OverBudget once the budget is exceeded. Doesn't end for a run without limits."""
        while True:
            await asyncio.sleep(self._seconds)
            if self._budget.is_set:
                usage = await self._run_usage()
                _raise_for(over_budget(usage, self._budget, estimated=False))

    async def _run_usage(self) -> Usage:
        """Return what all shards of the run have used so far."""
        usage = Usage()
        for split in ASKED_SPLITS:
            counters = await split_counters(self._storage, self._paths, split)
            usage.add(Usage.model_validate(counters, from_attributes=True))
        return usage


def _raise_for(problems: list[Problem]) -> None:
    if problems:
        raise OverBudget("the run's budget is used up", details=problems)
