"""Write what an episode came to: history, messages, waiting activities, new instances."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from local.functions_host.durable.actions import Command
from local.functions_host.durable.episodes import Decision
from local.functions_host.durable.events import Event, Kind, Status, event, time_text
from local.functions_host.durable.records import Instance, Message, Parent
from local.functions_host.durable.store import Store

_STATUS_NUMBERS = {Status.COMPLETED: 1, Status.FAILED: 3}  # DurableTask.Core's


class Recording:
    """One episode of an instance, written within a transaction of the caller's.

    `position` is the length of its history so far, `events` what the episode read.
    """

    def __init__(
        self,
        store: Store,
        orchestrators: Collection[str],
        instance: Instance,
        position: int,
        events: list[Event],
        moment: datetime,
    ) -> None:
        self._store = store
        self._orchestrators = orchestrators
        self._instance = instance
        self._position = position
        self._events = list(events)
        self._moment = moment

    def record(self, decision: Decision) -> None:
        """Write the orchestrator's decision."""
        if decision.custom_status is not None:
            status = json.dumps(decision.custom_status)
            self._instance = replace(self._instance, custom_status=status)
        if decision.continue_with is not None:
            self._continue_as_new(decision.continue_with)
        elif decision.error is not None:
            failure = f"Orchestrator function '{self._instance.name}' failed: {decision.error}"
            self.end(Status.FAILED, failure)
        else:
            for command in decision.commands:
                self._events.append(self._schedule(command))
            if decision.is_done:
                self.end(Status.COMPLETED, json.dumps(decision.output))
            else:
                self.go_on(Status.RUNNING)

    def go_on(self, status: Status) -> None:
        """Add the episode's events to history; the instance goes on in this status."""
        self._append_history()
        self._put(status=status)

    def end(self, status: Status, output: str) -> None:
        """End the instance and tell its parent. `output` is JSON if it completed, else text."""
        if status in _STATUS_NUMBERS:
            number = _STATUS_NUMBERS[status]
            self._append(Kind.EXECUTION_COMPLETED, OrchestrationStatus=number, Result=output)
        self._append_history()
        self._put(status=status, output=output)
        self._store.drop_messages(self._instance.instance_id)
        if self._instance.parent is not None:
            self._tell_parent(self._instance.parent, status, output)

    def _append(self, kind: Kind, **fields: Any) -> None:
        self._events.append(event(kind, self._moment, **fields))

    def _append_history(self) -> None:
        self._append(Kind.ORCHESTRATOR_COMPLETED)
        self._store.append_history(self._instance.instance_id, self._position, self._events)

    def _put(self, **changes: Any) -> None:
        self._instance = replace(self._instance, updated=time_text(self._moment), **changes)
        self._store.put_instance(self._instance)

    def _tell_parent(self, parent: Parent, status: Status, output: str) -> None:
        fields: dict[str, Any] = {"Result": output}
        kind = Kind.SUB_COMPLETED
        if status is not Status.COMPLETED:
            kind = Kind.SUB_FAILED
            reason = output or f"{self._instance.instance_id} was terminated"
            fields = {"Reason": reason, "Details": status.value}
        outcome = event(kind, self._moment, TaskScheduledId=parent.task_id, **fields)
        message = Message(
            instance_id=parent.instance_id, execution_id=parent.execution_id, event=outcome
        )
        self._store.send([message])

    def _continue_as_new(self, input_: Any) -> None:
        """Begin an execution with an empty history. Events that were not read yet stay."""
        self._store.delete_execution(self._instance.instance_id, self._instance.execution_id)
        self._put(execution_id=uuid4().hex, status=Status.RUNNING, input=json.dumps(input_))
        version = self._store.default_version
        self._store.send([start_message(self._instance, self._moment, version)])

    def _schedule(self, command: Command) -> Event:
        """Carry out a command and return its event for history."""
        if command.kind is Kind.TASK_SCHEDULED:
            return self._schedule_activity(command)
        if command.fire_at is not None:
            return self._schedule_timer(command.id, command.fire_at)
        return self._create_sub_orchestration(command)

    def _schedule_activity(self, command: Command) -> Event:
        instance = self._instance
        self._store.schedule(
            instance.instance_id, instance.execution_id, command.id, command.name, command.input
        )
        fields = {"Name": command.name, "Version": "", "Input": json.dumps([command.input])}
        return event(Kind.TASK_SCHEDULED, self._moment, event_id=command.id, **fields)

    def _schedule_timer(self, task_id: int, fire_at: datetime) -> Event:
        time = time_text(fire_at)
        fired = event(Kind.TIMER_FIRED, fire_at, TimerId=task_id, FireAt=time)
        self._send_to_itself(fired, due=max(fire_at.timestamp(), 0.001))
        return event(Kind.TIMER_CREATED, self._moment, event_id=task_id, FireAt=time)

    def _create_sub_orchestration(self, command: Command) -> Event:
        instance = self._instance
        input_ = json.dumps(command.input)
        child_id = command.instance_id or f"{instance.execution_id}:{command.id:08x}"
        problem = self._why_not(command.name, child_id)
        if problem:
            fields: dict[str, Any] = {
                "TaskScheduledId": command.id,
                "Reason": problem,
                "Details": "",
            }
            self._send_to_itself(event(Kind.SUB_FAILED, self._moment, **fields))
        else:
            parent = Parent(
                instance_id=instance.instance_id,
                execution_id=instance.execution_id,
                task_id=command.id,
            )
            self._store.delete(child_id)
            create_instance(self._store, child_id, command.name, input_, self._moment, parent)
        fields = {"Name": command.name, "Version": "", "InstanceId": child_id, "Input": input_}
        return event(Kind.SUB_CREATED, self._moment, event_id=command.id, **fields)

    def _why_not(self, name: str, child_id: str) -> str | None:
        if name not in self._orchestrators:
            return no_function(name, "orchestrator")
        existing = self._store.instance(child_id)
        if existing is not None and not existing.status.is_terminal:
            return f"an orchestration with the id {child_id} is already running"
        return None

    def _send_to_itself(self, message_event: Event, due: float = 0.0) -> None:
        message = Message(
            instance_id=self._instance.instance_id,
            execution_id=self._instance.execution_id,
            event=message_event,
            due=due,
        )
        self._store.send([message])


