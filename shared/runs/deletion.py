"""Deletion of runs: `DELETE /api/runs/{id}`, retention, and the steps of the orchestration.

The order makes a deletion safe at any moment, whoever is killed:

1. The record of the deletion is written. From now on the run can't be resumed, and its upload's
   event starts nothing.
2. What still works for the run ends.
3. Files at the fine-tuning service are deleted. If the service refuses, the deletion fails here:
   the run is whole, and can be resumed or deleted again.
4. The run's blobs are deleted: first of all the record says so.
5. The dataset (if requested), its place in the queue, and the history of its orchestrations go.
6. A tombstone is written, then the record is deleted.

Every step can be repeated. A deletion without an active orchestration is started again by a second
request, or by the hourly look of shared/runs/retention.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from shared.core.backoff import WORK_SECONDS
from shared.core.errors import (
    ErrorCode,
    ErrorData,
    NotFound,
    PermanentError,
)
from shared.core.ids import deletion_id, notification_id, parts_of
from shared.core.json_values import json_object
from shared.core.paths import RUNS, RunPaths, deletion, tombstone
from shared.core.process import current
from shared.finetuning.record import TrainingRecord
from shared.finetuning.registry import get_backend
from shared.runs import instances
from shared.runs.contracts import DELETE_RUN, DISTILLATION_RUN, RunReference
from shared.runs.http import invalid_query, truth_of, unknown_parameters
from shared.runs.instances import DurableClient
from shared.runs.requests import check_hub, read_request
from shared.runs.run_datasets import deletable_files
from shared.runs.run_index import remove_run
from shared.runs.run_lease import sole_access
from shared.runs.run_queue import forget_run
from shared.runs.status import InstanceState
from shared.runs.tombstones import (
    Deletion,
    Tombstone,
    deleted_error,
    read_deletion,
    read_tombstone,
    write_deletion,
)
from shared.runs.view import InstanceStatus, moment_of
from shared.runs.wire import to_wire
from shared.spec.models import MAX_STUDENTS
from shared.students.backends import BACKENDS

if TYPE_CHECKING:
    from shared.core.storage import Storage

# Activities of a run that was terminated notice within two seconds, and wait for answers that are
# on their way (`teacher.stop_seconds`, at most 60).
SETTLE_SECONDS = 75.0
STILL_ENDING_SECONDS = 60.0
ENDING_SECONDS = 2.0
log = logging.getLogger(__name__)


class DeletionClient(DurableClient, Protocol):
    """What the activities of a deletion use of Durable's client."""

    async def purge_instance_history(self, instance_id: str) -> Any:
        """Delete an instance that has ended, if it exists."""


class DeletionQuery(BaseModel):
    """The query of `DELETE /api/runs/{id}`."""

    model_config = ConfigDict(frozen=True)

    dataset: bool = Field(default=False, description="delete the dataset, too")
    service_files: bool = Field(
        default=True, description="delete the files uploaded to the fine-tuning service"
    )
    take_over: bool = Field(
        default=False, description="delete a run of another task hub, which is gone"
    )


def parse_deletion(query: Mapping[str, str]) -> DeletionQuery:
    """Return the values of `?dataset=` and `&service_files=`. Raises InvalidInput."""
    problems = unknown_parameters(query, DeletionQuery.model_fields)
    values = {
        name: truth_of(query, name, problems, default=field.default)
        for name, field in DeletionQuery.model_fields.items()
    }
    if problems:
        raise invalid_query(problems)
    return DeletionQuery(**values)


async def begin_deletion(
    storage: Storage, client: DurableClient, run_id: str, query: DeletionQuery
) -> Deletion:
    """Begin to delete a run, or go on with it, and return the record.

    Raises PermanentError for a run that is active, being resumed, or deleted already, and for a
    dataset that can't be deleted; NotFound.
    """
    record = await read_deletion(storage, run_id)
    hub = instances.task_hub(client)
    if record is None or record.has_failed:
        async with _sole_access(storage, run_id):
            record = await _begun(storage, client, run_id, query)
    elif query.dataset and not record.datasets:
        message = f"run {run_id} is being deleted without its dataset: delete its files yourself"
        raise PermanentError(message, code=ErrorCode.RUN_DELETING)
    if record.is_of_another(hub) and not query.take_over:
        message = f"run {run_id} is being deleted by the app with the task hub {record.hub!r}"
        raise PermanentError(message, code=ErrorCode.OTHER_TASK_HUB)
    await continue_deletion(client, run_id)
    return record


