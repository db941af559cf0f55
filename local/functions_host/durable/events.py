"""History events as the Durable extension hands them to orchestrators: JSON, with .NET names.

`EventId` numbers what an orchestration schedules, in that order; other events have -1.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

Event = dict[str, Any]
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Kind(IntEnum):
    """Event types, with the numbers of DurableTask.Core."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_CREATED = 7
    SUB_COMPLETED = 8
    SUB_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_RAISED = 15
    CONTINUE_AS_NEW = 16
    EXECUTION_SUSPENDED = 19
    EXECUTION_RESUMED = 20


def _name(kind: Kind) -> str:
    words = kind.name.replace("SUB_", "SUB_ORCHESTRATION_INSTANCE_").split("_")
    return "".join(word.capitalize() for word in words)


NAMES = {kind: _name(kind) for kind in Kind}


class Status(StrEnum):
    """Runtime statuses of instances, in the words of the management API."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    TERMINATED = "Terminated"
    SUSPENDED = "Suspended"
    CANCELED = "Canceled"
    CONTINUED_AS_NEW = "ContinuedAsNew"

    @property
    def is_terminal(self) -> bool:
        """Whether the instance has ended."""
        return self in (Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.CANCELED)


def event(kind: Kind, moment: datetime, *, event_id: int = -1, **fields: Any) -> Event:
    """Return an event that is not yet played; `fields` have .NET names."""
    return {
        "EventType": int(kind),
        "EventId": event_id,
        "IsPlayed": False,
        "Timestamp": time_text(moment),
        **fields,
    }


def time_text(moment: datetime) -> str:
    """Return a moment as history has it."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


def parse_time(text: str) -> datetime:
    """Read a moment of `time_text` or of the SDK (`…Z` or an offset, any number of decimals)."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
