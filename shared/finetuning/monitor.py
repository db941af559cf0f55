"""What following a fine-tuning job remembers between two polls, and what it decides. Pure.

The orchestrator `finetune` hands the monitor from execution to execution, so the history of a job
of days stays as small as that of a job of minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from shared.core.backoff import poll_interval, progress_interval
from shared.finetuning.base import JobState, JobStatus
from shared.finetuning.outcome import (
    CONFIRM_HOURS,
    UNREACHED_HOURS,
    CancelReason,
    TrainingOutcome,
    job_outcome,
    unreachable,
)

MAX_RETRY_AFTER_SECONDS = 3600.0
"""A service may name any time."""


class JobMonitor(BaseModel):
    """A job that is being followed. Every change returns a new monitor."""

    model_config = ConfigDict(frozen=True)

    job: JobState
    began: datetime
    deadline: datetime
    reported: datetime
    """When the root was last told of new metrics."""
    polls: int = 0
    retry_after: float = 0.0
    """Seconds, as the service asked."""
    cancel_requested: bool = False
    """Whether the user cancelled in an earlier execution."""
    cancel_reason: CancelReason | None = None
    """None until the cancellation was passed on to the service."""
    cancelling_since: datetime | None = None
    unreached_since: datetime | None = None
    silent_since: datetime | None = None
    """Since when the service has reported that the job doesn't respond."""

    @classmethod
    def begin(cls, job: JobState, now: datetime, max_hours: float) -> JobMonitor:
        """Return the monitor of a job that was submitted just now."""
        deadline = now + timedelta(hours=max_hours)
        return cls(job=job, began=now, reported=now, deadline=deadline)

    def noting_reach(
        self, now: datetime, *, reached: bool, retry_after: float | None
    ) -> JobMonitor:
        """Return the monitor after the service was asked, whether or not it could be reached."""
        since = None if reached else self.unreached_since or now
        seconds = min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
        return self.model_copy(update={"unreached_since": since, "retry_after": seconds})

    def after_poll(self, job: JobState, now: datetime) -> JobMonitor:
        """Return the monitor after one more poll, with the job as it is now."""
        silent = job.status is JobStatus.NOT_RESPONDING
        update = {
            "job": job,
            "polls": self.polls + 1,
            "silent_since": (self.silent_since or now) if silent else None,
            "cancelling_since": (self.cancelling_since or now) if self.cancel_reason else None,
        }
        return self.model_copy(update=update)

    def cancelling(self, reason: CancelReason) -> JobMonitor:
        """Return the monitor of a job whose cancellation is requested now."""
        return self.model_copy(update={"cancel_reason": reason})

    def reporting(self, now: datetime) -> JobMonitor:
        """Return the monitor after the root was told of new metrics."""
        return self.model_copy(update={"reported": now})

    @property
    def seconds_until_poll(self) -> float:
        """Ever more, and not before the time that the service asked for."""
        return max(poll_interval(self.polls), self.retry_after)

    def outcome(self, now: datetime) -> TrainingOutcome | None:
        """Return how the fine-tuning ended, None while it goes on.

        It also ends when the service has been unreachable, or hasn't confirmed a cancellation, for
        too long.
        """
        ended = job_outcome(self.job, self.cancel_reason)
        if ended is not None:
            return ended
        if _hours(self.unreached_since, now) > UNREACHED_HOURS:
            return unreachable(self.job, self.cancel_reason, UNREACHED_HOURS)
        if _hours(self.cancelling_since, now) > CONFIRM_HOURS:
            return unreachable(self.job, self.cancel_reason, CONFIRM_HOURS)
        return None

    def reason_to_cancel(
        self, now: datetime, *, by_user: bool, max_silent_minutes: float
    ) -> CancelReason | None:
        """Return why to request the cancellation now, None when it is not due or was requested."""
        if self.cancel_reason:
            return None
        if by_user or self.cancel_requested:
            return CancelReason.USER
        if now > self.deadline:
            return CancelReason.DEADLINE
        if _hours(self.silent_since, now) * 60 > max_silent_minutes:
            return CancelReason.SILENT
        return None

    def is_report_due(self, now: datetime) -> bool:
        """Whether the root should be told of new metrics.

        Intervals grow with the job's age, so the root's history grows with its logarithm.
        """
        elapsed = (now - self.began).total_seconds()
        return (now - self.reported).total_seconds() >= progress_interval(elapsed)


def _hours(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else (now - since).total_seconds() / 3600
