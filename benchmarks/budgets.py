"""Whether budgets hold: two worker processes share one, and half of the teacher's replies can't be
used, so that rows are asked up to three times.

`python -m benchmarks.budgets`: ten seeds of each limit (requests, tokens, cost), each a run of its
own against a teacher of its own, which answers 5 % of the requests with an error besides. What was
used is counted by the teacher, from its log. A limit is about half of what all rows would take.
The log has no tokens of requests that were answered with an error; the app counts their prompts.

- most in flight, last in flight: requests in flight at a time, at most and when the last was sent
- unrecorded: what the ledger has beyond the journals. It must explain every request that the
  teacher has seen.

Ends with exit code 1 when a limit is exceeded, a request is in no count, or much of a limit is
left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from azure.storage.blob.aio import BlobServiceClient

from benchmarks import worker
from benchmarks.harness import measured, serving, table, write_results, write_rows
from local.emulators.azurite import Azurite
from shared.core.paths import RunPaths
from shared.core.storage import Storage
from shared.generation.journal import split_counters
from shared.spec.budget import Usage, cost
from shared.spec.models import BudgetSpec
from shared.teacher.budget import other_requests, read_ledger

ROWS = 600
WORKERS = 2
ROWS_PER_SHARD = 50
TEACHER = {"concurrency": 32, "max_tokens": 256}
PRICES = {"prompt_price": 2.5, "completion_price": 10}
LIMITS: dict[str, dict[str, float]] = {
    "max_requests": {"max_requests": 500},
    "max_tokens": {"max_tokens": 60_000},
    "max_cost": {"max_cost": 0.2, **PRICES},
}
UNUSABLE = ["--malformed-rate", "0.2", "--empty-rate", "0.15", "--truncated-rate", "0.15"]
FAULTS = ["--error-rate", "0.05", "--latency-ms", "20", "--latency-jitter", "40"]
MOST_LEFT = 0.15
HEAD = [
    "limit",
    "runs",
    "limit is",
    "used: least",
    "median",
    "most",
    "runs above it",
    "most in flight",
    "last in flight",
    "requests unrecorded",
    "in no count",
]


def main() -> int:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.budgets")
    flags.add_argument("--seeds", type=int, default=10)
    flags.add_argument("--limits", nargs="+", choices=list(LIMITS), default=list(LIMITS))
    options = flags.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Azurite(None, log=Path(folder) / "azurite.log") as storage,
    ):
        write_rows(Path(folder) / "rows.jsonl", range(ROWS))
        results = [
            spend(name, seed, Path(folder), storage.connection_string)
            for name in options.limits
            for seed in range(options.seeds)
        ]
    write_results("budgets", {"rows": ROWS, "workers": WORKERS, "teacher": TEACHER}, results)
    print(summary(results))
    problems = [problem for result in results for problem in broken(result)]
    for problem in problems:
        print(f"broken: {problem}", file=sys.stderr)
    return 1 if problems else 0


def spend(name: str, seed: int, folder: Path, storage: str) -> dict[str, Any]:
    """One run until its budget is used up."""
    log = folder / f"{name}-{seed}.log"
    faults = [*UNUSABLE, *FAULTS, "--seed", str(seed)]
    with serving("local.emulators.teacher", *faults, "--log", str(log)) as url:
        arguments = ["--input", str(folder / "rows.jsonl")]
        arguments += ["--rows-per-shard", str(ROWS_PER_SHARD), "--teacher", json.dumps(TEACHER)]
        arguments += ["--budget", json.dumps(LIMITS[name])]
        planned = measured(worker.start("plan", storage, url, *arguments))
        queue = worker.queue_of(planned["shards"])
        run = ("--run", planned["run"])
        processes = [
            worker.start("work", storage, url, *run, "--queue", queue=queue) for _ in range(WORKERS)
        ]
        os.close(queue)
        ends = [end for process in processes for end in measured(process)["ends"]]
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    budget = BudgetSpec.model_validate(LIMITS[name])
    counts = asyncio.run(_counts(storage, planned["run"], budget))
    result = {"limit": name, "seed": seed, "ends": ends, **analysed(records, budget), **counts}
    print(f"{name}, seed {seed}: {result}", file=sys.stderr, flush=True)
    return result


async def _counts(storage: str, run_id: str, budget: BudgetSpec) -> dict[str, Any]:
    """The requests that the run has counted: in records of rows, and besides."""
    async with BlobServiceClient.from_connection_string(storage) as client:
        blobs = Storage(client)
        paths = RunPaths(run_id)
        recorded = await split_counters(blobs, paths, "train")
        other = other_requests(await read_ledger(blobs, paths), [recorded], budget)
    unrecorded = other.unrecorded.requests
    return {"recorded": recorded.requests, "unrecorded": unrecorded}


def analysed(records: Sequence[dict[str, Any]], budget: BudgetSpec) -> dict[str, Any]:
    """What was used, by the teacher's log (`time`, `arrived`, tokens), beside the limit."""
    usage = Usage(
        requests=len(records),
        prompt_tokens=sum(record["prompt_tokens"] for record in records),
        completion_tokens=sum(record["completion_tokens"] for record in records),
    )
    amounts = {
        "max_requests": usage.requests,
        "max_tokens": usage.tokens,
        "max_cost": cost(usage, budget),
    }
    [name] = [name for name in amounts if getattr(budget, name) is not None]
    in_flight = _in_flight(records)
    return {
        "allowed": getattr(budget, name),
        "used": amounts[name],
        "requests": usage.requests,
        "most_in_flight": max(in_flight, default=0),
        "last_in_flight": in_flight[-1] if in_flight else 0,
    }


