"""Statuses and histories as Durable's management API shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from local.functions_host.durable.events import NAMES, Event, Kind, parse_time
from local.functions_host.durable.records import Instance

_ENDINGS = {1: "Completed", 3: "Failed"}
_EPISODES = (Kind.ORCHESTRATOR_STARTED, Kind.ORCHESTRATOR_COMPLETED)
_HIDDEN = [
    "EventId",
    "IsPlayed",
    "TaskScheduledId",
    "TimerId",
    "Version",
    "Tags",
    "OrchestrationInstance",
    "ParentInstance",
]


def status_view(
    instance: Instance, *, show_input: bool, history: list[Event] | None = None
) -> dict[str, Any]:
    """Return the status of an instance. Times are whole seconds."""
    return {
        "name": instance.name,
        "instanceId": instance.instance_id,
        "runtimeStatus": instance.status,
        "input": parsed(instance.input) if show_input else None,
        "customStatus": parsed(instance.custom_status),
        "output": parsed(instance.output),
        "createdTime": _seconds(instance.created),
        "lastUpdatedTime": _seconds(instance.updated),
        "historyEvents": history,
    }


def history_view(history: list[Event], *, show_output: bool) -> list[Event]:
    """Return history for people: a task that has ended is one event, episodes are left out."""
    ended = {event["TaskScheduledId"] for event in history if "TaskScheduledId" in event}
    scheduled: dict[int, Event] = {}
    shown: list[Event] = []
    for event in history:
        kind = Kind(event["EventType"])
        if kind in (Kind.TASK_SCHEDULED, Kind.SUB_CREATED):
            scheduled[event["EventId"]] = event
            if event["EventId"] in ended:
                continue
        if kind not in _EPISODES:
            view = _event_view(event, kind, scheduled)
            if not show_output:
                view.pop("Result", None)
            shown.append(view)
    return shown


def parsed(text: str | None) -> Any:
    """Return the value of a JSON text; text that is not JSON (a reason, an error) stays text."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _event_view(event: Event, kind: Kind, scheduled: Mapping[int, Event]) -> Event:
    view = {key: value for key, value in event.items() if key not in _HIDDEN}
    view["EventType"] = NAMES[kind]
    task = scheduled.get(event.get("TaskScheduledId", -1))
    if task is not None:
        view["ScheduledTime"] = task["Timestamp"]
        view["FunctionName"] = task["Name"]
        view["Input"] = task["Input"]
    if kind is Kind.EXECUTION_STARTED:
        view["FunctionName"] = view.pop("Name")
    if kind is Kind.EXECUTION_COMPLETED:
        view["OrchestrationStatus"] = _ENDINGS[view["OrchestrationStatus"]]
    if "Result" in view:
        view["Result"] = parsed(view["Result"])
    return view


def _seconds(text: str) -> str:
    return parse_time(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
