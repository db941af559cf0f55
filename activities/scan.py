"""The scan: what is in the datasets, found before the teacher is paid.

Small datasets take one activity; large ones several, see orchestrators/scan.py.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import azure.durable_functions as df

from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.runs.activity import implements
from shared.runs.contracts import (
    FIND_DUPLICATES,
    FINISH_SCAN,
    PLAN_RANGE,
    SCAN_DATASET,
    SCAN_RANGE,
    Done,
    GroupStep,
    RangeStep,
    ScannedDatasets,
    ScanRequest,
    ScanSteps,
)
from shared.scan import stored_scan
from shared.scan.stored_scan import ranges_of
from shared.spec.resolution import read_spec

bp = df.Blueprint()


@asynccontextmanager
async def _open_scan(request: ScanRequest | ScanSteps) -> AsyncGenerator[stored_scan.ScanSteps]:
    """Open the run's scan. Without ranges in the request, they are read from storage."""
    paths = RunPaths(request.run_id)
    async with open_storage(current().settings) as storage:
        if isinstance(request, ScanSteps):
            ranges = request.ranges
        else:
            ranges = await ranges_of(storage, paths, request.splits)
        spec = await read_spec(storage, paths)
        yield stored_scan.ScanSteps(storage, spec, paths, request.round, ranges)


@bp.activity_trigger(input_name="request", activity=SCAN_DATASET)
@implements(SCAN_DATASET)
async def scan_dataset(request: ScanRequest) -> ScannedDatasets:
    """Take all splits through every step. Where a row is in both, the one in train counts."""
    async with _open_scan(request) as scan:
        return ScannedDatasets(splits=await scan.all())


@bp.activity_trigger(input_name="request", activity=SCAN_RANGE)
@implements(SCAN_RANGE)
async def scan_range(request: RangeStep) -> Done:
    """Check the rows of one range."""
    async with _open_scan(request) as scan:
        await scan.scan_range(request.split, request.number)
    return Done()


@bp.activity_trigger(input_name="request", activity=FIND_DUPLICATES)
@implements(FIND_DUPLICATES)
async def find_duplicates(request: GroupStep) -> Done:
    """Find the duplicates among one group of hashes, across all ranges."""
    async with _open_scan(request) as scan:
        await scan.find_duplicates(request.number)
    return Done()


@bp.activity_trigger(input_name="request", activity=PLAN_RANGE)
@implements(PLAN_RANGE)
async def plan_range(request: RangeStep) -> Done:
    """Write the plan of one range: its shards and its rejected rows."""
    async with _open_scan(request) as scan:
        await scan.plan_range(request.split, request.number)
    return Done()


@bp.activity_trigger(input_name="request", activity=FINISH_SCAN)
@implements(FINISH_SCAN)
async def finish_scan(request: ScanSteps) -> ScannedDatasets:
    """Write the plan of each split, and delete what the steps handed to each other."""
    async with _open_scan(request) as scan:
        return ScannedDatasets(splits=await scan.finish())
