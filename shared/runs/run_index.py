"""The index of runs: an empty blob for each run, whose name sorts the newest run first.

Neither Durable nor a blob listing gives runs by age: instances are ordered by id, and a run's
folder has no properties. A page of names has up to 5,000 runs, so the index of 10,000 runs is read
in two requests, and its newest page in one. An entry never moves, so pages are stable while new
runs begin: `resume` leaves a run where it is.

If the index was never complete (of runs that are older than it), or `_app/runs/.complete` is
deleted, the next listing completes it from the runs' folders.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel

from shared.core.errors import NotFound
from shared.core.ids import RUN_ID
from shared.core.paths import RUN_INDEX, RUNS, RunPaths

if TYPE_CHECKING:
    from shared.core.storage import Storage

# sorts before every entry
COMPLETE = f"{RUN_INDEX}.complete"
KEY = re.compile(rf"(\d{{13}})-({RUN_ID.pattern})")
LAST_MILLISECOND = 10**13 - 1
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime.fromtimestamp(0, UTC)
DATASET = "dataset"  # metadata: the path in base64, as a header takes ASCII only
PARALLEL_WRITES = 16


@dataclass(frozen=True, slots=True)
class IndexedRun:
    """An entry. `key` orders entries, the newest first."""

    run_id: str
    key: str
    created: datetime
    dataset: str = ""
    """The path of the training set, if datasets were asked for."""


class _IndexedRequest(BaseModel):
    """The part of a run's request that the index has."""

    train: str = ""
    created: AwareDatetime | None = None


def key_of(run_id: str, created: datetime) -> str:
    """Return the key of a run that was created at this moment."""
    milliseconds = (created - EPOCH) // MILLISECOND
    return f"{LAST_MILLISECOND - milliseconds:013d}-{run_id}"


def entry_of(key: str, dataset: str = "") -> IndexedRun | None:
    """Return the entry of a key, None if the text isn't one."""
    match = KEY.fullmatch(key)
    if match is None:
        return None
    created = EPOCH + (LAST_MILLISECOND - int(match[1])) * MILLISECOND
    return IndexedRun(match[2], key, created, dataset)


async def add_run(storage: Storage, run_id: str, train: str, created: datetime | None) -> None:
    """Write the entry of a run, again if it exists.

    `train` is the path of its training set. `created` is None for runs older than the index.
    """
    created = created or await _first_written(storage, run_id)
    dataset = base64.b64encode(train.encode()).decode()
    name = f"{RUN_INDEX}{key_of(run_id, created)}"
    await storage.write(name, b"", metadata={DATASET: dataset})


async def remove_run(storage: Storage, run_id: str) -> None:
    """Delete the entry of a run, if it has one."""
    async for name in storage.names_under(RUN_INDEX):
        entry = entry_of(name.removeprefix(RUN_INDEX))
        if entry is not None and entry.run_id == run_id:
            await storage.delete(name)


async def indexed_runs(
    storage: Storage, *, with_datasets: bool = False, page: int | None = None
) -> AsyncIterator[IndexedRun]:
    """Yield all entries, the newest first; `page` is how many names are requested at a time."""
    is_complete = False
    async for name, dataset in _names(storage, with_datasets=with_datasets, page=page):
        is_complete = is_complete or name == COMPLETE
        if not is_complete:
            break
        entry = entry_of(name.removeprefix(RUN_INDEX), dataset)
        if entry is not None:
            yield entry
    if not is_complete:
        await complete_index(storage)
        async for entry in indexed_runs(storage, with_datasets=with_datasets, page=page):
            yield entry


async def complete_index(storage: Storage) -> None:
    """Add the runs that the index doesn't have, then note that it is complete."""
    entries = [entry_of(name.removeprefix(RUN_INDEX)) async for name, _ in _names(storage)]
    indexed = {entry.run_id for entry in entries if entry is not None}
    slots = asyncio.Semaphore(PARALLEL_WRITES)

    async def add(run_id: str) -> None:
        async with slots:
            try:
                document = await storage.read_json(RunPaths(run_id).request)
                request = _IndexedRequest.model_validate(document)
            except (NotFound, ValueError):
                return  # not a run's folder
            await add_run(storage, run_id, request.train, request.created)

    missing = [run_id async for run_id in storage.run_ids("", "") if run_id not in indexed]
    await asyncio.gather(*map(add, missing))
    await storage.write(COMPLETE, b"")


async def _first_written(storage: Storage, run_id: str) -> datetime:
    """Return when the request of a run was written, the nearest to when the run was created."""
    properties = await storage.properties(f"{RUNS}/{RunPaths(run_id).request}")
    if properties is None:
        raise NotFound(f"run {run_id} doesn't exist")
    return properties.creation_time or properties.last_modified


async def _names(
    storage: Storage, *, with_datasets: bool = False, page: int | None = None
) -> AsyncIterator[tuple[str, str]]:
    """Yield name and dataset of each blob of the index."""
    if not with_datasets:
        async for name in storage.names_under(RUN_INDEX, page):
            yield name, ""
        return
    async for name, metadata in storage.metadata_under(RUN_INDEX):
        try:
            yield name, base64.b64decode(metadata.get(DATASET, "")).decode()
        except (binascii.Error, UnicodeDecodeError):
            yield name, ""
