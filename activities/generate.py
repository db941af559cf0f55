"""generate_shard: the teacher's answers for one shard. See shared/generation/shard.py for how."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.names import GENERATE_SHARD, GIVE_UP_SHARD
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from activities.stopping import Watch
from shared.core import settings
from shared.core.errors import Unfinished
from shared.core.ids import generation_id
from shared.core.paths import RunPaths, Split
from shared.core.shared_resources import shared
from shared.core.storage_account import open_storage
from shared.generation.abandoned_shard import give_up
from shared.generation.shard import ShardRun, Stopped
from shared.scan.plan import PlanReader
from shared.spec.models import RunSpec
from shared.teacher import open_teacher

if TYPE_CHECKING:
    from shared.core.storage import Storage

# Rows make thousands of objects a second and hardly any circle of references: at Python's own threshold the collector takes a
# tenth of a shard's processor time (benchmarks/generate.py at 256 in flight).
COLLECTOR_THRESHOLD = (10_000, 10, 10)

bp = df.Blueprint()


@dataclass(frozen=True, slots=True)
class _Work:
    """What shards of one split that are in work at the same time share: each reads nothing that another has read."""

    spec: RunSpec
    plan: PlanReader
    unusable: dict[int, int] = field(
        default_factory=dict[int, int]
    )  # rows by shard: the success ratio is the split's


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
    """`{run_id, split, index, max_rejected, round}` → ok, `unfinished` when its time was up, `paused`, `stopped`, or failed when no
    further shard should be tried. `parallel`: how many shards at a time the user wants by now, if that was changed."""
    run_id, split = shard["run_id"], shard["split"]
    index: int = shard["index"]
    watch = Watch(client, run_id, [generation_id(run_id, split)])
    if await watch.must_end():
        return _ended_early(watch)
    paths, own = RunPaths(run_id), settings.current()
    async with open_storage(own) as storage:
        key = ("work", run_id, split, shard.get("round", 0))
        work_of_split = shared(key, lambda: _read_work(storage, paths, split))
        async with (
            work_of_split as common,
            open_teacher(own, common.spec.teacher, run_id) as teacher,
        ):
            _spare_collector()
            work = ShardRun(
                storage=storage,
                teacher=teacher,
                spec=common.spec,
                paths=paths,
                split=split,
                index=index,
                shard=await common.plan.shard(index),
                shards=(await common.plan.plan()).shards,
                max_rejected=shard["max_rejected"],
                unusable=common.unusable,
                round=shard.get("round", 0),
                is_stopped=watch.must_end,
            )
            try:
                counters = await work.run()
            except Stopped:
                return _ended_early(watch)
            except Unfinished:
                return Payload(status="unfinished", **_wanted(watch))
    failed = counters.failed.get(shard.get("round", 0), 0)
    return ok(
        accepted=counters.accepted, rejected=counters.rejected_rows, failed=failed, **_wanted(watch)
    )


def _wanted(watch: Watch) -> dict[str, int]:
    return {"parallel": watch.parallel} if watch.parallel else {}


def _ended_early(watch: Watch) -> Payload:
    return Payload(status="paused" if watch.is_paused else "stopped")


@bp.activity_trigger(input_name="shard", activity=GIVE_UP_SHARD)
@returns_permanent_failures
async def give_up_shard(shard: Payload) -> Payload:
    """`{run_id, split, index, round, reason}` → as generate_shard; rows without an answer are rejected for that reason."""
    paths, split, index = RunPaths(shard["run_id"]), shard["split"], shard["index"]
    async with open_storage(settings.current()) as storage:
        spec = await read_spec(storage, paths)
        plan = PlanReader(storage, paths, split)
        planned, shards = await plan.shard(index), (await plan.plan()).shards
        counters = await give_up(
            storage, spec, paths, split, index, planned, shards, shard["reason"], shard["round"]
        )
    return ok(
        accepted=counters.accepted,
        rejected=counters.rejected_rows,
        failed=counters.failed.get(shard["round"], 0),
    )
