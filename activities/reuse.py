"""reuse_answers: an earlier run's answers into the journals of some shards, before the teacher
is asked. See shared/generation/answer_cache.py."""

from __future__ import annotations

from dataclasses import asdict

import azure.durable_functions as df

from activities.names import REUSE_ANSWERS
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from shared.core import settings
from shared.core.paths import RunPaths
from shared.core.storage_account import open_storage
from shared.generation.answer_cache import Seeding

bp = df.Blueprint()


@bp.activity_trigger(input_name="work", activity=REUSE_ANSWERS)
@returns_permanent_failures
async def reuse_answers(work: Payload) -> Payload:
    """`{run_id, split, first, round}` → `{next, reused, keyless, estimate}` of the shards from `first` up to `next`."""
    paths = RunPaths(work["run_id"])
    async with open_storage(settings.current()) as storage:
        spec = await read_spec(storage, paths)
        seeded = await Seeding(storage, spec, paths, work["split"], work["round"]).run(
            work["first"]
        )
    return ok(**{**asdict(seeded), "estimate": seeded.estimate.model_dump()})
