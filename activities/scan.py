"""scan_dataset: one pass over both splits before the teacher is paid: shards, rejected rows, duplicates, an estimate."""

from __future__ import annotations

from dataclasses import asdict

import azure.durable_functions as df

from activities.names import SCAN_DATASET
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from shared import settings
from shared.account import open_storage
from shared.paths import RunPaths
from shared.plan import RejectedRow, SeenRows, make_plan
from shared.rows import JSON_LINES, as_jsonl

bp = df.Blueprint()


@bp.activity_trigger(input_name="run", activity=SCAN_DATASET)
@returns_permanent_failures
async def scan_dataset(run: Payload) -> Payload:
    """`{run_id, splits}` → counts by split; the plans are blobs. Training rows win over the same rows in validation."""
    paths = RunPaths(run["run_id"])
    found: dict[str, object] = {}
    seen: SeenRows = {}
    rejections: list[RejectedRow] = []
    async with open_storage(settings.current()) as storage:
        spec = await read_spec(storage, paths)
        for split in run["splits"]:
            chunks = storage.stream(paths.input(split))
            plan = await make_plan(split, chunks, spec, seen, rejections)
            await storage.write(paths.plan(split), plan.model_dump_json(exclude_defaults=True).encode())
            found[split] = plan.summary()
        await storage.write(paths.scan_rejected, as_jsonl([asdict(row) for row in rejections]), content_type=JSON_LINES)
    return ok(splits=found)