async def continue_deletion(client: DurableClient, run_id: str) -> None:
    """Start the orchestration of a deletion unless it is active."""
    request = to_wire(RunReference(run_id=run_id))
    await instances.start_sole(client, DELETE_RUN, deletion_id(run_id), request)


@asynccontextmanager
async def _sole_access(storage: Storage, run_id: str) -> AsyncGenerator[None]:
    """Be the only one that deletes or resumes a run. Without a request it can't be resumed."""
    if await storage.properties(f"{RUNS}/{RunPaths(run_id).request}") is None:
        yield
        return
    async with sole_access(storage, run_id):
        yield


async def _begun(
    storage: Storage, client: DurableClient, run_id: str, query: DeletionQuery
) -> Deletion:
    """Write the record of a new deletion, and return it."""
    status = await instances.read_status(client, run_id)
    if status is None and not await storage.holds_any(RunPaths(run_id).folder):
        stone = await read_tombstone(storage, run_id)
        raise deleted_error(stone) if stone else NotFound(f"run {run_id} doesn't exist")
    if status is not None and status.get("name") != DISTILLATION_RUN:
        raise NotFound(f"run {run_id} doesn't exist")
    _check_over(status, run_id)
    hub = instances.task_hub(client)
    if not query.take_over:
        await _check_hub(storage, run_id, hub)
    record = Deletion(
        hub=hub,
        run_id=run_id,
        requested=datetime.now(UTC),
        datasets=await deletable_files(storage, run_id) if query.dataset else {},
        rounds=await _rounds(storage, run_id),
        keeps_service_files=not query.service_files,
    )
    await write_deletion(storage, record)
    return record


async def _check_hub(storage: Storage, run_id: str, hub: str) -> None:
    """Raise PermanentError for a run of another task hub, in which it may be active."""
    with contextlib.suppress(NotFound):
        await check_hub(storage, run_id, hub)


async def _rounds(storage: Storage, run_id: str) -> int:
    """Return how many rounds the run has had, 1 if nobody knows."""
    try:
        return (await read_request(storage, run_id)).round + 1
    except PermanentError:  # there is none, or nobody can read it
        return 1


def _check_over(status: InstanceStatus | None, run_id: str) -> None:
    """Raise PermanentError unless the run's root has ended, or is gone."""
    if status is not None and not InstanceState.is_over(status.get("runtimeStatus")):
        message = f"run {run_id} is still active: cancel it, and delete it once it has ended"
        raise PermanentError(message, code=ErrorCode.RUN_ACTIVE)


# Steps of the orchestration. Each finds nothing to do once the record is gone.


async def end_parts(storage: Storage, client: DurableClient, run_id: str) -> float:
    """End what still works for a run. Return after how many seconds to call this again, or 0.

    Raises PermanentError if the run was resumed in the very moment in which it was deleted.
    """
    record = await read_deletion(storage, run_id)
    if record is None:
        return 0
    status = await instances.read_status(client, run_id)
    _check_over(status, run_id)
    try:
        await instances.end_parts(client, run_id)
    except PermanentError as error:
        if error.code != ErrorCode.RUN_ACTIVE:
            raise
        return STILL_ENDING_SECONDS
    for notification in _notifications(record):
        if await instances.is_active(client, notification):
            await client.terminate(notification, "the run was deleted")
            return ENDING_SECONDS
    return await _settling_seconds(client, run_id, status)


def _notifications(record: Deletion) -> list[str]:
    """Return the instances that announce how the run's rounds have ended, in its own words."""
    return [notification_id(record.run_id, round_) for round_ in range(record.rounds)]


