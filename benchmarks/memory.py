"""Memory of a worker by the size of the dataset: the peak of a process that does nothing but answer
shards.

`python -m benchmarks.memory`. Another process has planned the run, so that nothing but the activity
is measured. Ends with exit code 1 when the largest dataset takes a tenth more than the smallest, or
any 250 MB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import measured, serving, table, write_results, write_rows
from benchmarks.worker import start
from local.emulators.azurite import Azurite

MAX_GROWTH, MAX_MEGABYTES = 1.10, 250


def main() -> int:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    flags.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    flags.add_argument("--latency-ms", type=float, default=5)
    flags.add_argument("--concurrency", type=int, default=64)
    options = flags.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Azurite(None, log=Path(folder) / "azurite.log") as storage,
    ):
        runs = [
            measure(count, options, Path(folder), storage.connection_string)
            for count in sorted(options.rows)
        ]
    print(summary(runs))
    write_results(
        "memory", {"latency_ms": options.latency_ms, "concurrency": options.concurrency}, runs
    )
    problems = broken(runs)
    for problem in problems:
        print(f"broken: {problem}", file=sys.stderr)
    return 1 if problems else 0


def measure(count: int, options: argparse.Namespace, folder: Path, storage: str) -> dict[str, Any]:
    """One run of so many rows."""
    rows = folder / f"rows-{count}.jsonl"
    write_rows(rows, range(count))
    teacher = json.dumps({"concurrency": options.concurrency})
    with serving("benchmarks.stub_teacher", "--latency-ms", str(options.latency_ms)) as url:
        planned = measured(start("plan", storage, url, "--input", str(rows), "--teacher", teacher))
        worked = measured(start("work", storage, url, "--run", planned["run"]))
        output = folder / "delivered.txt"
        finished = measured(
            start("finish", storage, url, "--run", planned["run"], "--output", str(output))
        )
    return {"rows": count, "delivered": finished["rows"], "shards": planned["shards"], **worked}


def broken(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Which promises were broken, each in words. `runs` are in order of their rows."""
    problems = [
        f"{run['delivered']} of {run['rows']} rows delivered"
        for run in runs
        if run["delivered"] < run["rows"]
    ]
    problems += [
        f"{run['peak_mb']:.0f} MB for {run['rows']} rows"
        for run in runs
        if run["peak_mb"] > MAX_MEGABYTES
    ]
    growth = runs[-1]["peak_mb"] / runs[0]["peak_mb"]
    if growth > MAX_GROWTH:
        problems.append(
            f"{runs[-1]['rows']} rows take {growth:.2f} times the memory of {runs[0]['rows']}"
        )
    return problems


def summary(runs: Sequence[dict[str, Any]]) -> str:
    """The runs as a table."""
    first = runs[0]["peak_mb"]
    lines = [
        [
            f"{run['rows']:,}",
            run["shards"],
            f"{run['peak_mb']:.1f}",
            f"× {run['peak_mb'] / first:.3f}",
            f"{run['rows'] / run['seconds']:,.0f}",
            run["rows"] - run["delivered"],
        ]
        for run in runs
    ]
    return table(["rows", "shards", "peak MB", "by the first", "rows/s", "rows lost"], lines)


if __name__ == "__main__":
    sys.exit(main())
