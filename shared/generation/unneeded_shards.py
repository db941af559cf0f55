"""Shards after the one that completes `quality.target_rows`: sealed, with all rows not needed.

So every later stage finds a complete journal for each shard, as in any other run. Answers that a
journal has from an earlier round or run stay there.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from shared.core.backoff import WORK_SECONDS
from shared.core.paths import RunPaths, Split
from shared.generation.blocks import holdout
from shared.generation.journal import Journal
from shared.scan.plan import PlanReader, Shard
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

SHARDS_AT_ONCE = 16


async def seal_unneeded_shards(
    storage: Storage, spec: RunSpec, paths: RunPaths, split: Split, plan: PlanReader, first: int
) -> int:
    """Seal the shards of a split from `first` on, and return the first that was not sealed.

    It stops when its time is up, but not before it has sealed some. Idempotent.
    """
    deadline = time.monotonic() + WORK_SECONDS
    is_held_out = holdout(spec, split)

    async def seal(index: int, shard: Shard) -> None:
        name = paths.journal(split, index)
        journal = await Journal.open(storage, name, shard.rows, is_held_out)
        journal.limit(0)
        await journal.seal()

    shards = (await plan.plan()).shards
    for start in range(first, shards, SHARDS_AT_ONCE):
        if start > first and time.monotonic() > deadline:
            return start
        indices = range(start, min(shards, start + SHARDS_AT_ONCE))
        await asyncio.gather(*[seal(index, await plan.shard(index)) for index in indices])
    return shards
