"""finetune: submit a student's job once, follow it on durable timers to its terminal status, cancel it when told to.

continue_as_new after a bounded number of polls, so that a job of days has a history as small as one of minutes.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.names import (
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    POLL_FINETUNING,
    SUBMIT_FINETUNING,
)
from orchestrators.durable.context import Context, Task
from orchestrators.durable.waiting import RunFailed, call, first_of
from shared.core.backoff import poll_interval, progress_interval
from shared.finetuning.base import JobStatus
from shared.finetuning.outcome import (
    CONFIRM_HOURS,
    UNREACHED_HOURS,
    given_up,
    job_outcome,
    not_submitted,
)

FINETUNE = "finetune"
CANCEL = "cancel"
POLLS_PER_EXECUTION = 100
MAX_RETRY_AFTER_SECONDS = 3600.0  # a service may name any time

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=FINETUNE)
def finetune(context: Context) -> Generator[Any, Any, dict[str, Any] | None]:
    """`{run_id, splits, max_hours, student, max_silent_minutes}` → `{status: ok | cancelled | failed, job, error?, warnings?}`."""
    work: dict[str, Any] = context.get_input()
    try:
        outcome = yield from _follow(context, work)
    except RunFailed as failure:
        return {"status": "failed", "error": failure.error, "job": work.get("job")}
    if (
        outcome is None or "student" not in work
    ):  # goes on; or began when nothing was kept of a job that has ended
        return outcome
    return (yield from _conclude(context, work, outcome))


def _follow(context: Context, work: dict[str, Any]) -> Generator[Any, Any, dict[str, Any] | None]:
    if "job" not in work:
        submitted = yield from call(context, SUBMIT_FINETUNING, work)
        now = context.current_utc_datetime
        deadline = now + timedelta(hours=work["max_hours"])
        work |= {
            "job": submitted["job"],
            "polls": 0,
            "deadline": deadline.isoformat(),
            "cancelling": None,
        }
        work |= {"began": now.isoformat(), "told": now.isoformat()}
        _note_reach(context, work, submitted)
    cancelled = context.wait_for_external_event(CANCEL)
    for _ in range(POLLS_PER_EXECUTION):
        outcome = job_outcome(work["job"], work["cancelling"]) or _given_up(context, work)
        if outcome is not None:
            return outcome
        yield from first_of(context, [] if cancelled.is_completed else [cancelled], _pause(work))
        reason = _reason_to_cancel(context, work, cancelled)
        if reason:
            work["cancelling"] = reason
            if not _is_submitted(work):
                return not_submitted(work["job"], reason)
            yield from call(context, CANCEL_FINETUNING, _job_of(work))
        yield from _ask(context, work)
    context.continue_as_new({**work, "cancel_asked": cancelled.is_completed})
    return None


def _ask(context: Context, work: dict[str, Any]) -> Generator[Any, Any, None]:
    """Poll the job; while the service is still taking in its data, submit it again, which is no second job."""
    if _is_submitted(work):
        asked = {
            **_job_of(work),
            "cancel": bool(work["cancelling"]),
            "tell": _is_time_to_tell(context, work),
        }
        polled = yield from call(context, POLL_FINETUNING, asked)
    else:
        polled = yield from call(context, SUBMIT_FINETUNING, work)
    now = context.current_utc_datetime.isoformat()
    work["job"], work["polls"] = polled["job"], work["polls"] + 1
    _note_reach(context, work, polled)
    _note_since(work, "silent_since", work["job"]["status"] == JobStatus.NOT_RESPONDING, now)
    _note_since(work, "cancelling_since", bool(work["cancelling"]), now)


def _conclude(
    context: Context, work: dict[str, Any], outcome: dict[str, Any]
) -> Generator[Any, Any, dict[str, Any]]:
    """Keep what the service knows of the job. That it could not be kept is told, and changes nothing about the outcome."""
    try:
        kept = yield from call(
            context, CONCLUDE_FINETUNING, {**_job_of(work), "job": outcome["job"]}
        )
    except RunFailed as failure:
        return {
            **outcome,
            "warnings": [
                f"the course of the fine-tuning could not be kept: {failure.error['message']}"
            ],
        }
    return {**outcome, "job": kept["job"], "warnings": kept["warnings"]}


def _reason_to_cancel(context: Context, work: dict[str, Any], cancelled: Task) -> str | None:
    if work["cancelling"]:
        return None
    if cancelled.is_completed or work.get("cancel_asked"):
        return "user"
    if context.current_utc_datetime > datetime.fromisoformat(work["deadline"]):
        return "deadline"
    return (
        "silent"
        if _hours_since(context, work, "silent_since") * 60 > work.get("max_silent_minutes", 1e9)
        else None
    )


def _given_up(context: Context, work: dict[str, Any]) -> dict[str, Any] | None:
    """The outcome when the service has been out of reach, or has not confirmed a cancellation, for too long."""
    if _hours_since(context, work, "unreached_since") > UNREACHED_HOURS:
        return given_up(work["job"], work["cancelling"], UNREACHED_HOURS)
    if _hours_since(context, work, "cancelling_since") > CONFIRM_HOURS:
        return given_up(work["job"], work["cancelling"], CONFIRM_HOURS)
    return None


def _is_time_to_tell(context: Context, work: dict[str, Any]) -> bool:
    """Metrics are told ever more seldom, so that the root's history grows with the logarithm of a job's time."""
    if "began" not in work:
        return False
    now, began = context.current_utc_datetime, datetime.fromisoformat(work["began"])
    elapsed, since = (
        (now - began).total_seconds(),
        (now - datetime.fromisoformat(work["told"])).total_seconds(),
    )
    if since < progress_interval(elapsed):
        return False
    work["told"] = now.isoformat()
    return True


def _pause(work: dict[str, Any]) -> float:
    """Seconds until the next poll: ever more, and not before the time that the service has named."""
    return max(poll_interval(work["polls"]), work.get("retry_after") or 0.0)


def _note_reach(context: Context, work: dict[str, Any], answer: dict[str, Any]) -> None:
    _note_since(
        work,
        "unreached_since",
        answer.get("reached") is False,
        context.current_utc_datetime.isoformat(),
    )
    work["retry_after"] = min(answer.get("retry_after") or 0.0, MAX_RETRY_AFTER_SECONDS)


def _note_since(work: dict[str, Any], name: str, holds: bool, now: str) -> None:
    work[name] = (work.get(name) or now) if holds else None


def _hours_since(context: Context, work: dict[str, Any], name: str) -> float:
    since = work.get(name)
    return (
        (context.current_utc_datetime - datetime.fromisoformat(since)).total_seconds() / 3600
        if since
        else 0.0
    )


def _is_submitted(work: dict[str, Any]) -> bool:
    return work["job"].get("submitted", True)


def _job_of(work: dict[str, Any]) -> dict[str, Any]:
    known = ("run_id", "job", "student", "splits", "round")
    return {key: work[key] for key in known if key in work}
