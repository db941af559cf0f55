"""Rows a second through teacher generation: this app against its peers and against a client that
does nothing else.

`python -m benchmarks.generate`: everyone asks the same stub teacher (a process of its own) for the
same rows, one after the other in interleaved rounds; medians. Ours is the whole activity: blob in,
journal and staged block out. The stub's own use of its processor is shown as proof that it was not
the limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.environment import peer_python
from benchmarks.harness import measured, serving, start_contender, table, write_results, write_rows
from benchmarks.stub_teacher import MODEL
from local.emulators.azurite import Azurite

CONTENDERS = ("ours", "bare", "curator", "distilabel")
LOCAL_CONTENDERS = ("ours", "bare")


def main() -> None:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.generate")
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument("--rows", type=int, default=20_000, help="for ours and bare")
    flags.add_argument("--peer-rows", type=int, default=2000)
    flags.add_argument("--concurrency", type=int, nargs="+", default=[64, 256])
    flags.add_argument("--latency-ms", type=float, default=50)
    flags.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    options = flags.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Azurite(None, log=Path(folder) / "azurite.log") as storage,
    ):
        runs = [
            run
            for concurrency in options.concurrency
            for _ in range(options.rounds)
            for name in options.contenders
            for run in [
                compete(name, concurrency, options, Path(folder), storage.connection_string)
            ]
        ]
    print(summary(runs))
    write_results("generate", {"latency_ms": options.latency_ms, "rounds": options.rounds}, runs)


def compete(
    name: str, concurrency: int, options: argparse.Namespace, folder: Path, storage: str
) -> dict[str, Any]:
    """One run of one contender, against a teacher of its own."""
    count = options.rows if name in LOCAL_CONTENDERS else options.peer_rows
    rows = folder / f"rows-{count}.jsonl"
    if not rows.exists():
        write_rows(rows, range(count))
    with serving("benchmarks.stub_teacher", "--latency-ms", str(options.latency_ms)) as base_url:
        arguments = [
            "--base-url",
            base_url,
            "--model",
            MODEL,
            "--input",
            str(rows),
            "--concurrency",
            str(concurrency),
        ]
        arguments += [
            "--output",
            str(folder / "answers.jsonl"),
            *(["--storage", storage] if name == "ours" else []),
        ]
        python = sys.executable if name in LOCAL_CONTENDERS else peer_python(name)
        result = measured(start_contender(python, f"{name}.py", arguments))
        with urllib.request.urlopen(base_url) as response:
            teacher = json.load(response)
    run = {
        "contender": name,
        "concurrency": concurrency,
        **result,
        "teacher_busy": teacher["cpu"] / result["seconds"],
    }
    print(
        f"{name} at {concurrency}: {count / result['seconds']:.0f} rows/s",
        file=sys.stderr,
        flush=True,
    )
    return run


def summary(runs: list[dict[str, Any]]) -> str:
    """The medians as a table."""
    lines: list[list[object]] = []
    for concurrency in sorted({run["concurrency"] for run in runs}):
        for name in CONTENDERS:
            of_it = [
                run for run in runs if (run["contender"], run["concurrency"]) == (name, concurrency)
            ]
            if not of_it:
                continue
            rate = statistics.median(run["answered"] / run["seconds"] for run in of_it)
            cpu = statistics.median(run["cpu_seconds"] / run["rows"] for run in of_it) * 1e6
            peak = statistics.median(run["peak_mb"] for run in of_it)
            busy = statistics.median(run["teacher_busy"] for run in of_it)
            lost = sum(run["rows"] - run["answered"] for run in of_it)
            lines.append(
                [
                    concurrency,
                    name,
                    f"{rate:,.0f}",
                    f"{cpu:,.0f}",
                    f"{peak:.0f}",
                    lost,
                    f"{busy:.0%}",
                ]
            )
    head = [
        "in flight",
        "",
        "rows/s",
        "CPU µs a row",
        "peak MB",
        "rows lost",
        "teacher's processor",
    ]
    return table(head, lines)


if __name__ == "__main__":
    main()
