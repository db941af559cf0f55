"""How a fine-tuning job is shown, and how it ends a run. Pure functions over plain data, as they serve orchestrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.core.errors import ErrorCode, ErrorData
from shared.finetuning.base import JobState, JobStatus

UNREACHED_HOURS = (
    24.0  # for which a service may not answer: outages and expired tokens do not fail a run
)
CONFIRM_HOURS = 6.0  # for which a cancellation may go unconfirmed
SAME = (
    "status",
    "service_status",
    "url",
    "model",
    "message",
    "job",
)  # what makes a change that is told at once

# why a job was cancelled, where it was not by the user
REASONS = {
    "deadline": "took longer than student.max_hours and was cancelled",
    "silent": "did not respond for longer than student.max_silent_minutes and was cancelled",
}


def job_view(state: JobState) -> dict[str, Any]:
    """A job in the run's status: `{job, status, service_status, url, model, message, metrics}`."""
    return {
        "job": state.name,
        "status": state.status.value,
        "service_status": state.service_status,
        "url": state.url,
        "model": state.registered_model,
        "message": state.message,
        "metrics": state.metrics,
        **({} if state.submitted else {"submitted": False}),
    }


def viewed_job(job: Mapping[str, Any]) -> JobState:
    """The job of such a view."""
    return JobState(
        name=job["job"],
        status=JobStatus(job["status"]),
        service_status=job["service_status"],
        message=job.get("message"),
        url=job.get("url"),
        registered_model=job.get("model"),
        metrics=job.get("metrics") or {},
    )


def has_changed(job: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """True for a change that users wait for; metrics alone are none."""
    return any(job.get(key) != known.get(key) for key in SAME)


def job_outcome(job: Mapping[str, Any], cancelling: str | None) -> dict[str, Any] | None:
    """How the fine-tuning of a run ended, None while it goes on.

    `cancelling` says why cancellation was asked for: `user`, a key of REASONS, or None when it was not.
    """
    status = JobStatus(job["status"])
    if not status.is_terminal:
        return None
    if status is JobStatus.COMPLETED:
        return {"status": "ok", "job": dict(job)}
    if status is JobStatus.CANCELLED and cancelling not in REASONS:
        return {"status": "cancelled", "job": dict(job)}
    return {"status": "failed", "job": dict(job), "error": _error(job, cancelling)}


def not_submitted(job: Mapping[str, Any], cancelling: str) -> dict[str, Any]:
    """The outcome of a job whose data the service was still taking in when it was to be cancelled: there is none."""
    if cancelling == "user":
        return {"status": "cancelled", "job": dict(job)}
    error: ErrorData = {
        "code": ErrorCode.FINETUNING,
        "message": f"the service did not take in the datasets in time: {job['service_status']}",
        "details": [],
    }
    return {"status": "failed", "job": dict(job), "error": error}


def given_up(job: Mapping[str, Any], cancelling: str | None, hours: float) -> dict[str, Any]:
    """The outcome of a job that nothing is heard of any more. What it does, nobody knows: the user is told where to look."""
    what = "has not confirmed the cancellation" if cancelling else "could not be asked"
    which = (
        f"fine-tuning job {job['job']} may still be running"
        if job["job"]
        else "no job was submitted"
    )
    message = f"the service {what} for {hours:g} hours, and {which}{_where(job)}; resume the run to go on from here"
    return {
        "status": "failed",
        "job": dict(job),
        "error": {"code": ErrorCode.FINETUNING_UNREACHABLE, "message": message, "details": []},
    }


def _error(job: Mapping[str, Any], cancelling: str | None) -> ErrorData:
    message = REASONS.get(cancelling or "") or job.get("message") or "the service gives no reason"
    text = f"fine-tuning job {job['job']} ended as {job['service_status']}: {message}{_where(job)}"
    return {"code": ErrorCode.FINETUNING, "message": text, "details": []}


def _where(job: Mapping[str, Any]) -> str:
    return f"; see {job['url']}" if job.get("url") else ""
