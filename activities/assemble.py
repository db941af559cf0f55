"""assemble_split: fan-in. Commits the blocks that the shards staged, in input order; no row passes through this function."""

from __future__ import annotations

import azure.durable_functions as df

from activities.names import ASSEMBLE_SPLIT
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from shared import settings
from shared.account import open_storage
from shared.errors import TransientError
from shared.paths import RunPaths
from shared.staging import commit_dataset, commit_holdout, sealed_tallies
from shared.tally import total

bp = df.Blueprint()


@bp.activity_trigger(input_name="work", activity=ASSEMBLE_SPLIT)
@returns_permanent_failures
async def assemble_split(work: Payload) -> Payload:
    """`{run_id, split, shards}` → the split's tally."""
    paths, split = RunPaths(work["run_id"]), work["split"]
    async with open_storage(settings.current()) as storage:
        tallies = await sealed_tallies(storage, paths, split)
        missing = sorted(set(range(work["shards"])) - tallies.keys())
        if missing:
            raise TransientError(f"shards {missing[:10]} of {split} are not complete")
        spec = await read_spec(storage, paths)
        await commit_dataset(storage, spec, paths, split)
        if spec.holdout.fraction and split == "train":
            await commit_holdout(storage, spec, paths)
    return ok(tally=total(tallies.values()).model_dump())
