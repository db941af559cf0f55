"""How a fine-tuning job is shown, and how it ends a run. Pure functions over plain data, as they serve orchestrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors import ErrorData
from shared.finetuning import JobState, JobStatus


def job_view(state: JobState) -> dict[str, Any]:
    """A job in the run's status: `{job, status, service_status, url, model, message}`."""
    return {
        "job": state.name,
        "status": state.status.value,
        "service_status": state.service_status,
        "url": state.url,
        "model": state.registered_model,
        "message": state.message,
    }


def job_outcome(job: Mapping[str, Any], cancelling: str | None) -> dict[str, Any] | None:
    """How the fine-tuning of a run ended, None while it goes on.

    `cancelling` says why cancellation was asked for: `user`, `deadline`, or None when it was not.
    """
    status = JobStatus(job["status"])
    if not status.is_terminal:
        return None
    if status is JobStatus.COMPLETED:
        return {"status": "ok", "job": dict(job)}
    if status is JobStatus.CANCELLED and cancelling != "deadline":
        return {"status": "cancelled", "job": dict(job)}
    return {"status": "failed", "job": dict(job), "error": _error(job, cancelling)}


def _error(job: Mapping[str, Any], cancelling: str | None) -> ErrorData:
    if cancelling == "deadline":
        message = "took longer than student.max_hours and was cancelled"
    else:
        message = job.get("message") or "the service gives no reason"
    where = f"; see {job['url']}" if job.get("url") else ""
    text = f"fine-tuning job {job['job']} ended as {job['service_status']}: {message}{where}"
    return {"code": "finetuning", "message": text, "details": []}
