"""A job as the API takes it, and how to tell whether a listed job is ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Required, TypedDict, cast

from shared.finetuning.base import FineTuneRequest, JobState, JobStatus
from shared.finetuning.statuses import azure_openai_status
from shared.spec.models import StudentSpec
from shared.students.catalogue import find_student
from shared.students.training_types import SERVICE_SPELLINGS, same_training_type

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob, SupervisedHyperparametersParam
    from openai.types.fine_tuning.job_create_params import Method

# keys of a job's metadata
JOB_KEY = "job"
RUN_KEY = "run"
TRAINING_TYPE = "trainingType"
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
    extra_body: Required[dict[str, str]]
    validation_file: str
    suffix: str
    seed: int


def model_ids(student: StudentSpec) -> tuple[str, ...]:
    """Return the model's ids in the API, which are to be tried in this order.

    `gpt-4.1-mini` is `gpt-4.1-mini-2025-04-14`; sources disagree on the ids of some open models.
    """
    model = student.model or ""
    if "/" in model:
        return (model,)
    return find_student(model).foundry or (model,)


def job_arguments(request: FineTuneRequest, model_id: str, file_ids: list[str]) -> JobArguments:
    """Return the arguments that create the job.

    `file_ids` are those of the training file and of the validation file, if there is one.
    """
    student = request.student
    # any name is passed on: the service knows more than its SDK
    hyperparameters = cast("SupervisedHyperparametersParam", dict(student.hyperparameters))
    arguments: JobArguments = {
        "model": model_id,
        "training_file": file_ids[0],
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "metadata": metadata_of(request),
        "extra_headers": {"Idempotency-Key": request.job_name},
        # Azure's addition to the API, which Microsoft's samples recommend to send always
        "extra_body": {TRAINING_TYPE: SERVICE_SPELLINGS[student.trained_in]},
    }
    if len(file_ids) > 1:
        arguments["validation_file"] = file_ids[1]
    if student.suffix is not None:
        arguments["suffix"] = student.suffix
    if student.seed is not None:
        arguments["seed"] = student.seed
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


def training_type_warning(job: FineTuningJob, student: StudentSpec) -> str | None:
    """Return that the service trains elsewhere than the student's settings say, None if it doesn't.

    API versions that don't know the field ignore it, and then don't answer with it.
    """
    trained_in: object = getattr(job, TRAINING_TYPE, None)
    requested = SERVICE_SPELLINGS[student.trained_in]
    if not isinstance(trained_in, str) or same_training_type(trained_in, requested):
        return None
    return (
        f"fine-tuning job {job.id} is trained as {trained_in} and not as {requested}, which "
        "student.training_type says: price and place of the training differ; cancel the run "
        "unless that is as it should be"
    )


def submitted_state(job: FineTuningJob, student: StudentSpec) -> JobState:
    """Return the state of a job that was created for this student."""
    warning = training_type_warning(job, student)
    return job_state(job).model_copy(update={"warnings": [warning] if warning else []})


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
        trained_tokens=job.trained_tokens or None,
    )
