"""Opens the budgets of a run: its own, which counts what its journals have, and the month's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shared.core.counters import total
from shared.core.paths import ASKED_SPLITS, RunPaths
from shared.core.settings import Settings
from shared.generation.journal import split_counters
from shared.spec.budget import Usage
from shared.spec.models import RunSpec
from shared.teacher.budget import Budget, open_budget, open_monthly_budget

if TYPE_CHECKING:
    from shared.core.storage import Storage


@asynccontextmanager
async def open_run_budget(
    storage: Storage,
    paths: RunPaths,
    spec: RunSpec,
    settings: Settings,
    *,
    is_preflight: bool = False,
) -> AsyncGenerator[Budget]:
    """Open a lease of a run's budget and, if the app has one, of the month's.

    Neither ledger is touched before the first request. Raises InvalidInput if the app has a monthly
    budget, but the run's teacher no price.
    """

    async def recorded() -> Usage:
        return await _recorded(storage, paths)

    async with (
        open_budget(storage, paths, spec.budget, recorded, is_preflight=is_preflight) as run,
        open_monthly_budget(storage, spec, settings, run) as budget,
    ):
        yield budget


async def _recorded(storage: Storage, paths: RunPaths) -> Usage:
    """Return what the journals of a run have used."""
    counters = [await split_counters(storage, paths, split) for split in ASKED_SPLITS]
    return Usage.model_validate(total(counters), from_attributes=True)
