"""read_first_wave: what became of the rows that were asked first."""

from __future__ import annotations

import azure.durable_functions as df

from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.generation.first_wave import read_first_rows
from shared.runs.activity import implements
from shared.runs.contracts import READ_FIRST_WAVE, FirstWave, FirstWaveRequest
from shared.spec.resolution import read_spec

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=READ_FIRST_WAVE)
@implements(READ_FIRST_WAVE)
async def read_first_wave(request: FirstWaveRequest) -> FirstWave:
    """Return the outcome of the rows in the first shards of the training set."""
    paths = RunPaths(request.run_id)
    async with open_storage(current().settings) as storage:
        spec = await read_spec(storage, paths)
        rows = await read_first_rows(storage, spec, paths, request.shards, request.round)
    return FirstWave(rows=rows)
