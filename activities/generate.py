"""generate_shard and abandon_shard: the answers of one shard. See shared/generation/shard.py.

seal_unneeded: the shards of which no row is needed.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import azure.durable_functions as df

from shared.core.counters import Counters
from shared.core.errors import Unfinished
from shared.core.ids import generation_id
from shared.core.paths import RunPaths, Split
from shared.core.process import current
from shared.core.settings import Settings
from shared.core.shared_resources import shared
from shared.core.storage_account import open_storage
from shared.generation.abandoned_shard import complete_abandoned_shard
from shared.generation.answer_size import AnswerSize
from shared.generation.ask_turn import AsksTeacher
from shared.generation.blocks import Staging
from shared.generation.provided_record import NoTeacher
from shared.generation.run_budget import open_run_budget
from shared.generation.shard import ShardRun, Stopped
from shared.generation.unneeded_shards import seal_unneeded_shards
from shared.runs.activity import implements
from shared.runs.contracts import (
    ABANDON_SHARD,
    GENERATE_SHARD,
    SEAL_UNNEEDED,
    AbandonedShard,
    SealedShards,
    ShardOutcome,
    ShardRequest,
    UnneededShards,
)
from shared.runs.control import RunWatch
from shared.scan.plan import PlanReader
from shared.spec.models import RunSpec
from shared.spec.resolution import read_spec
from shared.teacher import Budget, open_teacher
from shared.teacher.budget import MonthEnded, this_month
from shared.teacher.learned import adopt_capabilities
from shared.teacher.left_out import write_left_out

if TYPE_CHECKING:
    from shared.core.storage import Storage

# Rows make thousands of objects a second, and hardly any reference cycles. At Python's default
# threshold the collector takes a tenth of a shard's processor time (benchmarks/generate.py at 256
# requests in flight).
COLLECTOR_THRESHOLD = (10_000, 10, 10)

bp = df.Blueprint()


@dataclass(frozen=True, slots=True)
class _SplitResources:
    """What shards of one split share while they run in the same process."""

    spec: RunSpec
    plan: PlanReader
    unusable: dict[int, int] = field(default_factory=dict[int, int])
    """Rows without a usable answer by shard: the success ratio is the split's."""
    answer_size: AnswerSize = field(default_factory=AnswerSize)


@asynccontextmanager
async def _open_resources(
    storage: Storage, paths: RunPaths, split: Split
) -> AsyncGenerator[_SplitResources]:
    await adopt_capabilities(storage, paths)
    yield _SplitResources(await read_spec(storage, paths), PlanReader(storage, paths, split))


@asynccontextmanager
async def _open_teacher(
    storage: Storage, paths: RunPaths, settings: Settings, spec: RunSpec, budget: Budget
) -> AsyncGenerator[AsksTeacher]:
    """Open the teacher, unless the rows bring their answers: then there may be none.

    In the end, the deployments that were left out are written down for the run's status.
    """
    if spec.answers.are_provided:
        yield NoTeacher()
        return
    async with open_teacher(settings, spec.teacher, paths.run_id, budget=budget) as teacher:
        try:
            yield teacher
        finally:
            await write_left_out(storage, paths, teacher.problems)


@cache
def _spare_collector() -> None:
    """Exempt everything imported so far from garbage collection, once a process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLD)


@bp.activity_trigger(input_name="request", activity=GENERATE_SHARD)
@bp.durable_client_input(client_name="client")
@implements(GENERATE_SHARD)
async def generate_shard(
    request: ShardRequest, client: df.DurableOrchestrationClient
) -> ShardOutcome:
    """Ask the teacher for the shard's missing answers.

    Fails permanently when no further shard of the split should be tried.
    """
    watch = RunWatch(client, request.run_id, [generation_id(request.run_id, request.split)])
    if await watch.must_end():
        return _ended_early(watch)
    try:
        counters = await _generate(request, watch)
    except Stopped:
        return _ended_early(watch)
    except (Unfinished, MonthEnded):
        return ShardOutcome(status="unfinished", parallel=watch.parallel)
    return _outcome(counters, request.round, watch.parallel)


async def _generate(request: ShardRequest, watch: RunWatch) -> Counters:
    """Raises Stopped, Unfinished, MonthEnded."""
    paths = RunPaths(request.run_id)
    app_settings = current().settings
    key = ("split", request.run_id, request.split, request.round)
    # in another month, the month's budget is another one
    budget_key = ("budget", request.run_id, request.round, this_month())
    async with (
        open_storage(app_settings) as storage,
        shared(key, lambda: _open_resources(storage, paths, request.split)) as split,
        shared(
            budget_key, lambda: open_run_budget(storage, paths, split.spec, app_settings)
        ) as budget,
        _open_teacher(storage, paths, app_settings, split.spec, budget) as teacher,
    ):
        _spare_collector()
        run = ShardRun(
            storage=storage,
            teacher=teacher,
            spec=split.spec,
            paths=paths,
            split=request.split,
            index=request.index,
            shard=await split.plan.shard(request.index),
            shards=(await split.plan.plan()).shards,
            max_rejected=request.max_rejected,
            unusable=split.unusable,
            round=request.round,
            needed=request.needed,
            keeps_failed=request.keeps_failed,
            answer_size=split.answer_size,
            is_stopped=watch.must_end,
            redact=current().redact,
        )
        return await run.run()


@bp.activity_trigger(input_name="request", activity=ABANDON_SHARD)
@implements(ABANDON_SHARD)
async def abandon_shard(request: AbandonedShard) -> ShardOutcome:
    """Reject the shard's rows that have no answer."""
    paths = RunPaths(request.run_id)
    async with open_storage(current().settings) as storage:
        spec = await read_spec(storage, paths)
        plan = PlanReader(storage, paths, request.split)
        shards = (await plan.plan()).shards
        counters = await complete_abandoned_shard(
            Staging(storage, spec, paths, request.split, shards),
            request.index,
            await plan.shard(request.index),
            reason=request.reason,
            round_=request.round,
            needed=request.needed,
        )
    return _outcome(counters, request.round)


@bp.activity_trigger(input_name="request", activity=SEAL_UNNEEDED)
@implements(SEAL_UNNEEDED)
async def seal_unneeded(request: UnneededShards) -> SealedShards:
    """Seal the journals of shards that aren't needed, as many as time allows."""
    paths = RunPaths(request.run_id)
    async with open_storage(current().settings) as storage:
        spec = await read_spec(storage, paths)
        plan = PlanReader(storage, paths, request.split)
        next_shard = await seal_unneeded_shards(
            storage, spec, paths, request.split, plan, request.first
        )
    return SealedShards(next=next_shard)


def _outcome(counters: Counters, round_: int, parallel: int | None = None) -> ShardOutcome:
    return ShardOutcome(
        accepted=counters.accepted,
        rejected=counters.rejected_rows,
        contributed=counters.not_held_out,
        failed=counters.failed.get(round_, 0),
        parallel=parallel,
    )


def _ended_early(watch: RunWatch) -> ShardOutcome:
    return ShardOutcome(status="paused" if watch.is_paused else "stopped")
