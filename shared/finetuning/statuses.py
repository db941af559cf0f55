"""The statuses of fine-tuning services as ours: all that AzureML, OpenAI and Azure document.

A status that isn't in a table is treated as running: it is neither a success nor an end, and
`student.max_hours` bounds the wait. A job without a status is treated as not responding.
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
    return _status(AZUREML_STATUSES, service_status)


def azure_openai_status(service_status: str | None) -> JobStatus:
    """Return our status for that of Azure OpenAI."""
    return _status(AZURE_OPENAI_STATUSES, service_status)


def _status(statuses: dict[str, JobStatus], service_status: str | None) -> JobStatus:
    if not service_status:
        return JobStatus.NOT_RESPONDING
    return statuses.get(service_status, JobStatus.RUNNING)
