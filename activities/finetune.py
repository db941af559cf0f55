"""submit, poll, cancel and conclude the fine-tuning job of a student. The SDKs are synchronous: they run in threads."""

from __future__ import annotations

import asyncio
from typing import Any

import azure.durable_functions as df

from activities.names import (
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    POLL_FINETUNING,
    SUBMIT_FINETUNING,
)
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from activities.stopping import is_stopped
from activities.training import Training
from shared.core import settings
from shared.core.errors import DistillationError, ErrorCode, PermanentError, TransientError
from shared.core.paths import RunPaths
from shared.core.storage_account import open_storage
from shared.finetuning.base import FineTuningBackend, JobState, JobStatus
from shared.finetuning.outcome import has_changed, job_view, viewed_job
from shared.finetuning.registry import get_backend
from shared.runs.status import InstanceState

bp = df.Blueprint()
JOB_CHANGED = "finetune"  # the event that tells the root orchestration
# a token that has expired, or a role that is being changed
ACCESS = frozenset({ErrorCode.AZUREML_ACCESS, ErrorCode.OPENAI_ACCESS})


@bp.activity_trigger(input_name="run", activity=SUBMIT_FINETUNING)
@bp.durable_client_input(client_name="client")
@returns_permanent_failures
async def submit_finetuning(run: Payload, client: df.DurableOrchestrationClient) -> Payload:
    """`{run_id, splits, round, student}` → `{job, reached, retry_after?}`. A second execution finds the first one's job.

    A service that cannot be reached is asked again by another execution, as is one that still takes in the data. A resumed
    run finds the job of the round before, too, unless that has failed or is to be trained with something else.
    """
    own, number, round_ = settings.current(), run.get("student", 0), run.get("round", 0)
    known: dict[str, Any] = run.get("job") or {}
    async with open_storage(own) as storage:
        training = await Training.read(storage, own, run["run_id"], number)
        await training.measure(run["splits"])
        try:
            state = await training.submit(round_)
        except (
            TransientError
        ) as error:  # the follower asks again, for as long as it would for a job that it follows
            waiting = _not_reached(error)
            await _tell_change(client, run["run_id"], number, waiting, known)
            return ok(job=waiting, reached=False, retry_after=error.retry_after)
        job = job_view(state)
        training.record.job = job
        await training.write()
    await _tell_change(client, run["run_id"], number, job, known)
    return ok(job=job, reached=True)


@bp.activity_trigger(input_name="work", activity=POLL_FINETUNING)
@bp.durable_client_input(client_name="client")
@returns_permanent_failures
async def poll_finetuning(work: Payload, client: df.DurableOrchestrationClient) -> Payload:
    """`{run_id, job, student, cancel?, tell?}` → `{job, reached, retry_after?}` as the service sees it now, once more asked to
    cancel it where that is due. `tell`: whether the root is to hear of new metrics, too.

    A service that cannot be reached, or that refuses us for now, changes nothing.
    """
    run_id, known = work["run_id"], work["job"]
    backend = await _backend(run_id, work.get("student", 0))
    cancelled = work.get("cancel") or await is_stopped(client, run_id)
    try:
        if cancelled:
            await asyncio.to_thread(backend.cancel, known["job"])
        job = job_view(await asyncio.to_thread(backend.poll, known["job"]))
    except DistillationError as error:
        if not _may_pass(error):
            raise
        job, wait = (
            _unreached(known, error),
            error.retry_after if isinstance(error, TransientError) else None,
        )
        if work.get("tell"):
            await _tell_root(client, run_id, work.get("student", 0), job)
        return ok(job=job, reached=False, retry_after=wait)
    job["metrics"] = job["metrics"] or known.get("metrics", {})
    if has_changed(job, known) or (work.get("tell") and job != known):
        await _tell_root(client, run_id, work.get("student", 0), job)
    return ok(job=job, reached=True)


@bp.activity_trigger(input_name="work", activity=CANCEL_FINETUNING)
@returns_permanent_failures
async def cancel_finetuning(work: Payload) -> Payload:
    """`{run_id, job, student}` → `{job}` after the service was asked to cancel it; where it cannot be reached, the next poll
    asks again."""
    backend = await _backend(work["run_id"], work.get("student", 0))
    try:
        return ok(job=job_view(await asyncio.to_thread(backend.cancel, work["job"]["job"])))
    except DistillationError as error:
        if not _may_pass(error):
            raise
        return ok(job=_unreached(work["job"], error))


@bp.activity_trigger(input_name="work", activity=CONCLUDE_FINETUNING)
@returns_permanent_failures
async def conclude_finetuning(work: Payload) -> Payload:
    """`{run_id, job, student, round}` → `{job, warnings}`: the course of a job that has ended is kept in the student's record."""
    own, job = settings.current(), dict(work["job"])
    async with open_storage(own) as storage:
        training = await Training.read(storage, own, work["run_id"], work.get("student", 0))
        request = training.request()
        record = training.record
        over = (
            JobStatus(job["status"]).is_terminal or not job["job"]
        )  # or it never came to a job: files may be left
        if over and request is not None:
            record.ended = await asyncio.to_thread(
                training.backend.conclude, request, viewed_job(job)
            )
            if record.ended.curve:
                job["metrics"] = {**record.ended.curve[-1], **job.get("metrics", {})}
        record.job = job
        await training.write()
    return ok(job=job, warnings=record.ended.warnings if record.ended else [])


def _may_pass(error: DistillationError) -> bool:
    """True for what may be gone at the next poll."""
    return isinstance(error, TransientError) or (
        isinstance(error, PermanentError) and error.code in ACCESS
    )


def _unreached(known: dict[str, Any], error: DistillationError) -> dict[str, Any]:
    return {**known, "message": f"the service could not be asked: {error}"}


def _not_reached(error: TransientError) -> dict[str, Any]:
    """What is shown of a job that is yet to be submitted."""
    waiting = JobState(
        name="", status=JobStatus.QUEUED, service_status="not submitted yet", submitted=False
    )
    return _unreached(job_view(waiting), error)


async def _backend(run_id: str, number: int) -> FineTuningBackend:
    own = settings.current()
    async with open_storage(own) as storage:
        spec = await read_spec(storage, RunPaths(run_id))
    return get_backend(spec.students[number].backend, own)


async def _tell_change(
    client: df.DurableOrchestrationClient,
    run_id: str,
    number: int,
    job: dict[str, Any],
    known: dict[str, Any],
) -> None:
    if has_changed(job, known):
        await _tell_root(client, run_id, number, job)


async def _tell_root(
    client: df.DurableOrchestrationClient, run_id: str, number: int, job: dict[str, Any]
) -> None:
    """The root shows the job in its status; a root that has ended meanwhile has nobody to tell."""
    status: Any = await client.get_status(run_id)
    runtime = getattr(status.runtime_status, "value", None)
    if InstanceState.is_active(runtime):
        await client.raise_event(run_id, JOB_CHANGED, {**job, "student": number} if number else job)
