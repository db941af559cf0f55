"""The interface of a fine-tuning backend, and the types that cross it.

Backends import their SDKs inside their methods: `azure.ai.ml` alone takes 5 s.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from shared.core.errors import PermanentError
from shared.spec.models import StudentSpec

MAX_CURVE_POINTS = 500  # of a job's metrics that are kept


class JobStatus(StrEnum):
    """What a job is doing, in our words; every service's statuses are mapped to these."""

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

    blob: str  # its name in container `runs`
    uri: str  # azureml://datastores/… or https://…: where AzureML reads it
    bytes: int
    lines: int
    sha256: str


class FineTuneRequest(BaseModel):
    """One job to submit. `job_name` is deterministic: the same request twice is one job."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    job_name: str
    student: (
        StudentSpec  # with everything filled in: model, hyperparameters by the names of its backend
    )
    registered_model_name: str
    training: Dataset
    validation: Dataset | None
    experiment: str
    display_name: str
    tags: dict[str, str]
    description: str


class JobState(BaseModel):
    """A job as the service sees it. `name` is what `poll` and `cancel` are given; `message` is the service's own."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: JobStatus
    service_status: str
    message: str | None = None
    url: str | None = None
    registered_model: str | None = None  # "<name>:<version>", or a name alone, once there is one
    metrics: dict[str, float] = Field(
        default_factory=dict[str, float]
    )  # the latest: step, loss, validation_loss, …
    submitted: bool = True  # False: the service is still taking in the data; call `submit` again


class Checkpoint(BaseModel):
    """A state of the student that the service has kept."""

    name: str
    step: int
    metrics: dict[str, float] = Field(default_factory=dict[str, float])


class JobRecord(BaseModel):
    """What is kept of a job that has ended, for the report."""

    curve: list[dict[str, float]] = Field(
        default_factory=list[dict[str, float]]
    )  # metrics by step, in order
    checkpoints: list[Checkpoint] = Field(default_factory=list[Checkpoint])
    events: list[str] = Field(default_factory=list[str])  # what the service said, oldest first
    warnings: list[str] = Field(
        default_factory=list[str]
    )  # what could not be had, or not be tidied up


class FineTuningBackend(Protocol):
    """A fine-tuning service. Methods block; they raise PermanentError or TransientError."""

    def preflight(self, student: StudentSpec) -> list[str]:
        """What stands in the way of a job with this student, each with its remedy; empty when nothing does."""
        ...

    def warnings(self, student: StudentSpec) -> list[str]:
        """What stands in nobody's way as far as we know, and may all the same be why a job is refused."""
        ...

    def submit(self, request: FineTuneRequest) -> JobState:
        """Submit the job, or find the one of this name that exists already. To be called again until it is `submitted`."""
        ...

    def poll(self, job_name: str) -> JobState: ...

    def cancel(self, job_name: str) -> JobState:
        """Ask for cancellation; a job that has ended stays as it is."""
        ...

    def conclude(self, request: FineTuneRequest, state: JobState) -> JobRecord:
        """What is to be kept of a job that has ended; and tidy up after it, where the student's settings ask for that."""
        ...


def ask_to_cancel(read: Callable[[], JobState], ask: Callable[[], None]) -> JobState:
    """The job after `ask` was called, which is only done while there is something to cancel."""
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
    """At most MAX_CURVE_POINTS of a curve, evenly spaced, with its first and last point."""
    if len(curve) <= MAX_CURVE_POINTS:
        return curve
    last = MAX_CURVE_POINTS - 1
    return [curve[round(number * (len(curve) - 1) / last)] for number in range(MAX_CURVE_POINTS)]
