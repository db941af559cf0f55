"""Runs whose datasets are assembled, and their fine-tuning jobs followed poll by poll."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.core.paths import Split
from shared.dataset.rows import as_jsonl
from shared.runs.contracts import POLL_FINETUNING, SUBMIT_FINETUNING
from tests.support.activity_runs import AppRun, sums
from tests.support.azureml import PATIENCE

CHAT = [{"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "5"}]
RUNNING = {"runtimeStatus": "Running"}


async def ready(run: AppRun, rows: int = 10, validation: int = 0) -> AppRun:
    """A run whose datasets have been assembled."""
    await run.arrive(sums(1))
    await run.prepare()
    await _write_dataset(run, "train", rows)
    if validation:
        await _write_dataset(run, "validation", validation)
    run.client.statuses[run.paths.run_id] = RUNNING
    return run


async def _write_dataset(run: AppRun, split: Split, rows: int) -> None:
    await run.storage.write(run.paths.dataset(split), as_jsonl([{"messages": CHAT}] * rows))
    await run.storage.write(run.paths.provenance(split), as_jsonl([{"line": 1}] * rows))


async def submit(run: AppRun, *splits: str) -> dict[str, Any]:
    """The job; what the root was told of it is forgotten."""
    submitted = await run.call(SUBMIT_FINETUNING, splits=splits or ("train",))
    assert submitted["status"] == "ok", submitted
    run.client.events.clear()
    return submitted["job"]


async def poll(run: AppRun, job: dict[str, Any], *, cancel: bool = False) -> dict[str, Any]:
    polled = await run.call(POLL_FINETUNING, job=job, cancel=cancel)
    assert polled["status"] == "ok", polled
    return polled["job"]


async def follow(run: AppRun, job: dict[str, Any]) -> dict[str, Any]:
    """The job at its end."""
    async with asyncio.timeout(PATIENCE):
        while job["status"] not in ("completed", "failed", "cancelled"):
            await asyncio.sleep(0.01)
            job = await poll(run, job)
    return job
