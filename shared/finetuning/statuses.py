"""The statuses of fine-tuning services as ours: all that AzureML, OpenAI and Azure document.

An unknown status is treated as not responding: it is neither a success nor an end, and waiting for
it is bounded.
"""

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
    "NotResponding": JobStatus.NOT_RESPONDING,  # no heartbeat; any other status may follow
    "Unknown": JobStatus.NOT_RESPONDING,
    "Completed": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
    "Canceled": JobStatus.CANCELLED,
}

# OpenAI's own, those of pausing and resuming, and those of Azure's older API and file imports.
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
    "deleted": JobStatus.FAILED,  # by somebody else: no model will come of it
    "cancelled": JobStatus.CANCELLED,
    "canceled": JobStatus.CANCELLED,
}


def azureml_status(service_status: str | None) -> JobStatus:
    """Return our status for AzureML's."""
    return AZUREML_STATUSES.get(service_status or "Unknown", JobStatus.NOT_RESPONDING)


def azure_openai_status(service_status: str | None) -> JobStatus:
    """Return our status for that of Azure OpenAI."""
    return AZURE_OPENAI_STATUSES.get(service_status or "", JobStatus.NOT_RESPONDING)
