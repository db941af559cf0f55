"""The interface of a fine-tuning backend, and the types that cross it.

Backends import their SDKs inside their methods: `azure.ai.ml` alone takes 5 s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from shared.core.errors import PermanentError
from shared.spec.models import StudentSpec

MAX_CURVE_POINTS = 500


class JobStatus(StrEnum):
    """What a job is doing. The statuses of every service are mapped to these."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    FINALIZING = "finalizing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    NOT_RESPONDING = "not_responding"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


class Dataset(BaseModel):
    """A student's dataset: chat rows, one JSON object `{"messages": […]}` a line."""

    model_config = ConfigDict(frozen=True)

    blob: str  # in container `runs`
    uri: str  # where AzureML reads it: azureml://datastores/… or https://…
    bytes: int
    lines: int
    sha256: str


class FineTuneRequest(BaseModel):
    """One job to submit. `job_name` is deterministic: the same request twice is one job.

    In `student`, the model is filled in, and hyperparameters have the backend's names.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    job_name: str
    student: StudentSpec
    registered_model_name: str
    training: Dataset
    validation: Dataset | None
    experiment: str
    display_name: str
    tags: dict[str, str]
    description: str


class JobState(BaseModel):
    """A job as the service sees it, and as users see it in the run's status and report."""

    model_config = ConfigDict(frozen=True)

    job: str  # its name at the service, which `poll` and `cancel` take; empty before there is one
    status: JobStatus
    service_status: str
    url: str | None = None
    model: str | None = None  # "<name>:<version>", or a name alone, once there is one
    message: str | None = None  # the service's own
    metrics: dict[str, float] = Field(default_factory=dict[str, float])  # latest step, loss, …
    warnings: list[str] = Field(default_factory=list[str])  # of the app, about this job
    last_sign: datetime | None = None  # newest event of the service, or when the job began to run
    trained_tokens: int | None = None  # that the service bills, where it says so
    submitted: bool = True  # False while the service takes in the data: call `submit` again

    @model_serializer(mode="wrap")
    def _without_the_usual(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Leave `submitted` out unless it is False, and other fields if they say nothing."""
        fields: dict[str, object] = serialize(self)
        if self.submitted:
            del fields["submitted"]
        if not self.warnings:
            del fields["warnings"]
        if self.last_sign is None:
            del fields["last_sign"]
        if self.trained_tokens is None:
            del fields["trained_tokens"]
        return fields


class Checkpoint(BaseModel):
    """A state of the student that the service has kept."""

    name: str
    step: int
    metrics: dict[str, float] = Field(default_factory=dict[str, float])


class JobRecord(BaseModel):
    """What the report keeps of a job that has ended."""

    curve: list[dict[str, float]] = Field(default_factory=list[dict[str, float]])  # by step
    checkpoints: list[Checkpoint] = Field(default_factory=list[Checkpoint])
    events: list[str] = Field(default_factory=list[str])  # the service's messages, oldest first
    warnings: list[str] = Field(default_factory=list[str])  # what couldn't be read or deleted


class FineTuningBackend(Protocol):
    """A fine-tuning service. Methods block, and raise PermanentError or TransientError."""

    def preflight(self, student: StudentSpec) -> list[str]:
        """Return everything that would prevent a job with this student, each with its remedy."""
        ...

    def warnings(self, student: StudentSpec) -> list[str]:
        """Return non-blocking warnings that may still explain a refusal."""
        ...

    def submit(self, request: FineTuneRequest) -> JobState:
        """Submit the job, or find the one of this name. Call it until the state is `submitted`."""
        ...

    def poll(self, job_name: str) -> JobState:
        """Return the job's state. Raises NotFound if there is no such job."""
        ...

    def cancel(self, job_name: str) -> JobState:
        """Request cancellation. A job that has ended stays as it is."""
        ...

    def conclude(self, request: FineTuneRequest, state: JobState) -> JobRecord:
        """Return the record of a job that has ended, and delete what the student's settings say."""
        ...

    def delete_files(self, job_names: Sequence[str]) -> None:
        """Delete the datasets that were uploaded for jobs of these names. Jobs and models stay."""
        ...


def ask_to_cancel(read: Callable[[], JobState], ask: Callable[[], None]) -> JobState:
    """Call `ask` if there is something to cancel, and return the job's state after it."""
    state = read()
    if state.status.is_terminal or state.status is JobStatus.CANCELLING:
        return state
    try:
        ask()
    except PermanentError:
        state = read()
        if state.status.is_terminal:  # it ended between the two calls
            return state
        raise
    return read()


def thinned(curve: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return at most MAX_CURVE_POINTS points, evenly spaced, with the first and the last."""
    if len(curve) <= MAX_CURVE_POINTS:
        return curve
    stride = (len(curve) - 1) / (MAX_CURVE_POINTS - 1)
    return [curve[round(number * stride)] for number in range(MAX_CURVE_POINTS)]
