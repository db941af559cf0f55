"""submit, poll and cancel of the student's fine-tuning job. The SDK is synchronous: it runs in a thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from activities.names import CANCEL_FINETUNING, POLL_FINETUNING, SUBMIT_FINETUNING
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from activities.stopping import is_stopped
from shared import settings
from shared.account import open_storage
from shared.errors import TransientError
from shared.finetuning import FineTuneRequest, FineTuningBackend, get_backend
from shared.finetuning.outcome import job_view
from shared.paths import RunPaths, Split
from shared.settings import Settings
from shared.spec import RunSpec

if TYPE_CHECKING:
    from shared.storage import Storage

bp = df.Blueprint()
JOB_CHANGED = "finetune"  # the event that tells the root orchestration


@bp.activity_trigger(input_name="run", activity=SUBMIT_FINETUNING)
@bp.durable_client_input(client_name="client")
@returns_permanent_failures
async def submit_finetuning(run: Payload, client: df.DurableOrchestrationClient) -> Payload:
    """`{run_id, splits, round}` → `{job}`. The job's name is the run's: a second execution finds the first one's job."""
    own, paths = settings.current(), RunPaths(run["run_id"])
    async with open_storage(own) as storage:
        spec = await read_spec(storage, paths)
        request = _request(own, storage, spec, paths, run["splits"], run.get("round", 0))
    backend = get_backend(spec.student.backend, own)
    job = job_view(await asyncio.to_thread(backend.submit, request))
    await _tell_root(client, paths.run_id, job)
    return ok(job=job)


@bp.activity_trigger(input_name="work", activity=POLL_FINETUNING)
@bp.durable_client_input(client_name="client")
@returns_permanent_failures
async def poll_finetuning(work: Payload, client: df.DurableOrchestrationClient) -> Payload:
    """`{run_id, job, cancel?}` → `{job}` as the service sees it now, once more asked to cancel it where that is due.

    A service that cannot be reached changes nothing.
    """
    run_id, known = work["run_id"], work["job"]
    backend = await _backend(run_id)
    cancelled = work.get("cancel") or await is_stopped(client, run_id)
    try:
        if cancelled:
            await asyncio.to_thread(backend.cancel, known["job"])
        job = job_view(await asyncio.to_thread(backend.poll, known["job"]))
    except TransientError as error:
        return ok(job=_unreached(known, error))
    if job != known:
        await _tell_root(client, run_id, job)
    return ok(job=job)


@bp.activity_trigger(input_name="work", activity=CANCEL_FINETUNING)
@returns_permanent_failures
async def cancel_finetuning(work: Payload) -> Payload:
    """`{run_id, job}` → `{job}` after the service was asked to cancel it; where it cannot be reached, the next poll asks again."""
    backend = await _backend(work["run_id"])
    try:
        return ok(job=job_view(await asyncio.to_thread(backend.cancel, work["job"]["job"])))
    except TransientError as error:
        return ok(job=_unreached(work["job"], error))


def _unreached(known: dict[str, Any], error: TransientError) -> dict[str, Any]:
    return {**known, "message": f"the service could not be asked: {error}"}


async def _backend(run_id: str) -> FineTuningBackend:
    own = settings.current()
    async with open_storage(own) as storage:
        spec = await read_spec(storage, RunPaths(run_id))
    return get_backend(spec.student.backend, own)


async def _tell_root(client: df.DurableOrchestrationClient, run_id: str, job: dict[str, Any]) -> None:
    """The root shows the job in its status; a root that has ended meanwhile has nobody to tell."""
    status: Any = await client.get_status(run_id)
    if getattr(status.runtime_status, "value", None) in ("Running", "Pending", "Suspended"):
        await client.raise_event(run_id, JOB_CHANGED, job)


def _request(
    own: Settings, storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split], round_: int
) -> FineTuneRequest:
    """The job of a round: its name is the run id, for later rounds with their number, so that each is one job."""
    validation = "validation" if "validation" in splits else None
    return FineTuneRequest(
        run_id=paths.run_id,
        job_name=f"{paths.run_id}-{round_ + 1}" if round_ else paths.run_id,
        model=spec.student.model or "",
        training_uri=_uri(own, storage, paths.dataset("train")),
        validation_uri=_uri(own, storage, paths.dataset(validation)) if validation else None,
        hyperparameters=dict(spec.student.hyperparameters),
        registered_model_name=spec.student.registered_model_name or paths.run_id,
        experiment=f"distillation-{spec.task}",
        display_name=paths.run_id,
        tags={"run_id": paths.run_id, "task": spec.task, "teacher": spec.teacher.model or "", "isDistill": "True"},
        description=f"Student distilled from {spec.teacher.model} for task {spec.task}",
    )


def _uri(own: Settings, storage: Storage, name: str) -> str:
    """Where the service reads a dataset: through the workspace's datastore, or at its blob URI."""
    if own.azureml_datastore:
        return f"azureml://datastores/{own.azureml_datastore}/paths/{name}"
    return storage.uri(name)
