"""How a fine-tuning job is shown, and how it ends a run. Pure, because it serves orchestrators."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

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


class JobView(BaseModel):
    """A job as users see it in the run's status and report."""

    model_config = ConfigDict(frozen=True)

    job: str
    """Name at the service; empty before there is a job."""
    status: JobStatus
    service_status: str
    url: str | None = None
    model: str | None = None
    message: str | None = None
    metrics: dict[str, float] = Field(default_factory=dict[str, float])
    submitted: bool = True
    """False while the service still takes in the data. Shown only then."""

    @model_serializer(mode="wrap")
    def _without_the_usual(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        view: dict[str, Any] = serialize(self)
        if self.submitted:
            del view["submitted"]
        return view


class TrainingOutcome(BaseModel):
    """How the fine-tuning of one student ended."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "cancelled", "failed"]
    job: JobView | None = None
    error: ErrorData | None = None
    warnings: list[str] = Field(default_factory=list[str])


def job_view(state: JobState) -> JobView:
    """Return the view of a job's state."""
    return JobView(
        job=state.name,
        status=state.status,
        service_status=state.service_status,
        url=state.url,
        model=state.registered_model,
        message=state.message,
        metrics=state.metrics,
        submitted=state.submitted,
    )


def job_state(view: JobView) -> JobState:
    """Return the state of the job in a view."""
    return JobState(
        name=view.job,
        status=view.status,
        service_status=view.service_status,
        message=view.message,
        url=view.url,
        registered_model=view.model,
        metrics=view.metrics,
        submitted=view.submitted,
    )


def has_changed(job: JobView, before: JobView | None) -> bool:
    """True for a change that users wait for. New metrics alone are not one."""
    if before is None:
        return True
    return job.model_copy(update={"metrics": {}}) != before.model_copy(update={"metrics": {}})


def job_outcome(job: JobView, cancel_reason: CancelReason | None) -> TrainingOutcome | None:
    """Return how the job ends the fine-tuning, None while it goes on."""
    if not job.status.is_terminal:
        return None
    if job.status is JobStatus.COMPLETED:
        return TrainingOutcome(status="ok", job=job)
    if job.status is JobStatus.CANCELLED and cancel_reason not in FAILING_REASONS:
        return TrainingOutcome(status="cancelled", job=job)
    return TrainingOutcome(status="failed", job=job, error=_ended_badly(job, cancel_reason))


def never_submitted(job: JobView, cancel_reason: CancelReason) -> TrainingOutcome:
    """Return the outcome of a job that was cancelled before the service had taken in its data."""
    if cancel_reason is CancelReason.USER:
        return TrainingOutcome(status="cancelled", job=job)
    message = f"the service did not take in the datasets in time: {job.service_status}"
    error: ErrorData = {"code": ErrorCode.FINETUNING, "message": message, "details": []}
    return TrainingOutcome(status="failed", job=job, error=error)


def unreachable(job: JobView, cancel_reason: CancelReason | None, hours: float) -> TrainingOutcome:
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
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if not errors:
        return None
    if len(outcomes) == 1:
        return errors[0]
    details: list[Problem] = [{"where": "student", "problem": error["message"]} for error in errors]
    message = (
        f"the fine-tuning of {len(errors)} of {len(outcomes)} students failed; "
        "resume the run to train those again"
    )
    return {"code": ErrorCode.FINETUNING, "message": message, "details": details}


def _ended_badly(job: JobView, cancel_reason: CancelReason | None) -> ErrorData:
    reason = job.message or "the service gives no reason"
    if cancel_reason is not None:
        reason = FAILING_REASONS.get(cancel_reason, reason)
    message = f"fine-tuning job {job.job} ended as {job.service_status}: {reason}{_link(job)}"
    return {"code": ErrorCode.FINETUNING, "message": message, "details": []}


def _link(job: JobView) -> str:
    return f"; see {job.url}" if job.url else ""
