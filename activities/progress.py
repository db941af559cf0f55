"""read_progress: the counts of a run, summed from its journals' metadata in one listing a split."""

from __future__ import annotations

import azure.durable_functions as df

from shared.core.counters import Counters
from shared.core.paths import RunPaths, Split
from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.generation.journal import split_counters
from shared.runs.activity import implements
from shared.runs.contracts import READ_PROGRESS, Progress, ProgressRequest
from shared.teacher.left_out import read_left_out

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=READ_PROGRESS)
@implements(READ_PROGRESS)
async def read_progress(request: ProgressRequest) -> Progress:
    """Return the counters of each split, and which deployments of the teacher were left out."""
    paths = RunPaths(request.run_id)
    counters: dict[Split, Counters] = {}
    app_settings = current().settings
    async with open_storage(app_settings) as storage:
        for split in request.splits:
            counters[split] = await split_counters(storage, paths, split)
        warnings: list[str] = []
        if len(app_settings.endpoints) > 1:
            warnings = await read_left_out(storage, paths)
    return Progress(splits=counters, warnings=warnings)
