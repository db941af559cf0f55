"""How a run grows with its dataset: the whole app on the local host, from the request to the
report, with an instant teacher.

`python -m benchmarks.scale`; `--rows 1000 10000 100000 1000000` for a million. For each size:
seconds by stage, history of the root and of all its parts, storage by row, the host's peak memory.
The root's history is told without its looks at progress, whose number grows with the logarithm of a
run's time, and their number beside it. docs/scale.md turns the counts into costs. Ends with exit
code 1 when something that must not grow has grown.

Runs are started by HTTP: a blob trigger hands the whole dataset through the process, whatever the
app does with it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import serving, table, write_results, write_rows
from benchmarks.stub_teacher import MODEL
from local.runtime.client import storage_client
from local.runtime.cloud import LocalCloud
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from shared.core.ids import parts_of
from shared.runs.contracts import READ_PROGRESS
from shared.runs.status import TERMINAL
from tests.support.azureml import ask

NAME = "math/scale/rows.jsonl"
POLL_SECONDS = 0.1
OF_THE_DATA = ("scan", "generate", "assemble", "report")  # the other stages wait for services
MOST_GROWTH = {
    "microseconds_a_row": 1.15,
    "bytes_a_row": 1.15,
    "peak_mb": 1.10,
    "root_history": 1.10,
}


def main() -> int:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    flags.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    flags.add_argument("--concurrency", type=int, default=64)
    options = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            measure(count, options.concurrency, Path(folder) / str(count))
            for count in sorted(options.rows)
        ]
    sys.stdout.write(summary(runs) + "\n")
    write_results("scale", {"concurrency": options.concurrency}, runs)
    problems = broken(runs)
    for problem in problems:
        sys.stderr.write(f"broken: {problem}\n")
    return 1 if problems else 0


def measure(count: int, concurrency: int, folder: Path) -> dict[str, Any]:
    """One run of so many rows, on a cloud of its own."""
    folder.mkdir(parents=True)
    rows = folder / "rows.jsonl"
    write_rows(rows, range(count))
    request = {"task": "math", "train": f"datasets/{NAME}", "teacher": {"concurrency": concurrency}}
    with serving("benchmarks.stub_teacher", "--latency-ms", "1") as teacher:
        options = CloudOptions(
            data_dir=folder / "cloud",
            teacher_url=teacher,
            teacher_model=MODEL,
            teacher_key="none",
            azureml_options=("--pace=1",),
        )
        with LocalCloud(options, free_port()) as cloud:
            with storage_client(cloud.endpoints.storage_connection_string) as storage:
                storage.get_blob_client("datasets", NAME).upload_blob(
                    rows.read_bytes(), max_concurrency=1
                )
            key = {
                "Content-Type": "application/json",
                "x-functions-key": cloud.endpoints.function_key,
            }
            status, started, _ = ask(f"{cloud.endpoints.host_url}/api/runs", "POST", request, **key)
            assert status == 202, started
            run_id = started["id"]
            process = _host(options.data_dir)
            view, stages, peaks = follow(cloud, run_id, process)
            if view["status"] != "completed":
                raise SystemExit(f"{count} rows: {view['status']}: {view['error']}")
            with storage_client(cloud.endpoints.storage_connection_string) as storage:
                blobs = list(
                    storage.get_container_client("runs").list_blobs(name_starts_with=f"{run_id}/")
                )
            root = _history(cloud, run_id)
            looks = [event for event in root if event.get("FunctionName") == READ_PROGRESS]
            besides = [
                event
                for event in root
                if event not in looks and not event["EventType"].startswith("Timer")
            ]
            parts = sum(len(json.dumps(_history(cloud, part))) for part in parts_of(run_id))
            hub = sum(path.stat().st_size for path in options.data_dir.glob("*.sqlite*"))
            peak = _peak_megabytes(process)
    seconds = sum(stages.get(stage, 0.0) for stage in OF_THE_DATA)
    return {
        "rows": count,
        "accepted": view["splits"]["train"]["accepted"],
        "shards": view["splits"]["train"]["shards"],
        "stages": stages,
        "microseconds_a_row": seconds / count * 1e6,
        "bytes_a_row": sum(blob.size for blob in blobs) / count,
        "root_history": len(json.dumps(besides)),
        "looks": len(looks),
        "parts_history": parts,
        "hub_bytes": hub,
        "peak_mb": peak,
        "peak_mb_by_stage": peaks,
    }


def follow(
    cloud: LocalCloud, run_id: str, process: Path
) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """The run's last view, the seconds of each stage, and the host's peak by then in MB."""
    stages: dict[str, float] = {}
    peaks: dict[str, float] = {}
    last = time.monotonic()
    while True:
        status, view, _ = ask(
            f"{cloud.endpoints.host_url}/api/runs/{run_id}",
            "GET",
            None,
            **{"x-functions-key": cloud.endpoints.function_key},
        )
        now = time.monotonic()
        if status == 200:
            stages[view["stage"]] = stages.get(view["stage"], 0.0) + now - last
            peaks[view["stage"]] = _peak_megabytes(process)
            if view["status"] in TERMINAL:
                return view, stages, peaks
        last = now
        time.sleep(POLL_SECONDS)


def broken(runs: Sequence[dict[str, Any]]) -> list[str]:
    """What has grown that must not, from the second size to the last; and the root's history from
    the first.
    """
    problems = [
        f"{run['accepted']} of {run['rows']} rows accepted"
        for run in runs
        if run["accepted"] < run["rows"]
    ]
    for name, most in MOST_GROWTH.items():
        first = (
            runs[0]
            if name == "root_history" or len(runs) == 1
            else runs[-2]
            if len(runs) == 2
            else runs[1]
        )
        growth = runs[-1][name] / first[name]
        if growth > most:
            problems.append(
                f"{name}: {growth:.2f} times from {first['rows']:,} to {runs[-1]['rows']:,} rows, "
                f"{most} at most"
            )
    return problems


def summary(runs: Sequence[dict[str, Any]]) -> str:
    """The runs as a table."""
    head = [
        "rows",
        "shards",
        "scan s",
        "generate s",
        "assemble s",
        "report s",
        "µs a row",
        "bytes a row",
    ]
    head += ["root history", "looks", "its parts'", "hub file", "peak MB"]
    lines = [
        [
            f"{run['rows']:,}",
            run["shards"],
            *(f"{run['stages'].get(stage, 0):.1f}" for stage in OF_THE_DATA),
            f"{run['microseconds_a_row']:,.0f}",
            f"{run['bytes_a_row']:,.0f}",
            f"{run['root_history']:,} B",
            run["looks"],
            f"{run['parts_history']:,} B",
            f"{run['hub_bytes'] / 1024:,.0f} KiB",
            f"{run['peak_mb']:.0f}",
        ]
        for run in runs
    ]
    return table(head, lines)


def _history(cloud: LocalCloud, instance_id: str) -> list[Any]:
    url = f"{cloud.endpoints.host_url}/runtime/webhooks/durabletask/instances/{instance_id}"
    query = f"?showHistory=true&showHistoryOutput=true&code={cloud.endpoints.system_key}"
    status, body, _ = ask(url + query, "GET")
    return body.get("historyEvents") or [] if status == 200 else []


def _host(data_dir: Path) -> Path:
    """The `/proc` folder of the process that holds the host's lock."""
    lock = (data_dir / "host.lock").resolve()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(link.resolve() == lock for link in (process / "fd").iterdir()):
                return process
        except OSError:
            continue
    raise LookupError(f"no process holds {lock}")


def _peak_megabytes(process: Path) -> float:
    for line in (process / "status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("no VmHWM")


if __name__ == "__main__":
    sys.exit(main())
