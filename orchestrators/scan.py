"""Scan: one activity for small datasets; for large ones `scan_ranges` fans out over ranges.

What its steps do: shared/scan/range_scan.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import azure.durable_functions as df

from orchestrators.durable.context import Context
from orchestrators.durable.edge import ContinueAsNew, Steps, implements
from orchestrators.durable.sliding_window import SlidingWindow
from orchestrators.durable.waiting import RunFailed, call, first_of, start
from orchestrators.durable.window_items import End, Launch, Then
from orchestrators.root import Root
from shared.core.errors import ErrorData
from shared.core.ids import scanning_id
from shared.core.paths import Split
from shared.runs.contracts import (
    FIND_DUPLICATES,
    FINISH_SCAN,
    PLAN_RANGE,
    SCAN_DATASET,
    SCAN_RANGE,
    SCAN_RANGES,
    Done,
    GroupStep,
    RangesScanned,
    RangeStep,
    ScanRanges,
    ScanRequest,
    ScanSteps,
    WindowState,
)
from shared.runs.wire import Failed
from shared.scan.plan import SplitScan

RANGES_AT_ONCE = 4
"""Ranges scanned by one activity: a minute or two."""
PARALLEL_RANGES = 16
STEPS = (SCAN_RANGE, FIND_DUPLICATES, PLAN_RANGE)

bp = df.Blueprint()


def scan_datasets(root: Root, ranges: dict[Split, int]) -> Steps[dict[Split, SplitScan]]:
    """Scan the datasets, and show what is planned. Return what was found, by split."""
    root.enter("scan")
    if sum(ranges.values()) > RANGES_AT_ONCE:
        scans = yield from _scan_by_ranges(root, ranges)
    else:
        request = ScanRequest(run_id=root.run_id, round=root.round, splits=root.splits)
        scanned = yield from root.call(SCAN_DATASET, request)
        scans = scanned.splits
    for split, scan in scans.items():
        root.status.show_scan(split, scan)
    return scans


def _scan_by_ranges(root: Root, ranges: dict[Split, int]) -> Steps[dict[Split, SplitScan]]:
    """Scan large inputs. A scan takes minutes; a cancellation takes effect after it."""
    request = ScanRanges(run_id=root.run_id, round=root.round, ranges=ranges)
    scanning = start(root.context, SCAN_RANGES, request, scanning_id(root.run_id))
    while not scanning.is_completed:
        yield from first_of(root.context, [scanning.task])
    scanned = scanning.output()
    if scanned.error is not None:
        raise RunFailed(scanned.error)
    return scanned.splits


@bp.orchestration_trigger(context_name="context", orchestration=SCAN_RANGES)
@implements(SCAN_RANGES, lambda request: scanning_id(request.run_id))
def scan_ranges(
    context: Context, request: ScanRanges
) -> Steps[RangesScanned | ContinueAsNew[ScanRanges]]:
    """Take all ranges through one step after the other."""
    window = SlidingWindow(context, _RangeItems(request), request.window)
    yield from window.run()
    if window.ending is not None:
        return RangesScanned(status="failed", error=window.ending)
    if not window.is_complete:
        return ContinueAsNew(request.model_copy(update={"window": window.state}))
    if request.step + 1 < len(STEPS):
        next_step = {"step": request.step + 1, "window": WindowState()}
        return ContinueAsNew(request.model_copy(update=next_step))
    steps = ScanSteps(run_id=request.run_id, round=request.round, ranges=request.ranges)
    try:
        finished = yield from call(context, FINISH_SCAN, steps)
    except RunFailed as failure:
        return RangesScanned(status="failed", error=failure.error)
    return RangesScanned(status="ok", splits=finished.splits)


@dataclass(frozen=True)
class _Range:
    split: Split
    number: int


class _RangeItems:
    """The ranges of all splits in one step; groups of hashes in the step that finds duplicates."""

    parallel = PARALLEL_RANGES

    def __init__(self, request: ScanRanges) -> None:
        self._request = request
        self._ranges: list[_Range] = []
        for split, count in request.ranges.items():
            self._ranges += [_Range(split, number) for number in range(count)]

    @property
    def count(self) -> int:
        return len(self._ranges)

    def launch(self, number: int) -> Launch[Done]:
        request = self._request
        step = STEPS[request.step]
        if step == FIND_DUPLICATES:
            group = GroupStep(
                run_id=request.run_id, round=request.round, ranges=request.ranges, number=number
            )
            return Launch(step, group)
        item = self._ranges[number]
        range_ = RangeStep(
            run_id=request.run_id,
            round=request.round,
            ranges=request.ranges,
            split=item.split,
            number=item.number,
        )
        return Launch(step, range_)

    def handle_output(self, number: int, output: Done | Failed) -> Then | End[ErrorData]:
        return End(output.error) if isinstance(output, Failed) else Then.DONE

    def handle_exhausted(self, number: int, error: ErrorData) -> Then | End[ErrorData]:
        return End(error)
