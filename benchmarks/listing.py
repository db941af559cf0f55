"""How long a listing takes: `GET /api/runs?limit=100` of the local app, with 100 runs of which 60
are at work.

`python -m benchmarks.listing`. Ends with exit code 1 if the median listing of 100 runs takes more
than a second.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import host_answer, table, write_results
from local.runtime.client import storage_client
from local.runtime.cloud import LocalCloud
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from shared.runs.status import TERMINAL
from tests.support.app import sums

MOST_SECONDS = 1.0
RUNS = 100
POLL_SECONDS = 5.0
REPETITIONS = 7
SETTLING_SECONDS = 15.0  # until as many shards are answered as the host has slots
LATENCY_MS = 50
ROWS = 4000  # of a run at work: more than it can answer meanwhile


def main() -> int:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.listing")
    flags.add_argument("--at-work", type=int, default=60)
    flags.add_argument("--latency-ms", type=int, default=LATENCY_MS, help="of the teacher")
    options = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cloud_options = CloudOptions(
            data_dir=Path(folder) / "cloud", teacher_options=(f"--latency-ms={options.latency_ms}",)
        )
        with LocalCloud(cloud_options, free_port()) as cloud:
            _upload(cloud)
            ended = [_start(cloud, "none") for _ in range(RUNS - options.at_work)]
            _wait(cloud, set(ended), TERMINAL)
            idle = _measure(cloud)
            working = [_start(cloud, "many") for _ in range(options.at_work)]
            _wait(cloud, set(working), {*TERMINAL, "running"})
            time.sleep(SETTLING_SECONDS)
            busy = _measure(cloud)
    results = [{"runs": "ended only", **idle}, {"runs": f"{options.at_work} at work", **busy}]
    head = ["runs", "listed", "at work", "median s", "least s", "most s"]
    rows = [
        [
            each["runs"],
            each["listed"],
            each["at_work"],
            *(f"{each[name]:.2f}" for name in ("median", "least", "most")),
        ]
        for each in results
    ]
    sys.stdout.write(table(head, rows) + "\n")
    write_results("listing", {"runs": RUNS, **vars(options)}, results)
    if busy["median"] > MOST_SECONDS:
        sys.stderr.write(f"broken: a listing took {busy['median']:.1f} s\n")
        return 1
    return 0


def _upload(cloud: LocalCloud) -> None:
    with storage_client(cloud.endpoints.storage_connection_string) as storage:
        for name, content in (("none", b"{}\n"), ("many", sums(ROWS))):
            blob = storage.get_blob_client("datasets", f"listing/{name}.jsonl")
            blob.upload_blob(content)


def _start(cloud: LocalCloud, name: str) -> str:
    """Start a run: of `none`, which has no usable row and fails, or of `many`."""
    body = {
        "task": "math",
        "train": f"datasets/listing/{name}.jsonl",
        "student": None,
        "teacher": {"concurrency": 1},
        "generation": {"parallel_shards": 1},
    }
    return host_answer(cloud, "POST", "/api/runs", body)["id"]


def _list(cloud: LocalCloud) -> list[dict[str, Any]]:
    return host_answer(cloud, "GET", f"/api/runs?limit={RUNS}", None)["runs"]


def _wait(cloud: LocalCloud, run_ids: set[str], statuses: Any) -> None:
    """Wait until all these runs have such a status."""
    while True:
        runs = [run for run in _list(cloud) if run["id"] in run_ids]
        ready = [run for run in runs if run["status"] in statuses]
        if len(ready) == len(run_ids):
            return
        time.sleep(POLL_SECONDS)


def _measure(cloud: LocalCloud) -> dict[str, Any]:
    seconds: list[float] = []
    runs: list[dict[str, Any]] = []
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        runs = _list(cloud)
        seconds.append(time.perf_counter() - began)
    return {
        "listed": len(runs),
        "at_work": sum(1 for run in runs if run["status"] == "running"),
        "median": statistics.median(seconds),
        "least": min(seconds),
        "most": max(seconds),
    }


if __name__ == "__main__":
    sys.exit(main())
