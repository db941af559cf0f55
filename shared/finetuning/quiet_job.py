"""A job that runs without a sign of life. Pure.

Microsoft's fine-tuning skill (references/platform-gotchas.md) reports jobs that stop emitting
events and never end, and advises cancelling them after 30 minutes. A step of a large model may take
as long, so this is a warning: whether to cancel is left to the user.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.finetuning.base import JobState, JobStatus

QUIET = timedelta(minutes=30)


def followed(job: JobState, before: JobState, now: datetime) -> JobState:
    """Return the job of a poll with what is remembered of the polls before it.

    That are metrics, if there are no new ones, warnings, and the last sign of life: the service's
    newest event, or when the job began to run, as far as polls can tell. Services that don't list
    events give no sign and get no warning.
    """
    warnings = list(dict.fromkeys([*before.warnings, *job.warnings]))
    update: dict[str, object] = {"metrics": job.metrics or before.metrics, "warnings": warnings}
    if job.last_sign is None:  # the events could not be read this time
        update["last_sign"] = before.last_sign
    elif job.status is JobStatus.RUNNING:
        last_sign = _last_sign(job.last_sign, before, now)
        update["last_sign"] = last_sign
        warning = _warning(job)
        if now - last_sign > QUIET and warning not in warnings:
            warnings.append(warning)
    return job.model_copy(update=update)


def _last_sign(newest_event: datetime, before: JobState, now: datetime) -> datetime:
    """Return the newest event, unless the job has begun to run since: it may have waited long."""
    if before.status is not JobStatus.RUNNING or before.last_sign is None:
        return max(newest_event, now)
    return max(newest_event, before.last_sign)


def _warning(job: JobState) -> str:
    minutes = QUIET.total_seconds() / 60
    return (
        f"fine-tuning job {job.job} was running for more than {minutes:g} minutes without a new "
        "event: if no more follow, it may hang; cancel the run and resume it to train again"
    )
