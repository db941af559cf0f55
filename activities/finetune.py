"""Submit, poll, cancel and conclude a student's fine-tuning job.

The services' SDKs are synchronous and run in threads.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import azure.durable_functions as df

from shared.core.errors import DistillationError, ErrorCode, PermanentError, TransientError
from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.finetuning.base import FineTuningBackend, JobState, JobStatus
from shared.finetuning.outcome import has_changed
from shared.finetuning.quiet_job import followed
from shared.finetuning.registry import get_backend
from shared.finetuning.training import Training
from shared.runs.activity import implements
from shared.runs.contracts import (
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    POLL_FINETUNING,
    SUBMIT_FINETUNING,
    ConcludedJob,
    Event,
    JobChanged,
    JobLook,
    JobRequest,
    PollRequest,
    StudentReference,
    SubmitRequest,
)
from shared.runs.control import RunWatch, runtime_status
from shared.runs.status import InstanceState
from shared.runs.wire import to_wire
from shared.spec.resolution import read_spec

bp = df.Blueprint()

ACCESS = frozenset({ErrorCode.AZUREML_ACCESS, ErrorCode.OPENAI_ACCESS})
"""Codes that an expired token or a role being changed explains."""


@bp.activity_trigger(input_name="request", activity=SUBMIT_FINETUNING)
@bp.durable_client_input(client_name="client")
@implements(SUBMIT_FINETUNING)
async def submit_finetuning(
    request: SubmitRequest, client: df.DurableOrchestrationClient
) -> JobLook:
    """Submit the job, or find the one that an earlier execution submitted.

    The follower submits again while the service can't be reached or still takes in the data. A
    resumed run finds the job of the round before too, unless that has failed or trains with
    something else.
    """
    app_settings = current().settings
    async with open_storage(app_settings) as storage:
        training = await Training.read(storage, app_settings, request.run_id, request.student)
        await training.measure(request.splits)
        try:
            state = await training.submit(request.round)
        except TransientError as error:
            look = JobLook(job=_not_submitted(error), reached=False, retry_after=error.retry_after)
        else:
            look = JobLook(job=state)
            training.record.job = look.job
            await training.write()
    if has_changed(look.job, request.job):
        await _tell_root(client, request, look.job)
    return look


@bp.activity_trigger(input_name="request", activity=POLL_FINETUNING)
@bp.durable_client_input(client_name="client")
@implements(POLL_FINETUNING)
async def poll_finetuning(request: PollRequest, client: df.DurableOrchestrationClient) -> JobLook:
    """Ask the service for the job, and tell the root of changes.

    A service that can't be reached, or that denies access for now, changes nothing but the message.
    """
    look = await _poll(request, client)
    is_news = has_changed(look.job, request.job) and look.reached
    if is_news or (request.report_metrics and look.job != request.job):
        await _tell_root(client, request, look.job)
    return look


async def _poll(request: PollRequest, client: df.DurableOrchestrationClient) -> JobLook:
    """Poll the job, and request its cancellation once more where that is due."""
    backend = await _open_backend(request)
    try:
        if request.cancel or await RunWatch(client, request.run_id).is_stopped():
            await asyncio.to_thread(backend.cancel, request.job.job)
        job = await asyncio.to_thread(backend.poll, request.job.job)
    except DistillationError as error:
        return _unreached(request.job, error)
    return JobLook(job=followed(job, request.job, datetime.now(UTC)))


@bp.activity_trigger(input_name="request", activity=CANCEL_FINETUNING)
@implements(CANCEL_FINETUNING)
async def cancel_finetuning(request: JobRequest) -> JobLook:
    """Request the cancellation. If the service can't be reached, the next poll repeats it."""
    backend = await _open_backend(request)
    try:
        state = await asyncio.to_thread(backend.cancel, request.job.job)
    except DistillationError as error:
        return _unreached(request.job, error)
    return JobLook(job=state)


@bp.activity_trigger(input_name="request", activity=CONCLUDE_FINETUNING)
@implements(CONCLUDE_FINETUNING)
async def conclude_finetuning(request: JobRequest) -> ConcludedJob:
    """Record the course of a job that has ended, and tidy up at the service."""
    app_settings = current().settings
    async with open_storage(app_settings) as storage:
        training = await Training.read(storage, app_settings, request.run_id, request.student)
        job = await _conclude(training, request.job)
    ended = training.record.ended
    return ConcludedJob(job=job, warnings=ended.warnings if ended else [])


async def _conclude(training: Training, job: JobState) -> JobState:
    """Write the student's record, and return the job with its last metrics."""
    submitted = training.request()
    # a job without a name was never created, but its files may have been uploaded
    if submitted is not None and (job.status.is_terminal or not job.job):
        record = await asyncio.to_thread(training.backend.conclude, submitted, job)
        training.record.ended = record
        if record.curve:
            job = job.model_copy(update={"metrics": {**record.curve[-1], **job.metrics}})
    training.record.job = job
    await training.write()
    return job


def _unreached(job: JobState, error: DistillationError) -> JobLook:
    """Return the job as it was last seen. Raises the error unless the next poll may succeed."""
    if isinstance(error, PermanentError) and error.code not in ACCESS:
        raise error
    retry_after = error.retry_after if isinstance(error, TransientError) else None
    return JobLook(job=_with_error(job, error), reached=False, retry_after=retry_after)


def _not_submitted(error: TransientError) -> JobState:
    """Return what is shown of a job that is yet to be submitted."""
    state = JobState(
        job="", status=JobStatus.QUEUED, service_status="not submitted yet", submitted=False
    )
    return _with_error(state, error)


def _with_error(job: JobState, error: DistillationError) -> JobState:
    return job.model_copy(update={"message": f"the service could not be reached: {error}"})


async def _open_backend(request: StudentReference) -> FineTuningBackend:
    app_settings = current().settings
    async with open_storage(app_settings) as storage:
        spec = await read_spec(storage, RunPaths(request.run_id))
    return get_backend(spec.students[request.student].backend, app_settings)


async def _tell_root(
    client: df.DurableOrchestrationClient, request: StudentReference, job: JobState
) -> None:
    """Send the job to the root, which shows it, unless the root has ended."""
    status = await client.get_status(request.run_id)
    if InstanceState.is_active(runtime_status(status)):
        change = JobChanged(student=request.student, job=job)
        await client.raise_event(request.run_id, Event.JOB_CHANGED, to_wire(change))
