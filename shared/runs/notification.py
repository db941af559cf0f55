"""What is announced of a run that has ended: a CloudEvent in JSON. webhook.py sends it.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from shared.core.errors import ErrorData, Problem
from shared.core.json_values import JsonObject, json_object
from shared.core.notification_settings import NOTIFY_URL
from shared.runs.contracts import EndOfRun
from shared.runs.status import RunStatus, cut

EVENT_TYPE = "distillation.run"
"""A type is this and the run's state: `distillation.run.completed`."""
GONE = 410
MAX_TEXT_CHARACTERS = 500
MAX_ENTRIES = 5
"""Problems of an error, and warnings. A run's status has them all."""


def end_event(end: EndOfRun, app_url: str | None) -> JsonObject:
    """Return the event of a round's end. Executed twice, it has the same id.

    `app_url` is the app's address without a final slash, None where it isn't known.
    """
    state = end.status.outcome
    finished = _time_text(end.finished)
    runs = f"{app_url or ''}/api/runs"
    event = {
        "specversion": "1.0",
        "id": f"{end.run_id}:{end.round}:{state}:{end.finished:%Y%m%dT%H%M%SZ}",
        "source": runs,
        "type": f"{EVENT_TYPE}.{state}",
        "subject": end.run_id,
        "time": finished,
        "datacontenttype": "application/json",
        "data": _summary(end, f"{runs}/{end.run_id}" if app_url else None),
    }
    return json_object(to_jsonable_python(event)) or {}


def _summary(end: EndOfRun, link: str | None) -> dict[str, Any]:
    status = end.status
    warnings = status.warnings[:MAX_ENTRIES]
    return {
        "run": end.run_id,
        "task": status.task,
        "name": status.name,
        "round": end.round,
        "status": status.outcome,
        "stage": status.stage,
        "error": _short_error(status.error) if status.error else None,
        "warnings": [cut(warning, MAX_TEXT_CHARACTERS) for warning in warnings],
        "splits": status.splits,
        "requests": status.requests,
        "tokens": status.tokens,
        "cost": status.cost,
        "models": _models(status),
        "links": {"self": link} if link else {},
    }


def _short_error(error: ErrorData) -> ErrorData:
    details: list[Problem] = []
    for problem in error["details"][:MAX_ENTRIES]:
        where = cut(problem["where"], MAX_TEXT_CHARACTERS)
        details.append({"where": where, "problem": cut(problem["problem"], MAX_TEXT_CHARACTERS)})
    message = cut(error["message"], MAX_TEXT_CHARACTERS)
    return {"code": error["code"], "message": message, "details": details}


def _models(status: RunStatus) -> list[str]:
    """Return the students that were trained."""
    jobs = status.students or ([status.finetune] if status.finetune else [])
    models = [getattr(job, "model", None) for job in jobs]
    return [model for model in models if model]


def _time_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class NotificationStatus(BaseModel):
    """Custom status of the orchestration that notifies."""

    warning: str | None = None
    """Of the run whose end it announces."""


def not_delivered(problem: str, *, is_last: bool) -> str:
    """Return the warning of a run whose end could not be announced."""
    then = "it isn't sent again" if is_last else "it's sent again later"
    return f"the notification of the run's end wasn't delivered: {problem}; {then}"


NOT_WANTED = (
    f"{NOTIFY_URL} answered {GONE} (Gone): the notification of the run's end isn't sent again. "
    "Remove the setting, or set it to another address"
)
