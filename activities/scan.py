"""What is in the datasets, found before the teacher is paid. Large ones by several activities, see orchestrators/scan.py."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import azure.durable_functions as df

from activities.names import FIND_DOUBLES, FINISH_SCAN, PLAN_RANGE, SCAN_DATASET, SCAN_RANGE
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from shared.core import settings
from shared.core.paths import RunPaths
from shared.core.storage_account import open_storage
from shared.scan.stored_scan import ScanSteps, ranges_of

bp = df.Blueprint()


@asynccontextmanager
async def _steps(work: Payload) -> AsyncGenerator[ScanSteps]:
    """The steps of a run's scan: of all splits, `{run_id, splits}`, or of ranges that are known, `{run_id, ranges}`."""
    paths = RunPaths(work["run_id"])
    async with open_storage(settings.current()) as storage:
        ranges = (
            work["ranges"] if "ranges" in work else await ranges_of(storage, paths, work["splits"])
        )
        yield ScanSteps(
            storage, await read_spec(storage, paths), paths, work.get("round", 0), ranges
        )


@bp.activity_trigger(input_name="run", activity=SCAN_DATASET)
@returns_permanent_failures
async def scan_dataset(run: Payload) -> Payload:
    """`{run_id, splits, round}` → counts by split; the plans are blobs. Training rows win over the same rows in validation."""
    async with _steps(run) as steps:
        return ok(splits=await steps.all())


@bp.activity_trigger(input_name="work", activity=SCAN_RANGE)
@returns_permanent_failures
async def scan_range(work: Payload) -> Payload:
    """`{run_id, ranges, round, split, number}`: check the rows of one range."""
    async with _steps(work) as steps:
        await steps.scan_range(work["split"], work["number"])
    return ok()


@bp.activity_trigger(input_name="work", activity=FIND_DOUBLES)
@returns_permanent_failures
async def find_doubles(work: Payload) -> Payload:
    """`{run_id, ranges, round, number}`: find the doubles among one group of hashes, over all ranges."""
    async with _steps(work) as steps:
        await steps.find_doubles(work["number"])
    return ok()


@bp.activity_trigger(input_name="work", activity=PLAN_RANGE)
@returns_permanent_failures
async def plan_range(work: Payload) -> Payload:
    """`{run_id, ranges, round, split, number}`: write down the shards of one range."""
    async with _steps(work) as steps:
        await steps.plan_range(work["split"], work["number"])
    return ok()


@bp.activity_trigger(input_name="work", activity=FINISH_SCAN)
@returns_permanent_failures
async def finish_scan(work: Payload) -> Payload:
    """`{run_id, ranges, round}` → counts by split, as scan_dataset."""
    async with _steps(work) as steps:
        return ok(splits=await steps.finish())
