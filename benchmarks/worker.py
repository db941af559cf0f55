"""This app's activities in processes of their own, as a function app has them: one plans a run,
others work at its shards.

Only blob storage passes from one to the next. `python -m benchmarks.worker plan …` prints the run's
id; `work` executes every shard that is not complete, several at a time, and prints what it took
(with `--queue`: those whose numbers it gets from standard input, a pipe that several workers share
as function apps share the hub's queue); `finish` assembles the dataset.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, cast

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from local.bootstrap import ROOT
from local.runtime.proxies import loopback_without_proxy
from shared.assembly.commit import sealed
from shared.core.paths import DATASETS, RUNS, RunPaths
from shared.core.storage import Storage
from shared.scan.plan import PlanReader
from tests.support.activity_runs import AppRun

PARALLEL_SHARDS = 8
QUEUED_BYTES = 8  # of one shard's number: a pipe holds thousands, and each read takes a whole one


def start(
    command: str,
    storage: str,
    teacher: str,
    *arguments: str,
    queue: int | None = None,
    log: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """One such process.

    Its environment is all that it knows of storage and teacher; `environment` comes on top of it.
    `log`: for what it complains of.
    """
    variables = {
        **os.environ,
        **loopback_without_proxy(os.environ),
        "PYTHONPATH": str(ROOT),
        "DISTILLATION_STORAGE": storage,
        "TEACHER_BASE_URL": teacher,
        "TEACHER_API_KEY": "none",
        "TEACHER_MODEL": "local-teacher",
        "STUDENT_MODEL": "azureml://registries/r/models/m/versions/1",
        **{
            f"AZUREML_{name}": "none" for name in ("SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE")
        },
        **(environment or {}),
    }
    arguments = (sys.executable, "-m", "benchmarks.worker", command, *arguments)
    return subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=variables,
        stdin=queue,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )


def queue_of(shards: int) -> int:
    """A pipe from which each worker takes the next shard's number; its end to read from."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(b"%*d" % (QUEUED_BYTES, index) for index in range(shards)))
    os.close(writing)
    return reading


def _queued() -> Iterator[int]:
    while taken := os.read(sys.stdin.fileno(), QUEUED_BYTES):
        yield int(taken)


def peak_megabytes() -> float:
    """The most memory that this process itself has had: `ru_maxrss` may be that of the process it
    was forked from.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@asynccontextmanager
async def _storage() -> AsyncGenerator[Storage]:
    async with BlobServiceClient.from_connection_string(
        os.environ["DISTILLATION_STORAGE"]
    ) as client:
        for container in (DATASETS, RUNS):
            with contextlib.suppress(ResourceExistsError):
                await cast(Any, client).create_container(container)
        yield Storage(client)


async def plan(options: argparse.Namespace) -> dict[str, Any]:
    """Upload the rows, and do all that comes before the teacher."""
    async with _storage() as storage:
        run = AppRun(
            storage,
            rows_per_shard=options.rows_per_shard,
            teacher=json.loads(options.teacher),
            budget=json.loads(options.budget),
        )
        scanned = await run.begin(options.input.read_bytes())
        return {"run": run.paths.run_id, **scanned["splits"]["train"]}


async def answer_shards(options: argparse.Namespace) -> dict[str, Any]:
    """Every shard that is not complete, a few at a time."""
    async with _storage() as storage:
        run = await _opened(storage, options.run)
        complete = {index async for index, _ in sealed(storage, run.paths, "train")}
        waiting = _queued() if options.queue else iter(range(run.shards["train"]))

        async def take() -> None:
            for index in waiting:
                if index in complete:
                    continue
                generated = await run.generate(index)
                if generated["status"] == "failed" and generated["error"]["code"] == "budget":
                    ends.append("budget")
                    return
                if generated["status"] != "ok":
                    raise SystemExit(f"shard {index}: {generated}")

        ends: list[str] = []
        began = time.perf_counter()
        await asyncio.gather(*[take() for _ in range(PARALLEL_SHARDS)])
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "peak_mb": peak_megabytes(), "ends": ends}


async def finish(options: argparse.Namespace) -> dict[str, Any]:
    """Assemble; the ids of the delivered rows' questions, in order, go to a file."""
    async with _storage() as storage:
        run = await _opened(storage, options.run)
        assembled = await run.assemble()
        rows = await storage.read_lines(run.paths.dataset("train"))
        options.output.write_text(
            "".join(f"{row['messages'][-2]['content']}\n" for row in rows), encoding="utf-8"
        )
        return {"rows": len(rows), "counters": assembled["counters"]}


async def _opened(storage: Storage, run_id: str) -> AppRun:
    """A run that another process has planned."""
    run = AppRun(storage)
    run.paths = RunPaths(run_id)
    run.splits.append("train")
    run.shards = {"train": (await PlanReader(storage, run.paths, "train").plan()).shards}
    return run


def main() -> None:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.worker")
    commands = flags.add_subparsers(required=True)
    planning = commands.add_parser("plan")
    planning.set_defaults(do=plan)
    planning.add_argument("--input", type=Path, required=True)
    planning.add_argument("--rows-per-shard", type=int, default=512)
    planning.add_argument(
        "--teacher", default="{}", help="JSON: that section of the run's specification"
    )
    planning.add_argument("--budget", default="{}", help="JSON: likewise")
    working = commands.add_parser("work")
    working.set_defaults(do=answer_shards)
    working.add_argument("--queue", action="store_true")
    finishing = commands.add_parser("finish")
    finishing.set_defaults(do=finish)
    finishing.add_argument("--output", type=Path, required=True)
    for command in (working, finishing):
        command.add_argument("--run", required=True)
    options = flags.parse_args()
    print(json.dumps(asyncio.run(options.do(options))))


if __name__ == "__main__":
    main()
