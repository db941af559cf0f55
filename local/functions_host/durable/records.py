"""What the task hub keeps: instances, messages on their way to them, activities that wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.functions_host.durable.events import Event, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The execution that waits for a sub-orchestration, and the id of its task."""

    instance_id: str
    execution_id: str
    task_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One orchestration. `input`, `output`, `custom_status` are JSON texts; times as in events."""

    instance_id: str
    execution_id: str
    name: str
    status: Status
    input: str | None
    output: str | None = None
    custom_status: str | None = None
    created: str
    updated: str
    parent: Parent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An event for an instance. `due` is in seconds since the epoch.

    `execution_id` None addresses whichever execution is the latest.
    """

    instance_id: str
    execution_id: str | None
    event: Event
    due: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An activity that was scheduled and has not ended. `input` is mostly JSON text."""

    id: int
    instance_id: str
    execution_id: str
    task_id: int
    name: str
    input: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """An instance with its history and the messages that are due, as read at one moment.

    There is at least one message; `events` has one event for each of `message_ids`.
    """

    instance: Instance
    history: list[Event]
    message_ids: list[int]
    events: list[Event]
