"""generate_shard: the teacher's answers for one shard. See shared/shards.py for how."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.names import GENERATE_SHARD
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from activities.stopping import is_stopped
from shared import settings
from shared.account import open_storage
from shared.paths import RunPaths, Split
from shared.plan import PlanReader
from shared.runids import generation_id
from shared.shards import ShardRun, Stopped, Unfinished
from shared.sharing import shared
from shared.spec import RunSpec
from shared.teacher import open_teacher

if TYPE_CHECKING:
    from shared.storage import Storage

# Rows make thousands of objects a second and hardly any circle of references: at Python's own threshold the collector takes a
# tenth of a shard's processor time (benchmarks/generate.py at 256 in flight).
COLLECTOR_THRESHOLD = (10_000, 10, 10)

bp = df.Blueprint()


@dataclass(frozen=True, slots=True)
class _Work:
    """What shards of one split that are in work at the same time share: each reads nothing that another has read."""

    spec: RunSpec
    plan: PlanReader
    unusable: dict[int, int] = field(default_factory=dict[int, int])  # rows by shard: the success ratio is the split's


@asynccontextmanager
async def _read_work(storage: Storage, paths: RunPaths, split: Split) -> AsyncGenerator[_Work]:
    yield _Work(await read_spec(storage, paths), PlanReader(storage, paths, split))


@cache
def _spare_collector() -> None:
    """Once a process: what is imported by now stays, and need not be looked through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLD)


@bp.activity_trigger(input_name="shard", activity=GENERATE_SHARD)
@bp.durable_client_input(client_name="client")
@returns_permanent_failures
async def generate_shard(shard: Payload, client: df.DurableOrchestrationClient) -> Payload:
    """`{run_id, split, index, max_rejected, round}` → ok, `stopped`, `unfinished` when its time was up, or failed when no further
    shard should be tried."""
    run_id, split = shard["run_id"], shard["split"]
    index: int = shard["index"]
    orchestrations = (run_id, generation_id(run_id, split))
    if await is_stopped(client, *orchestrations):
        return Payload(status="stopped")
    paths, own = RunPaths(run_id), settings.current()
    async with open_storage(own) as storage:
        key = ("work", run_id, split, shard.get("round", 0))
        work_of_split = shared(key, lambda: _read_work(storage, paths, split))
        async with work_of_split as common, open_teacher(own, common.spec.teacher, run_id) as teacher:
            _spare_collector()
            work = ShardRun(
                storage=storage,
                teacher=teacher,
                spec=common.spec,
                paths=paths,
                split=split,
                index=index,
                shard=await common.plan.shard(index),
                max_rejected=shard["max_rejected"],
                unusable=common.unusable,
                round=shard.get("round", 0),
                is_stopped=lambda: is_stopped(client, *orchestrations),
            )
            try:
                tally = await work.run()
            except Stopped:
                return Payload(status="stopped")
            except Unfinished:
                return Payload(status="unfinished")
    failed = tally.failed.get(shard.get("round", 0), 0)
    return ok(accepted=tally.accepted, rejected=tally.rejected_rows, failed=failed)
