"""A job as the API takes it, and how to tell whether a listed job is ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Required, TypedDict, cast

from shared.finetuning.base import FineTuneRequest, JobState, JobStatus
from shared.finetuning.statuses import azure_openai_status
from shared.spec.models import StudentSpec
from shared.students.catalogue import find_student

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob, SupervisedHyperparametersParam
    from openai.types.fine_tuning.job_create_params import Method

# keys of a job's metadata
JOB_KEY = "job"
RUN_KEY = "run"
# the API's limits of metadata: pairs, and characters
MAX_PAIRS = 16
MAX_KEY = 64
MAX_VALUE = 512


class JobArguments(TypedDict, total=False):
    """The arguments of `fine_tuning.jobs.create`."""

    model: Required[str]
    training_file: Required[str]
    method: Required[Method]
    metadata: Required[dict[str, str]]
    extra_headers: Required[dict[str, str]]
    validation_file: str
    suffix: str
    seed: int
    extra_body: dict[str, str]


def model_id(student: StudentSpec) -> str:
    """Return the model's id in the API: `gpt-4.1-mini-2025-04-14` for `gpt-4.1-mini`."""
    model = student.model or ""
    if "/" in model:
        return model
    return find_student(model).foundry or model


def job_arguments(request: FineTuneRequest, file_ids: list[str]) -> JobArguments:
    """Return the arguments that create the job.

    `file_ids` are those of the training file and of the validation file, if there is one.
    """
    student = request.student
    # any name is passed on: the service knows more than its SDK
    hyperparameters = cast("SupervisedHyperparametersParam", dict(student.hyperparameters))
    arguments: JobArguments = {
        "model": model_id(student),
        "training_file": file_ids[0],
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "metadata": metadata_of(request),
        "extra_headers": {"Idempotency-Key": request.job_name},
    }
    if len(file_ids) > 1:
        arguments["validation_file"] = file_ids[1]
    if student.suffix is not None:
        arguments["suffix"] = student.suffix
    if student.seed is not None:
        arguments["seed"] = student.seed
    if find_student(student.model or "").global_training:
        # Azure's addition to the API; models that are trained in a region don't need it
        arguments["extra_body"] = {"trainingType": "GlobalStandard"}
    return arguments


def metadata_of(request: FineTuneRequest) -> dict[str, str]:
    """Return the job's metadata within the API's limits.

    The pairs by which the job is found come first, so they are never cut off.
    """
    pairs = {JOB_KEY: request.job_name, RUN_KEY: request.run_id}
    for name, value in request.tags.items():
        pairs.setdefault(name[:MAX_KEY], value)
    return {name: value[:MAX_VALUE] for name, value in list(pairs.items())[:MAX_PAIRS]}


def is_ours(job: FineTuningJob, request: FineTuneRequest, file_ids: set[str]) -> bool:
    """Return True if the job carries our name.

    Without metadata, its training file decides, whose name holds job and content.
    """
    name = (job.metadata or {}).get(JOB_KEY)
    if name is None:
        return job.training_file in file_ids
    return name == request.job_name


def oldest(jobs: Iterable[FineTuningJob]) -> FineTuningJob:
    """Return the oldest job, the same one in every execution."""
    return min(jobs, key=lambda job: (job.created_at, job.id))


def job_state(job: FineTuningJob) -> JobState:
    """Return the state of a job. It has no link: the app doesn't know the resource's full id."""
    status = azure_openai_status(job.status)
    error = job.error
    return JobState(
        job=job.id,
        status=status,
        service_status=job.status or "unknown",
        message=(error.message or error.code or None) if error else None,
        model=job.fine_tuned_model if status is JobStatus.COMPLETED else None,
    )
