"""finetune: submit the student's job once, follow it on durable timers to its terminal status, cancel it when told to.

continue_as_new after a bounded number of polls, so that a job of days has a history as small as one of minutes.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.names import CANCEL_FINETUNING, POLL_FINETUNING, SUBMIT_FINETUNING
from orchestrators.context import Context, Task
from orchestrators.steps import RunFailed, call, first_of
from shared.finetuning.outcome import job_outcome
from shared.pacing import poll_interval

FINETUNE = "finetune"
CANCEL = "cancel"
POLLS_PER_EXECUTION = 100

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context", orchestration=FINETUNE)
def finetune(context: Context) -> Generator[Any, Any, dict[str, Any] | None]:
    """`{run_id, splits, max_hours}` → `{status: ok | cancelled | failed, job, error?}`."""
    work: dict[str, Any] = context.get_input()
    try:
        return (yield from _follow(context, work))
    except RunFailed as failure:
        return {"status": "failed", "error": failure.error, "job": work.get("job")}


def _follow(context: Context, work: dict[str, Any]) -> Generator[Any, Any, dict[str, Any] | None]:
    if "job" not in work:
        submitted = yield from call(context, SUBMIT_FINETUNING, work)
        deadline = context.current_utc_datetime + timedelta(hours=work["max_hours"])
        work |= {"job": submitted["job"], "polls": 0, "deadline": deadline.isoformat(), "cancelling": None}
    cancelled = context.wait_for_external_event(CANCEL)
    for _ in range(POLLS_PER_EXECUTION):
        outcome = job_outcome(work["job"], work["cancelling"])
        if outcome is not None:
            return outcome
        yield from first_of(context, [] if cancelled.is_completed else [cancelled], poll_interval(work["polls"]))
        reason = _reason_to_cancel(context, work, cancelled)
        if reason:
            work["cancelling"] = reason
            yield from call(context, CANCEL_FINETUNING, _job_of(work))
        polled = yield from call(context, POLL_FINETUNING, {**_job_of(work), "cancel": bool(work["cancelling"])})
        work["job"], work["polls"] = polled["job"], work["polls"] + 1
    context.continue_as_new({**work, "cancel_asked": cancelled.is_completed})
    return None


def _reason_to_cancel(context: Context, work: dict[str, Any], cancelled: Task) -> str | None:
    if work["cancelling"]:
        return None
    if cancelled.is_completed or work.get("cancel_asked"):
        return "user"
    overdue = context.current_utc_datetime > datetime.fromisoformat(work["deadline"])
    return "deadline" if overdue else None


def _job_of(work: dict[str, Any]) -> dict[str, Any]:
    return {"run_id": work["run_id"], "job": work["job"]}
