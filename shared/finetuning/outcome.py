"""How a fine-tuning job ends a run. Pure, because it serves orchestrators."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.core.errors import ErrorCode, ErrorData, Problem
from shared.finetuning.base import JobState, JobStatus

UNREACHED_HOURS = 24.0
"""How long a service may be unreachable: outages and expired tokens don't fail a run."""
CONFIRM_HOURS = 6.0
"""How long a cancellation may go unconfirmed."""


class CancelReason(StrEnum):
    """Why the cancellation of a job was requested."""

    USER = "user"
    DEADLINE = "deadline"
    SILENT = "silent"


FAILING_REASONS = {
    CancelReason.DEADLINE: "took longer than student.max_hours and was cancelled",
    CancelReason.SILENT: (
        "did not respond for longer than student.max_silent_minutes and was cancelled"
    ),
}


class TrainingOutcome(BaseModel):
    """How the fine-tuning of one student ended."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "cancelled", "failed"]
    job: JobState | None = None
    error: ErrorData | None = None
    warnings: list[str] = Field(default_factory=list[str])


def has_changed(job: JobState, before: JobState | None) -> bool:
    """True for a change that users wait for. New metrics and signs of life alone are not one."""
    if before is None:
        return True
    progress: dict[str, object] = {"metrics": {}, "last_sign": None}
    return job.model_copy(update=progress) != before.model_copy(update=progress)


def job_outcome(job: JobState, cancel_reason: CancelReason | None) -> TrainingOutcome | None:
    """Return how the job ends the fine-tuning, None while it goes on."""
    if not job.status.is_terminal:
        return None
    if job.status is JobStatus.COMPLETED:
        return TrainingOutcome(status="ok", job=job)
    if job.status is JobStatus.CANCELLED and cancel_reason not in FAILING_REASONS:
        return TrainingOutcome(status="cancelled", job=job)
    return TrainingOutcome(status="failed", job=job, error=_ended_badly(job, cancel_reason))


def never_submitted(job: JobState, cancel_reason: CancelReason) -> TrainingOutcome:
    """Return the outcome of a job that was cancelled before the service had taken in its data."""
    if cancel_reason is CancelReason.USER:
        return TrainingOutcome(status="cancelled", job=job)
    message = f"the service did not take in the datasets in time: {job.service_status}"
    error: ErrorData = {"code": ErrorCode.FINETUNING, "message": message, "details": []}
    return TrainingOutcome(status="failed", job=job, error=error)


def refused(job: JobState | None, error: ErrorData) -> TrainingOutcome:
    """Return the outcome of a request that failed for good. A job that was submitted may run on."""
    if job is not None and not job.submitted:
        update = {"status": JobStatus.FAILED, "message": error["message"]}
        job = job.model_copy(update=update)
    return TrainingOutcome(status="failed", job=job, error=error)


def unreachable(job: JobState, cancel_reason: CancelReason | None, hours: float) -> TrainingOutcome:
    """Return the outcome of a job whose service has been silent for so long. It may still run."""
    silence = "has not confirmed the cancellation" if cancel_reason else "could not be reached"
    state = "no job was submitted"
    if job.job:
        state = f"fine-tuning job {job.job} may still be running"
    message = (
        f"the service {silence} for {hours:g} hours, and {state}{_link(job)}; "
        "resume the run to go on from here"
    )
    error: ErrorData = {"code": ErrorCode.FINETUNING_UNREACHABLE, "message": message, "details": []}
    return TrainingOutcome(status="failed", job=job, error=error)


def failure_of_students(outcomes: Sequence[TrainingOutcome]) -> ErrorData | None:
    """Return the one error of a run whose students were all trained, None if none failed."""
    errors = {
        number: outcome.error
        for number, outcome in enumerate(outcomes)
        if outcome.error is not None
    }
    if not errors:
        return None
    if len(outcomes) == 1:
        return errors[0]
    details: list[Problem] = [
        {"where": f"student.{number}", "problem": error["message"]}
        for number, error in errors.items()
    ]
    message = (
        f"the fine-tuning of {len(errors)} of {len(outcomes)} students failed; "
        "resume the run to train those again"
    )
    return {"code": ErrorCode.FINETUNING, "message": message, "details": details}


def _ended_badly(job: JobState, cancel_reason: CancelReason | None) -> ErrorData:
    reason = job.message or "the service gives no reason"
    if cancel_reason is not None:
        reason = FAILING_REASONS.get(cancel_reason, reason)
    message = f"fine-tuning job {job.job} ended as {job.service_status}: {reason}{_link(job)}"
    return {"code": ErrorCode.FINETUNING, "message": message, "details": []}


def _link(job: JobState) -> str:
    return f"; see {job.url}" if job.url else ""
