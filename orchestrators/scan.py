"""scan_ranges: fan-out over the ranges of large inputs, step by step. What the steps do: shared/scan/range_scan.py."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.names import FIND_DOUBLES, FINISH_SCAN, PLAN_RANGE, SCAN_RANGE
from orchestrators.durable.context import Context
from orchestrators.durable.sliding_window import Window
from orchestrators.durable.waiting import RunFailed, call

SCAN_RANGES = "scan_ranges"
STEPS = (SCAN_RANGE, FIND_DOUBLES, PLAN_RANGE)
PARALLEL_RANGES = 16

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=SCAN_RANGES)
def scan_ranges(context: Context) -> Generator[Any, Any, dict[str, Any] | None]:
    """`{run_id, ranges, round, step, first}` → `{status, splits}` as of one scan, or failed with the first error.

    `ranges`: how many each split has. There are as many groups of hashes, so that each step has as much to do.
    """
    work: dict[str, Any] = context.get_input()
    handed: dict[str, Any] = {key: work[key] for key in ("run_id", "ranges", "round")}
    ranges: dict[str, int] = work["ranges"]
    places = [(split, number) for split, count in ranges.items() for number in range(count)]
    step: int = work["step"]
    first: int = work["first"]

    def launch(number: int) -> tuple[str, dict[str, Any]]:
        split, place = places[number]
        if STEPS[step] == FIND_DOUBLES:
            return FIND_DOUBLES, {**handed, "number": number}
        return STEPS[step], {**handed, "split": split, "number": place}

    window = Window(context, launch, len(places), first, PARALLEL_RANGES)
    window.carry(work)
    yield from window.work()
    if window.ending is not None:
        return window.ending
    if not window.is_complete:
        context.continue_as_new({**work, **window.carried()})
        return None
    if step + 1 < len(STEPS):
        context.continue_as_new({**handed, "step": step + 1, "first": 0})
        return None
    try:
        finished: dict[str, Any] = yield from call(context, FINISH_SCAN, handed)
    except RunFailed as failure:
        return {"status": "failed", "error": failure.error}
    return finished
