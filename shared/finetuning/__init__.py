"""Fine-tuning services behind one small interface. A new one is one module and one line in `get_backend`.

Heavy SDKs are imported inside the backend's methods: `azure.ai.ml` alone takes 5 s.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from shared.errors import InvalidInput
from shared.settings import Settings

Hyperparameter = str | int | float | bool


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


class FineTuneRequest(BaseModel):
    """One job to submit. `job_name` is deterministic: the same request twice is one job."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    job_name: str
    model: str  # asset id of the student
    training_uri: str  # azureml://datastores/… or https://…: where the data lies, never uploaded again
    validation_uri: str | None
    hyperparameters: dict[str, Hyperparameter]
    registered_model_name: str
    experiment: str
    display_name: str
    tags: dict[str, str]
    description: str


class JobState(BaseModel):
    """A job as the service sees it. `message` is the service's own."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: JobStatus
    service_status: str
    message: str | None = None
    url: str | None = None
    registered_model: str | None = None  # "<name>:<version>" once there is one


class FineTuningBackend(Protocol):
    """A fine-tuning service. Methods block; they raise PermanentError or TransientError."""

    def preflight(self, model: str) -> list[str]:
        """What stands in the way of a job with this student, each with its remedy; empty when nothing does."""
        ...

    def submit(self, request: FineTuneRequest) -> JobState:
        """Submit the job, or find the one of this name that exists already."""
        ...

    def poll(self, job_name: str) -> JobState: ...

    def cancel(self, job_name: str) -> JobState:
        """Ask for cancellation; a job that has ended stays as it is."""
        ...


def _azureml(settings: Settings) -> FineTuningBackend:
    from shared.finetuning.azureml import AzureMLBackend

    return AzureMLBackend(
        subscription_id=settings.azureml_subscription_id,
        resource_group=settings.azureml_resource_group,
        workspace=settings.azureml_workspace,
        datastore=settings.azureml_datastore,
    )


BACKENDS: dict[str, Callable[[Settings], FineTuningBackend]] = {"azureml": _azureml}


def get_backend(name: str, settings: Settings) -> FineTuningBackend:
    """The backend of this name. Raises InvalidInput for a name that is none."""
    if name not in BACKENDS:
        raise InvalidInput(f"{name!r} is not a fine-tuning backend: use one of {', '.join(BACKENDS)}")
    return BACKENDS[name](settings)


__all__ = ["BACKENDS", "FineTuneRequest", "FineTuningBackend", "JobState", "JobStatus", "get_backend"]
