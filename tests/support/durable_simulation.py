"""One orchestration without a host: the SDK runs it, the replay reads its answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df

from local.functions_host.durable.actions import Command
from local.functions_host.durable.episodes import Decision, context_json, decide, read_answer
from local.functions_host.durable.events import Event, Kind, Status, event, time_text
from local.functions_host.durable.recording import start_message
from local.functions_host.durable.records import Instance

Steps = Generator[Any, Any, Any]
Orchestrator = Callable[[Any], Any]  # gives Steps, or its result at once
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class Simulation:
    """`history` grows by what each episode takes in and schedules; one episode lasts a second."""

    def __init__(self, orchestrator: Orchestrator, input_: Any = None) -> None:
        self.history: list[Event] = []
        self.now = BEGINNING
        self._input = json.dumps(input_)
        self.deploy(orchestrator)

    def deploy(self, orchestrator: Orchestrator) -> None:
        """From now on, this is the orchestrator's code."""
        self._handle: Callable[[str], str] = df.Orchestrator.create(orchestrator)

    def start(self) -> Decision:
        return self.episode(started(self._input, self.now))

    def episode(self, *news: Event) -> Decision:
        """Take these events in, and record what the orchestrator schedules next."""
        self.now += timedelta(seconds=1)
        read = [event(Kind.ORCHESTRATOR_STARTED, self.now), *news]
        decision = self._decide([*self.history, *read])
        scheduled = [recorded(command, self.now) for command in decision.commands]
        ended = event(Kind.ORCHESTRATOR_COMPLETED, self.now)
        self.history += [{**one, "IsPlayed": True} for one in (*read, *scheduled, ended)]
        return decision

    def _decide(self, history: list[Event]) -> Decision:
        context = context_json("one", self._input, None, history)
        try:
            answer: Any = json.loads(self._handle(context))
        except (
            Exception
        ) as error:  # the SDK hands an orchestrator's failure over in an exception of its own
            answer = read_answer(error)
            assert answer is not None, error
        return decide(answer, history)


def first(orchestrator: Orchestrator) -> Decision:
    """What an orchestrator wants in its first episode."""
    return Simulation(orchestrator).start()


def asked(decision: Decision) -> list[str]:
    """What is to be scheduled, as `2 hello` or `3 timer`. Nothing else was decided."""
    assert not decision.is_done
    assert decision.error is None
    return [f"{command.id} {command.name or 'timer'}" for command in decision.commands]


def started(input_: str, moment: datetime) -> Event:
    instance = Instance(
        instance_id="one",
        execution_id="first",
        name="simulated",
        status=Status.PENDING,
        input=input_,
        output=None,
        custom_status=None,
        created=time_text(moment),
        updated=time_text(moment),
        parent=None,
    )
    return start_message(instance, moment).event


def recorded(command: Command, moment: datetime) -> Event:
    """What history says of something that was scheduled."""
    if command.fire_at is not None:
        return event(command.kind, moment, event_id=command.id, FireAt=time_text(command.fire_at))
    return event(
        command.kind,
        moment,
        event_id=command.id,
        Name=command.name,
        Version="",
        Input=command.input,
    )


def completed(task_id: int, result: Any = None) -> Event:
    return event(Kind.TASK_COMPLETED, BEGINNING, TaskScheduledId=task_id, Result=json.dumps(result))


def failed(task_id: int, reason: str = "it broke") -> Event:
    return event(Kind.TASK_FAILED, BEGINNING, TaskScheduledId=task_id, Reason=reason, Details="")


def child_completed(task_id: int, result: Any = None) -> Event:
    return event(Kind.SUB_COMPLETED, BEGINNING, TaskScheduledId=task_id, Result=json.dumps(result))


def child_failed(task_id: int, reason: str = "it broke") -> Event:
    return event(Kind.SUB_FAILED, BEGINNING, TaskScheduledId=task_id, Reason=reason, Details="")


def fired(task_id: int) -> Event:
    return event(Kind.TIMER_FIRED, BEGINNING, TimerId=task_id, FireAt=time_text(BEGINNING))


def raised(name: str, data: Any = None) -> Event:
    return event(Kind.EVENT_RAISED, BEGINNING, Name=name, Input=json.dumps(data))
