"""The statuses of an AzureML job, all fourteen that its API has, in our words."""

from __future__ import annotations

from shared.finetuning import JobStatus

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
