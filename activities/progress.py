"""read_progress: the counts of a run, summed from its journals' metadata in one listing a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.names import READ_PROGRESS
from activities.outcome import Payload, ok, returns_permanent_failures
from shared.core import settings
from shared.core.counters import Counters, total
from shared.core.paths import RunPaths, Split
from shared.core.storage_account import open_storage

if TYPE_CHECKING:
    from shared.core.storage import Storage

bp = df.Blueprint()


@bp.activity_trigger(input_name="run", activity=READ_PROGRESS)
@returns_permanent_failures
async def read_progress(run: Payload) -> Payload:
    """`{run_id, splits}` → counters by split."""
    paths = RunPaths(run["run_id"])
    async with open_storage(settings.current()) as storage:
        by_split = {
            split: (await split_counters(storage, paths, split)).model_dump()
            for split in run["splits"]
        }
    return ok(splits=by_split)


async def split_counters(storage: Storage, paths: RunPaths, split: Split) -> Counters:
    """Sum of the by_split of a split's journals, finished or not."""
    counters = Counters()
    async for _, metadata in storage.metadata_under(paths.journals(split)):
        counters = total([counters, Counters.from_metadata(metadata)])
    return counters
