"""Records of deletions: what is known of a run while it is deleted, and afterwards.

A deletion is written down before anything is deleted (`_app/deletions/<run id>.json`), so one that
is interrupted is found and finished. A tombstone (`_app/deleted/<run id>.json`) stays for ever, as
a run's id must not come back: the event of its upload may be delivered again, and the name of its
fine-tuning job would find the job of the deleted run. Neither holds any text of the dataset but the
names of its files.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from shared.core.errors import ErrorCode, ErrorData, NotFound, PermanentError
from shared.core.paths import DELETIONS, deletion, tombstone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.core.storage import Storage


class RunGone(PermanentError):
    """The run is being deleted (`run_deleting`), or was (`run_deleted`)."""


class Deletion(BaseModel):
    """A run that is deleted, or that could not be."""

    run_id: str
    requested: datetime
    hub: str = ""
    """Name of the task hub that deletes it."""
    datasets: dict[str, str] = Field(default_factory=dict[str, str])
    """Files in container `datasets` that are deleted, too: their versions (ETags) by path."""
    rounds: int = 1
    """How many the run has had: each has announced its end."""
    keeps_service_files: bool = False
    """Whether files at the fine-tuning service stay."""
    has_begun: bool = False
    """Whether blobs of the run may be missing, so that it can't be resumed."""
    error: ErrorData | None = None
    """Why the last attempt ended."""

    @property
    def has_failed(self) -> bool:
        """Whether it ended before the first blob was deleted: the run is whole."""
        return self.error is not None and not self.has_begun

    def is_of_another(self, hub: str) -> bool:
        """Return whether the app with another task hub deletes the run."""
        return bool(self.hub and hub and self.hub != hub)


class Tombstone(BaseModel):
    """What stays of a deleted run."""

    run_id: str
    deleted: datetime


async def read_deletion(storage: Storage, run_id: str) -> Deletion | None:
    """Return the record of a run's deletion, None if it isn't deleted or has been."""
    try:
        return Deletion.model_validate_json(await storage.read(deletion(run_id)))
    except NotFound:
        return None


async def write_deletion(storage: Storage, record: Deletion) -> None:
    """Write the record of a deletion."""
    await storage.write(deletion(record.run_id), record.model_dump_json(indent=1).encode())


async def deletion_ids(storage: Storage) -> AsyncIterator[str]:
    """Yield the ids of runs with a record of their deletion."""
    async for name in storage.names_under(DELETIONS):
        yield name.removeprefix(DELETIONS).removesuffix(".json")


async def read_tombstone(storage: Storage, run_id: str) -> Tombstone | None:
    """Return what stays of a deleted run, None for any other."""
    try:
        return Tombstone.model_validate_json(await storage.read(tombstone(run_id)))
    except NotFound:
        return None


async def unfinished_deletion(storage: Storage, run_id: str) -> Deletion | None:
    """Return the record of a run's deletion, None if it isn't deleted. Raises RunGone if it was."""
    record = await read_deletion(storage, run_id)
    if record is None:
        stone = await read_tombstone(storage, run_id)
        if stone is not None:
            raise deleted_error(stone)
    return record


async def check_not_deleted(storage: Storage, run_id: str) -> None:
    """Raise RunGone if the run is being deleted, or was.

    A deletion leaves its tombstone before it removes its record, so they are read the other way
    round: one that ends between both readings isn't missed.
    """
    record = await read_deletion(storage, run_id)
    if record is not None and not record.has_failed:
        raise RunGone(f"run {run_id} is being deleted", code=ErrorCode.RUN_DELETING)
    stone = await read_tombstone(storage, run_id)
    if stone is not None:
        raise deleted_error(stone)


def deleted_error(stone: Tombstone) -> RunGone:
    """Return the error of a request for a run that was deleted."""
    message = f"run {stone.run_id} was deleted at {stone.deleted:%Y-%m-%dT%H:%M:%SZ}"
    return RunGone(message, code=ErrorCode.RUN_DELETED)