async def _settling_seconds(
    client: DurableClient, run_id: str, status: InstanceStatus | None
) -> float:
    """Return for how long activities may still write for a run that didn't end by itself.

    A run that shows its outcome has waited for all of them.
    """
    custom_status = json_object(status.get("customStatus")) if status else None
    if custom_status and custom_status.get("outcome"):
        return 0
    ended: list[datetime] = []
    for instance_id in (run_id, *parts_of(run_id, MAX_STUDENTS)):
        part = await instances.read_status(client, instance_id)
        updated = moment_of(part.get("lastUpdatedTime")) if part else None
        if updated:
            ended.append(updated)
    if not ended:
        return 0
    elapsed = (datetime.now(UTC) - max(ended)).total_seconds()
    return max(0.0, SETTLE_SECONDS - elapsed)


async def delete_service_files(storage: Storage, run_id: str) -> None:
    """Delete the datasets that the run has uploaded to a fine-tuning service.

    The service as it is configured now is asked. Raises PermanentError if it refuses, or if a job
    still trains with them, and TransientError.
    """
    record = await read_deletion(storage, run_id)
    if record is None or record.has_begun or record.keeps_service_files:
        return
    job_names: dict[str, list[str]] = {}
    async for name in storage.names_under(RunPaths(run_id).trainings):
        training = TrainingRecord.model_validate(await storage.read_json(name))
        await _check_job_ended(training)
        for attempt in training.attempts:
            job_names.setdefault(attempt.backend, []).append(attempt.job_name)
    for backend, names in job_names.items():
        if backend not in BACKENDS or BACKENDS[backend].takes_copies:
            service = get_backend(backend, current().settings)
            await asyncio.to_thread(service.delete_files, names)


async def _check_job_ended(training: TrainingRecord) -> None:
    """Raise PermanentError if the service still works at a job that the run no longer follows."""
    job, attempt = training.job, training.current
    if job is None or attempt is None or not job.job or job.status.is_terminal:
        return
    service = get_backend(attempt.backend, current().settings)
    try:
        job = await asyncio.to_thread(service.poll, job.job)
    except NotFound:
        return
    if not job.status.is_terminal:
        place = f" ({job.url})" if job.url else ""
        message = (
            f"fine-tuning job {job.job} is still {job.status} at the service{place}: cancel it "
            "there, or resume the run and cancel that"
        )
        raise PermanentError(message, code=ErrorCode.RUN_ACTIVE)


async def delete_blobs(storage: Storage, run_id: str) -> bool:
    """Delete the run's folder. Return False if time was up before."""
    record = await read_deletion(storage, run_id)
    if record is None:
        return True
    if not record.has_begun:
        await write_deletion(storage, record.model_copy(update={"has_begun": True, "error": None}))
    return await storage.delete_under(RunPaths(run_id).folder, WORK_SECONDS)


async def finish(storage: Storage, client: DeletionClient, run_id: str) -> bool:
    """Delete what is outside the run's folder, and leave its tombstone.

    Return False if blobs appeared in the folder meanwhile.
    """
    record = await read_deletion(storage, run_id)
    if record is None:
        return True
    for path, etag in record.datasets.items():
        await storage.delete_version(path, etag)
    await forget_run(storage, run_id)
    await remove_run(storage, run_id)
    instance_ids = [*parts_of(run_id, MAX_STUDENTS), *_notifications(record), run_id]
    for instance_id in instance_ids:
        await client.purge_instance_history(instance_id)
    if await storage.holds_any(RunPaths(run_id).folder):
        return False
    stone = Tombstone(run_id=run_id, deleted=datetime.now(UTC))
    await storage.write(tombstone(run_id), stone.model_dump_json(indent=1).encode())
    await storage.delete(deletion(run_id))
    log.info("run %s was deleted", run_id)
    return True


async def note_failure(storage: Storage, run_id: str, error: ErrorData) -> None:
    """Write down why a deletion has ended before it was complete."""
    record = await read_deletion(storage, run_id)
    if record is not None:
        await write_deletion(storage, record.model_copy(update={"error": error}))
        log.warning("run %s could not be deleted: %s", run_id, error["message"])