def _in_flight(records: Sequence[dict[str, Any]]) -> list[int]:
    """The requests in flight whenever one arrived, that one included."""
    if not records:
        return []
    # `time` is that of the clock, `arrived` counts from the teacher's start
    start = min(record["time"] - record["arrived"] for record in records)
    events = [(record["arrived"], 1) for record in records]
    events += [(max(record["time"] - start, record["arrived"]), -1) for record in records]
    counts: list[int] = []
    count = 0
    for _, change in sorted(events):
        count += change
        if change > 0:
            counts.append(count)
    return counts


def broken(result: dict[str, Any]) -> list[str]:
    """What doesn't hold in one run."""
    place = f"{result['limit']}, seed {result['seed']}"
    problems: list[str] = []
    if result["used"] > result["allowed"]:
        problems.append(f"{place}: {result['used']} used of {result['allowed']}")
    if result["used"] < result["allowed"] * (1 - MOST_LEFT):
        problems.append(f"{place}: only {result['used']} used of {result['allowed']}")
    if not result["ends"]:
        problems.append(f"{place}: no shard was ended by the budget")
    if _uncounted(result):
        problems.append(f"{place}: {_uncounted(result)} requests are in no count")
    return problems


def _uncounted(result: dict[str, Any]) -> int:
    return abs(result["requests"] - result["recorded"] - result["unrecorded"])


def summary(results: Sequence[dict[str, Any]]) -> str:
    """A table with a line for each limit."""
    lines: list[list[object]] = []
    for name in LIMITS:
        runs = [result for result in results if result["limit"] == name]
        if not runs:
            continue
        used = [result["used"] for result in runs]
        above = sum(result["used"] > result["allowed"] for result in runs)
        lines.append(
            [
                f"`{name}`",
                len(runs),
                f"{runs[0]['allowed']:,g}" if name != "max_cost" else runs[0]["allowed"],
                *(
                    f"{amount:,.4g}" if name == "max_cost" else f"{amount:,.0f}"
                    for amount in (min(used), statistics.median(used), max(used))
                ),
                above,
                max(result["most_in_flight"] for result in runs),
                max(result["last_in_flight"] for result in runs),
                f"{statistics.median(result['unrecorded'] for result in runs):g}",
                sum(_uncounted(result) for result in runs),
            ]
        )
    return table(HEAD, lines)


if __name__ == "__main__":
    sys.exit(main())
