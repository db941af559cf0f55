"""assemble_split: fan-in. Commits the blocks that the shards staged, in input order.

No row passes through this function.
"""

from __future__ import annotations

import azure.durable_functions as df

from shared.assembly.commit import commit_datasets
from shared.core.errors import TransientError, Unfinished
from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.runs.activity import implements
from shared.runs.contracts import ASSEMBLE_SPLIT, AssembledSplit, AssembleRequest
from shared.spec.resolution import read_spec

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=ASSEMBLE_SPLIT)
@implements(ASSEMBLE_SPLIT)
async def assemble_split(request: AssembleRequest) -> AssembledSplit:
    """Write the datasets of one split and return its counts."""
    paths = RunPaths(request.run_id)
    async with open_storage(current().settings) as storage:
        spec = await read_spec(storage, paths)
        try:
            counters, missing = await commit_datasets(
                storage, spec, paths, request.split, request.shards
            )
        except Unfinished:
            return AssembledSplit(status="unfinished")
    if missing:
        raise TransientError(f"shards {missing} of {request.split} are not complete")
    return AssembledSplit(counters=counters)
