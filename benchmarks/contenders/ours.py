"""This app's `generate_shard` activities, from the dataset in blob storage to journals and staged
blocks.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import time
from pathlib import Path
from typing import Any, cast

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from shared.core.paths import DATASETS, RUNS
from shared.core.storage import Storage
from tests.support.activity_runs import AppRun


async def generate(arguments: argparse.Namespace) -> dict[str, Any]:
    """One run of the dataset: planned, then its shards executed as a worker process does, several
    at a time.

    Timed: the shards.
    """
    async with BlobServiceClient.from_connection_string(arguments.storage) as client:
        for container in (DATASETS, RUNS):
            with contextlib.suppress(ResourceExistsError):
                await cast(Any, client).create_container(container)
        options = json.loads(arguments.options)
        teacher = {
            "model": arguments.model,
            "max_tokens": 256,
            "concurrency": arguments.concurrency,
        }
        options["teacher"] = {**teacher, **options.get("teacher", {})}
        run = AppRun(Storage(client), rows_per_shard=arguments.rows_per_shard, **options)
        await run.begin(arguments.input.read_bytes())
        waiting = iter(range(run.shards["train"]))

        async def answer_shards() -> None:
            for index in waiting:
                generated = await run.generate(index)
                if generated["status"] != "ok":
                    raise SystemExit(f"shard {index}: {generated}")

        before, begun = _cpu_seconds(), time.perf_counter()
        await asyncio.gather(*[answer_shards() for _ in range(arguments.parallel)])
        seconds, cpu = time.perf_counter() - begun, _cpu_seconds() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        await run.assemble()
        rows = await run.storage.read_lines(run.paths.dataset("train"))
        arguments.output.write_text("".join(json.dumps(row) + "\n" for row in rows))
        progress = (await run.progress())["train"]
    return {
        "rows": progress["rows"],
        "answered": len(rows),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": peak,
        "requests": progress["requests"],
    }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    flags = argparse.ArgumentParser()
    flags.add_argument("--base-url", required=True)
    flags.add_argument("--model", required=True)
    flags.add_argument("--input", type=Path, required=True)
    flags.add_argument("--concurrency", type=int, default=64)
    flags.add_argument("--output", type=Path, required=True)
    flags.add_argument("--options", default="{}", help="JSON: sections of the run's specification")
    flags.add_argument("--storage", required=True, help="connection string")
    flags.add_argument("--rows-per-shard", type=int, default=512)
    flags.add_argument("--parallel", type=int, default=8, help="shards at a time")
    arguments = flags.parse_args()
    settings = {
        "DISTILLATION_STORAGE": arguments.storage,
        "TEACHER_BASE_URL": arguments.base_url,
        "TEACHER_API_KEY": "none",
    }
    os.environ.update(
        settings,
        TEACHER_MODEL=arguments.model,
        STUDENT_MODEL="azureml://registries/r/models/m/versions/1",
    )
    for name in ("AZUREML_SUBSCRIPTION_ID", "AZUREML_RESOURCE_GROUP", "AZUREML_WORKSPACE"):
        os.environ.setdefault(name, "none")
    began = time.perf_counter()
    measured = asyncio.run(generate(arguments))
    print(json.dumps({**measured, "total_seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
