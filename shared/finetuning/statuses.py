"""The statuses of fine-tuning services in our words: all fourteen of AzureML's API, and all that OpenAI and Azure document."""

from __future__ import annotations

from shared.finetuning.base import JobStatus

AZUREML_STATUSES: dict[str, JobStatus] = {
    "NotStarted": JobStatus.QUEUED,
    "Queued": JobStatus.QUEUED,
    "Starting": JobStatus.PREPARING,
    "Provisioning": JobStatus.PREPARING,
    "Preparing": JobStatus.PREPARING,
    "Running": JobStatus.RUNNING,
    "Finalizing": JobStatus.FINALIZING,
    "Paused": JobStatus.PAUSED,
    "CancelRequested": JobStatus.CANCELLING,
    "NotResponding": JobStatus.NOT_RESPONDING,  # no heartbeat: may still come back to any other
    "Unknown": JobStatus.NOT_RESPONDING,  # says as little, and is treated with the same patience
    "Completed": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
    "Canceled": JobStatus.CANCELLED,
}


def azureml_status(service_status: str | None) -> JobStatus:
    """Our word for the service's. A status that is new to us is treated as Unknown: never as success, never as an end."""
    return AZUREML_STATUSES.get(service_status or "Unknown", AZUREML_STATUSES["Unknown"])


# OpenAI's own (validating_files … cancelled), those of pausing and resuming, and those of Azure's older API and its file imports.
AZURE_OPENAI_STATUSES: dict[str, JobStatus] = {
    "notRunning": JobStatus.QUEUED,
    "created": JobStatus.QUEUED,
    "pending": JobStatus.QUEUED,
    "queued": JobStatus.QUEUED,
    "validating_files": JobStatus.PREPARING,
    "resuming": JobStatus.PREPARING,
    "running": JobStatus.RUNNING,
    "pausing": JobStatus.RUNNING,
    "paused": JobStatus.PAUSED,
    "cancelling": JobStatus.CANCELLING,
    "canceling": JobStatus.CANCELLING,
    "succeeded": JobStatus.COMPLETED,
    "failed": JobStatus.FAILED,
    "deleted": JobStatus.FAILED,  # by somebody else: it will give no model
    "cancelled": JobStatus.CANCELLED,
    "canceled": JobStatus.CANCELLED,
}


def azure_openai_status(service_status: str | None) -> JobStatus:
    """Our word for the service's. One that is new to us is waited on with bounded patience: never a success, never an end."""
    return AZURE_OPENAI_STATUSES.get(service_status or "", JobStatus.NOT_RESPONDING)
