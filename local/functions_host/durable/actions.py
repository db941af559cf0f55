"""What an orchestrator asks for: actions on the wire, and the commands they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from local.functions_host.durable.events import Kind

Action = Mapping[str, Any]


class ActionType(IntEnum):
    """Numbers of the actions on the wire."""

    CALL_ACTIVITY = 0
    CALL_ACTIVITY_WITH_RETRY = 1
    CALL_SUB_ORCHESTRATOR = 2
    CALL_SUB_ORCHESTRATOR_WITH_RETRY = 3
    CONTINUE_AS_NEW = 4
    CREATE_TIMER = 5
    WAIT_FOR_EXTERNAL_EVENT = 6
    CALL_ENTITY = 7
    CALL_HTTP = 8
    SIGNAL_ENTITY = 9
    SCHEDULED_SIGNAL_ENTITY = 10
    WHEN_ANY = 11
    WHEN_ALL = 12


UNSUPPORTED = (
    ActionType.CALL_SUB_ORCHESTRATOR_WITH_RETRY,
    ActionType.CALL_ENTITY,
    ActionType.CALL_HTTP,
    ActionType.SIGNAL_ENTITY,
    ActionType.SCHEDULED_SIGNAL_ENTITY,
)


class ReplayError(Exception):
    """The orchestration fails with this message."""


class NotDeterministic(ReplayError):
    """The orchestrator no longer does what its history says it did."""


class NotSupported(ReplayError):
    """This host does not run such an action."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something to schedule. `name` and `input` are an activity's or orchestrator's.

    `kind` is TASK_SCHEDULED, SUB_CREATED or TIMER_CREATED; `fire_at` is a timer's.
    """

    id: int
    kind: Kind
    name: str = ""
    input: Any = None
    instance_id: str | None = None
    fire_at: datetime | None = None