def create_instance(
    store: Store,
    instance_id: str,
    name: str,
    input_: str | None,
    moment: datetime,
    parent: Parent | None = None,
) -> Instance:
    """Write a new instance and the message that starts it, within a transaction of the caller's."""
    instance = Instance(
        instance_id=instance_id,
        execution_id=uuid4().hex,
        name=name,
        status=Status.PENDING,
        input=input_,
        created=time_text(moment),
        updated=time_text(moment),
        parent=parent,
    )
    store.put_instance(instance)
    store.send([start_message(instance, moment, store.default_version)])
    return instance


def start_message(instance: Instance, moment: datetime, version: str = "") -> Message:
    """Return the message that begins an execution."""
    parent = None
    if instance.parent is not None:
        parent = {
            "OrchestrationInstance": _identity(instance.parent),
            "TaskScheduleId": instance.parent.task_id,
        }
    fields: dict[str, Any] = {
        "OrchestrationInstance": _identity(instance),
        "ParentInstance": parent,
        "Name": instance.name,
        "Version": version,
        "Tags": None,
        "Input": instance.input,
    }
    return Message(
        instance_id=instance.instance_id,
        execution_id=instance.execution_id,
        event=event(Kind.EXECUTION_STARTED, moment, **fields),
    )


def no_function(name: str, kind: str) -> str:
    """Say that the app has no such function."""
    return f"the function '{name}' doesn't exist, is disabled, or is not an {kind} function"


def _identity(execution: Instance | Parent) -> dict[str, str]:
    return {"InstanceId": execution.instance_id, "ExecutionId": execution.execution_id}
