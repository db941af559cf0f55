"""How well a quota is used: a teacher that enforces requests and tokens a minute as Azure OpenAI does, asked by one worker
process and by three that share it unaware of each other.

`python -m benchmarks.quota`. From the teacher's own log: accepted requests by what the quota allows from the tenth second until
the first worker has no row left, refused by accepted requests from the tenth second on, and the whole time by the quota's bound.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import measured, serving, start_contender, table, write_results, write_rows
from local.azurite import Azurite

WARM_SECONDS = 10
MODEL = "local-teacher"
# name: the teacher's options, rows, rows a second that the quota allows
SCENARIOS: dict[str, tuple[list[str], int, float]] = {
    "3,000 requests a minute": (["--rpm", "3000"], 4500, 50.0),
    "300 requests a minute": (["--rpm", "300"], 450, 5.0),
}


def main() -> None:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.quota")
    flags.add_argument("--workers", type=int, nargs="+", default=[1, 3])
    flags.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    given = flags.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, Azurite(None, log=Path(folder) / "azurite.log") as storage:
        for name in given.scenarios:
            for workers in given.workers:
                result = compete(name, workers, Path(folder), storage.connection_string)
                results.append({"scenario": name, "workers": workers, **result})
    rows = [
        [
            result["scenario"],
            result["workers"],
            f"{result['used']:.1%}",
            f"{result['refused']:.2%}",
            f"{result['time_by_bound']:.3f}",
            result["rows"] - result["answered"],
            result["asked_twice"],
        ]
        for result in results
    ]
    print(table(["quota", "workers", "used", "refused", "time / bound", "rows lost", "asked twice"], rows))
    write_results("quota", {"latency_ms": [500, 1000], "concurrency": 64}, results)


def compete(name: str, workers: int, folder: Path, storage: str) -> dict[str, Any]:
    """One scenario."""
    options, count, rate = SCENARIOS[name]
    log = folder / f"{name}-{workers}.log"
    with serving("local.teacher", "--latency-ms", "500", "--latency-jitter", "500", "--log", str(log), *options) as url:
        processes = [
            start_contender_of(url, folder, storage, range(n * count // workers, (n + 1) * count // workers), n)
            for n in range(workers)
        ]
        finished = [measured(process) for process in processes]
    requests = [json.loads(line) for line in log.read_text().splitlines()]
    answered = sum(result["answered"] for result in finished)
    shared_until = min(result["seconds"] for result in finished)
    return {"rows": count, "answered": answered, **analysed(requests, rate, shared_until)}


def start_contender_of(url: str, folder: Path, storage: str, numbers: range, number: int) -> subprocess.Popen[str]:
    """One worker process with rows of its own."""
    rows = folder / f"rows-{number}.jsonl"
    write_rows(rows, numbers)
    arguments = ["--base-url", url, "--model", MODEL, "--input", str(rows), "--concurrency", "64"]
    arguments += ["--output", str(folder / f"answers-{number}.jsonl"), "--storage", storage, "--rows-per-shard", "64"]
    return start_contender(sys.executable, "ours.py", arguments)


def analysed(requests: Sequence[dict[str, Any]], rate: float, shared_until: float) -> dict[str, Any]:
    """Shares of a quota of `rate` requests a second, from the log's records (`time`, `status`, `request`)."""
    begin = min(record["time"] for record in requests)
    accepted = [(record["time"] - begin, record["request"]) for record in requests if record["status"] == 200]
    refused = [record["time"] - begin for record in requests if record["status"] == 429]
    until = max(shared_until - 1, WARM_SECONDS + 1)
    within = sum(WARM_SECONDS <= moment < until for moment, _ in accepted)
    warm = sum(moment >= WARM_SECONDS for moment, _ in accepted)
    return {
        "used": within / (until - WARM_SECONDS) / rate,
        "refused": sum(moment >= WARM_SECONDS for moment in refused) / max(1, warm),
        "time_by_bound": max(moment for moment, _ in accepted) * rate / len(accepted),
        "asked_twice": len(accepted) - len({request for _, request in accepted}),
    }


if __name__ == "__main__":
    main()
