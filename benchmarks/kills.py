"""What a killed worker costs: `kill -9` at random moments of a run, each time followed by a new
worker, until all is answered.

`python -m benchmarks.kills`. Nothing but blob storage passes from one worker to the next. The
teacher outlives them all; its log tells what was asked twice. Ends with exit code 1 when a row is
lost, or when more was asked twice than was in flight or answered in the last second before each
kill (the journal is flushed every second).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.harness import measured, serving, table, write_results, write_rows
from benchmarks.worker import start
from local.emulators.azurite import Azurite

LATENCY_SECONDS = 0.2
CONCURRENCY = 32  # at most 160 rows/s, so that a run of 5,000 rows is long enough for twenty kills
FLUSH_SECONDS = 1.0
APPEND_SECONDS = 0.25  # that the append of a flush may take until it stands in the journal
LOOK_SECONDS = 0.02


def main() -> int:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.kills")
    flags.add_argument("--rows", type=int, default=5000)
    flags.add_argument("--kills", type=int, default=20)
    flags.add_argument("--seed", type=int, default=1)
    options = flags.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Azurite(None, log=Path(folder) / "azurite.log") as storage,
    ):
        result = run(
            options.rows,
            options.kills,
            Random(options.seed),
            Path(folder),
            storage.connection_string,
        )
    print(summary(result))
    parameters = {
        "seed": options.seed,
        "latency_ms": LATENCY_SECONDS * 1000,
        "concurrency": CONCURRENCY,
    }
    write_results("kills", parameters, result)
    problems = broken(result, options.kills)
    for problem in problems:
        print(f"broken: {problem}", file=sys.stderr)
    return 1 if problems else 0


def run(count: int, kills: int, chance: Random, folder: Path, storage: str) -> dict[str, Any]:
    """One run, killed so many times while rows are in flight."""
    rows, log, output = (folder / name for name in ("rows.jsonl", "teacher.log", "delivered.txt"))
    write_rows(rows, range(count))
    moments: list[float] = []
    with serving(
        "local.emulators.teacher", "--latency-ms", str(LATENCY_SECONDS * 1000), "--log", str(log)
    ) as url:
        teacher = json.dumps({"concurrency": CONCURRENCY})
        planned = measured(start("plan", storage, url, "--input", str(rows), "--teacher", teacher))
        while len(moments) < kills:
            worker = start("work", storage, url, "--run", planned["run"])
            if not asks(worker, log):
                break  # all was done before
            time.sleep(chance.uniform(0.1, 1.8))
            worker.kill()
            moments.append(time.time())
            worker.communicate()
        measured(start("work", storage, url, "--run", planned["run"]))
        measured(start("finish", storage, url, "--run", planned["run"], "--output", str(output)))
    expected = [
        json.loads(line)["messages"][-1]["content"]
        for line in rows.read_text(encoding="utf-8").splitlines()
    ]
    delivered = output.read_text(encoding="utf-8").splitlines()
    requests = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {
        "rows": count,
        "kills": len(moments),
        "lost": len(set(expected) - set(delivered)),
        "in_order": delivered == expected,
        **analysed(requests, moments),
    }


def asks(worker: subprocess.Popen[str], log: Path) -> bool:
    """Wait until the worker has been answered something. False when it ended before."""
    before = log.stat().st_size if log.exists() else 0
    while worker.poll() is None:
        if log.exists() and log.stat().st_size > before:
            return True
        time.sleep(LOOK_SECONDS)
    return False


def analysed(requests: Iterable[dict[str, Any]], kills: Sequence[float]) -> dict[str, int]:
    """What was asked twice, and how much of that the kills excuse, from the log's records (`time`,
    `request`, `status`).

    `time` is when a request was answered or its end noticed, so what was in flight at a kill has
    one shortly after it.
    """
    sent: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    excused = 0
    for record in requests:
        sent[record["request"]] += 1
        answered[record["request"]] += record["status"] == 200
        since, until = FLUSH_SECONDS + APPEND_SECONDS, LATENCY_SECONDS + APPEND_SECONDS
        excused += any(moment - since <= record["time"] <= moment + until for moment in kills)
    return {
        "requests": sent.total(),
        "asked_twice": sent.total() - len(sent),
        "paid_twice": answered.total() - sum(count > 0 for count in answered.values()),
        "excused": excused,
    }


def broken(result: dict[str, Any], kills: int) -> list[str]:
    """Which promises were broken, each in words."""
    problems: list[str] = []
    if result["lost"]:
        problems.append(f"{result['lost']} rows were lost")
    elif not result["in_order"]:
        problems.append("rows were delivered in another order, or more than once")
    if result["asked_twice"] > result["excused"]:
        problems.append(
            f"{result['asked_twice']} requests were repeated, the kills excuse {result['excused']}"
        )
    if result["kills"] < kills:
        problems.append(f"the run was over after {result['kills']} kills: give it more rows")
    return problems


def summary(result: dict[str, Any]) -> str:
    """The run as a table."""
    head = [
        "rows",
        "kills",
        "rows lost",
        "requests",
        "asked twice",
        "of those answered twice",
        "in flight or unflushed",
    ]
    counts = [
        result[name]
        for name in ("rows", "kills", "lost", "requests", "asked_twice", "paid_twice", "excused")
    ]
    return table(head, [counts])


if __name__ == "__main__":
    sys.exit(main())
