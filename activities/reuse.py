"""reuse_answers: copies an earlier run's answers into the journals of some shards.

It runs before the teacher is asked; shared/generation/answer_cache.py says how.
"""

from __future__ import annotations

import azure.durable_functions as df

from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.generation.answer_cache import Seeding
from shared.runs.activity import implements
from shared.runs.contracts import REUSE_ANSWERS, ReusedAnswers, ReuseRequest
from shared.spec.resolution import read_spec

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=REUSE_ANSWERS)
@implements(REUSE_ANSWERS)
async def reuse_answers(request: ReuseRequest) -> ReusedAnswers:
    """Process the split's shards from `first` on, as many as fit."""
    paths = RunPaths(request.run_id)
    async with open_storage(current().settings) as storage:
        spec = await read_spec(storage, paths)
        seeding = Seeding(storage, spec, paths, request.split, request.round)
        seeded = await seeding.run(request.first)
    return ReusedAnswers(
        next=seeded.next,
        reused=seeded.reused,
        estimate=seeded.estimate,
    )
