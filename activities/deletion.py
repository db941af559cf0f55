"""The steps of a run's deletion. shared/runs/deletion.py says in which order, and why."""

from __future__ import annotations

import azure.durable_functions as df

from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.runs import deletion
from shared.runs.activity import implements
from shared.runs.contracts import (
    DELETE_BLOBS,
    DELETE_SERVICE_FILES,
    END_PARTS,
    FINISH_DELETION,
    NOTE_FAILED_DELETION,
    BlobsDeleted,
    Done,
    FailedDeletion,
    PartsEnded,
    RunReference,
)

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=END_PARTS)
@bp.durable_client_input(client_name="client")
@implements(END_PARTS)
async def end_parts(request: RunReference, client: df.DurableOrchestrationClient) -> PartsEnded:
    """End what a run that was terminated has left behind."""
    async with open_storage(current().storage_settings) as storage:
        seconds = await deletion.end_parts(storage, client, request.run_id)
    return PartsEnded(wait_seconds=seconds)


@bp.activity_trigger(input_name="request", activity=DELETE_SERVICE_FILES)
@implements(DELETE_SERVICE_FILES)
async def delete_service_files(request: RunReference) -> Done:
    """Delete the datasets that were uploaded to a fine-tuning service."""
    async with open_storage(current().storage_settings) as storage:
        await deletion.delete_service_files(storage, request.run_id)
    return Done()


@bp.activity_trigger(input_name="request", activity=DELETE_BLOBS)
@implements(DELETE_BLOBS)
async def delete_blobs(request: RunReference) -> BlobsDeleted:
    """Delete the run's folder, as far as the time allows."""
    async with open_storage(current().storage_settings) as storage:
        is_done = await deletion.delete_blobs(storage, request.run_id)
    return BlobsDeleted(status="ok" if is_done else "unfinished")


@bp.activity_trigger(input_name="request", activity=FINISH_DELETION)
@bp.durable_client_input(client_name="client")
@implements(FINISH_DELETION)
async def finish_deletion(
    request: RunReference, client: df.DurableOrchestrationClient
) -> BlobsDeleted:
    """Delete the dataset if requested, and the history; leave a tombstone."""
    async with open_storage(current().storage_settings) as storage:
        is_done = await deletion.finish(storage, client, request.run_id)
    return BlobsDeleted(status="ok" if is_done else "unfinished")


@bp.activity_trigger(input_name="request", activity=NOTE_FAILED_DELETION)
@implements(NOTE_FAILED_DELETION)
async def note_failed_deletion(request: FailedDeletion) -> Done:
    """Keep the reason, for whoever looks at the run."""
    async with open_storage(current().storage_settings) as storage:
        await deletion.note_failure(storage, request.run_id, request.error)
    return Done()
