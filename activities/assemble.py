"""assemble_split: fan-in. Commits the blocks that the shards staged, in input order; no row passes through this function."""

from __future__ import annotations

import azure.durable_functions as df

from activities.names import ASSEMBLE_SPLIT
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from shared.assembly.commit import commit_datasets
from shared.core import settings
from shared.core.errors import TransientError, Unfinished
from shared.core.paths import RunPaths
from shared.core.storage_account import open_storage

bp = df.Blueprint()


@bp.activity_trigger(input_name="work", activity=ASSEMBLE_SPLIT)
@returns_permanent_failures
async def assemble_split(work: Payload) -> Payload:
    """`{run_id, split, shards}` → the split's counters, or `unfinished` when it is to be called again."""
    paths, split = RunPaths(work["run_id"]), work["split"]
    async with open_storage(settings.current()) as storage:
        spec = await read_spec(storage, paths)
        try:
            counters, missing = await commit_datasets(storage, spec, paths, split, work["shards"])
        except Unfinished:
            return Payload(status="unfinished")
    if missing:
        raise TransientError(f"shards {missing} of {split} are not complete")
    return ok(counters=counters.model_dump())
