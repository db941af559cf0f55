"""What the local host's task hub costs: orchestrations of activities that do nothing, and the size
of its file.

`python -m benchmarks.hub`. Ends with exit code 1 when a fan-out of 1,000 activities takes 5 s or
more.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.harness import table, write_results
from local.functions_host.durable.functions import Limits
from tests.support.durable_hub import running

MOST_SECONDS = 5.0  # of 1,000 activities
PARALLEL = 8
PATIENCE = 300.0  # seconds: a slow machine is measured, too


def fan_out(context: Any) -> Generator[Any, Any, int]:
    """All at once."""
    results = yield context.task_all(
        [context.call_activity("nothing", number) for number in range(context.get_input())]
    )
    return len(results)


def window(context: Any) -> Generator[Any, Any, int | None]:
    """Eight at a time, as shards are, and as new after 256."""
    remaining = int(context.get_input())
    todo, running_, done = min(remaining, 256), list[Any](), 0
    while done < min(remaining, 256):
        while todo and len(running_) < PARALLEL:
            running_.append(context.call_activity("nothing", todo))
            todo -= 1
        timer = context.create_timer(context.current_utc_datetime + timedelta(minutes=10))
        finished = yield context.task_any([*running_, timer])
        timer.cancel()
        running_.remove(finished)
        done += 1
    if remaining > done:
        context.continue_as_new(remaining - done)
        return None
    return done


def measure(shape: str, activities: int, folder: Path) -> dict[str, Any]:
    """Seconds of one orchestration, and the bytes of the hub's file after it."""
    folder.mkdir()
    seconds = asyncio.run(timed(shape, activities, folder))
    size = sum(path.stat().st_size for path in folder.glob("hub.sqlite*"))
    return {"shape": shape, "activities": activities, "seconds": seconds, "hub_bytes": size}


async def timed(shape: str, activities: int, folder: Path) -> float:
    async def nothing(_: Any) -> None:
        return None

    limits = Limits(activities=32, orchestrators=8)
    async with running(
        folder, {"fan_out": fan_out, "window": window}, {"nothing": nothing}, limits
    ) as hub:
        began = time.perf_counter()
        await hub.ended(hub.start(shape, activities), PATIENCE)
        return time.perf_counter() - began


def main() -> int:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.hub")
    flags.add_argument("--activities", type=int, nargs="+", default=[250, 1000])
    options = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            measure(shape, count, Path(folder) / f"{shape}-{count}")
            for shape in ("fan_out", "window")
            for count in options.activities
        ]
    head = [
        "orchestration",
        "activities",
        "seconds",
        "ms an activity",
        "hub file",
        "bytes an activity",
    ]
    lines = [
        [
            run["shape"],
            f"{run['activities']:,}",
            f"{run['seconds']:.2f}",
            f"{run['seconds'] / run['activities'] * 1000:.2f}",
            f"{run['hub_bytes'] / 1024:,.0f} KiB",
            f"{run['hub_bytes'] / run['activities']:,.0f}",
        ]
        for run in runs
    ]
    sys.stdout.write(table(head, lines) + "\n")
    write_results("hub", {"parallel": PARALLEL}, runs)
    slow = [
        run
        for run in runs
        if (run["shape"], run["activities"]) == ("fan_out", 1000) and run["seconds"] >= MOST_SECONDS
    ]
    for run in slow:
        sys.stderr.write(
            f"broken: {run['shape']} of {run['activities']} activities "
            f"took {run['seconds']:.1f} s\n"
        )
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
