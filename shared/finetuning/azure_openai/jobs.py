"""A job as the API takes it, and how one is recognised as ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from shared.finetuning.base import FineTuneRequest, JobState, JobStatus
from shared.finetuning.statuses import azure_openai_status
from shared.spec.models import StudentSpec
from shared.students.catalogue import find_student

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

JOB_KEY, RUN_KEY = "job", "run"  # of a job's metadata
MAX_METADATA, MAX_KEY, MAX_VALUE = 16, 64, 512  # pairs; characters


def model_id(student: StudentSpec) -> str:
    """The model's id in the API: `gpt-4.1-mini` is `gpt-4.1-mini-2025-04-14` there."""
    model = student.model or ""
    return (find_student(model).foundry or model) if "/" not in model else model


def job_arguments(request: FineTuneRequest, files: list[str]) -> dict[str, Any]:
    """Arguments of `fine_tuning.jobs.create`. `files` are the ids of the training file and of the validation file, if any."""
    student = request.student
    arguments: dict[str, Any] = {
        "model": model_id(student),
        "training_file": files[0],
        "method": {
            "type": "supervised",
            "supervised": {"hyperparameters": dict(student.hyperparameters)},
        },
        "metadata": metadata_of(request),
        "extra_headers": {"Idempotency-Key": request.job_name},
    }
    if len(files) > 1:
        arguments["validation_file"] = files[1]
    if student.suffix is not None:
        arguments["suffix"] = student.suffix
    if student.seed is not None:
        arguments["seed"] = student.seed
    if find_student(
        student.model or ""
    ).global_training:  # Azure's addition; what it trains in a region needs none
        arguments["extra_body"] = {"trainingType": "GlobalStandard"}
    return arguments


def metadata_of(request: FineTuneRequest) -> dict[str, str]:
    """Within the API's bounds; the pairs that the job is found by come first, and are never cut off."""
    own = {JOB_KEY: request.job_name, RUN_KEY: request.run_id}
    pairs = {
        **own,
        **{name[:MAX_KEY]: value for name, value in request.tags.items() if name not in own},
    }
    return {name: value[:MAX_VALUE] for name, value in list(pairs.items())[:MAX_METADATA]}


def is_ours(job: FineTuningJob, request: FineTuneRequest, files: set[str]) -> bool:
    """By our name of it; where the API returns no metadata, by the training file, whose name holds job and content."""
    named = (job.metadata or {}).get(JOB_KEY)
    return named == request.job_name if named is not None else job.training_file in files


def oldest(jobs: Iterable[FineTuningJob]) -> FineTuningJob:
    """The same one for everybody who asks."""
    return min(jobs, key=lambda job: (job.created_at, job.id))


def job_state(job: FineTuningJob) -> JobState:
    """A job in our words. No link to the portal: it would need subscription, resource group and account, which are not known."""
    status = azure_openai_status(job.status)
    error = job.error
    return JobState(
        name=job.id,
        status=status,
        service_status=job.status or "unknown",
        message=(error.message or error.code or None) if error else None,
        registered_model=job.fine_tuned_model if status is JobStatus.COMPLETED else None,
    )
