"""Durable with a simulated clock: days pass in milliseconds.

Orchestrators run by the production wire format, activities as plain functions. Every episode goes
through the SDK's executor with the whole history, so each step of each test is also a replay.
"""

from __future__ import annotations

import heapq
import importlib
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Any

from local.functions_host.durable.actions import Command
from local.functions_host.durable.episodes import Decision, context_json, decide, read_answer
from local.functions_host.durable.events import Event, Kind, Status, event, time_text
from orchestrators import deletion, run
from orchestrators import finetune as finetuning
from orchestrators import generate as generation
from orchestrators import notify as notifying
from orchestrators import scan as scanning

START = datetime(2026, 1, 1, tzinfo=UTC)
ORCHESTRATION_VERSION = "1"  # host.json's defaultVersion
ACTIVITY_SECONDS = 1.0  # of an activity that says nothing else
MAX_EPISODES, MAX_HISTORY = (
    2000,
    1500,
)  # more than any test needs, so that a loop without end is a failure
Activity = Callable[[dict[str, Any]], Any]

# In each episode the executor parses the time of every event again, by guessing at its format:
# two thirds of a simulation, were it not remembered.
history_event: Any = importlib.import_module("azure.durable_functions.models.history.HistoryEvent")
history_event.dt_parse = lru_cache(maxsize=10_000)(history_event.dt_parse)


@dataclass(frozen=True, slots=True)
class After:
    """An activity's outcome after so many seconds: a result, an exception, or a function."""

    seconds: float
    outcome: Any


@dataclass(slots=True)
class Call:
    """One execution of an activity. Times are seconds since the simulation began."""

    name: str
    input: dict[str, Any]
    started: float
    ended: float | None = None


@dataclass(slots=True)
class Instance:
    """One orchestration, with all that its users could have seen of it."""

    id: str
    name: str
    input: str
    parent: tuple[str, int, int] | None  # instance, its execution, and the task there
    execution: int = 0
    status: Status = Status.PENDING
    output: Any = None
    history: list[Event] = field(default_factory=list[Event])
    inbox: list[Event] = field(default_factory=list[Event])
    custom_status: Any = None
    custom_statuses: list[tuple[float, Any]] = field(default_factory=list[tuple[float, Any]])
    inputs: list[Any] = field(
        default_factory=list[Any]
    )  # of each execution: continue_as_new begins another
    longest_history: int = 0
    finished: list[Finished] = field(
        default_factory=list["Finished"]
    )  # executions, each with its whole history


@dataclass(frozen=True, slots=True)
class Finished:
    """One execution from its start to its end, as it would be replayed."""

    input: str  # JSON within JSON
    history: list[Event]
    outcome: dict[str, Any]


def _handles() -> dict[str, Callable[[str], str]]:
    """Return the function that the worker calls for each orchestrator."""
    modules = (run, scanning, generation, finetuning, notifying, deletion)
    blueprints: list[Any] = [module.bp for module in modules]
    functions = [
        builder._function for blueprint in blueprints for builder in blueprint._function_builders
    ]
    return {
        function.get_trigger().orchestration: function.get_user_function() for function in functions
    }


HANDLES = _handles()


class Hub:
    """A task hub with these activities. `start`, then `run`."""

    def __init__(self, activities: Mapping[str, Activity]) -> None:
        self.activities = dict(activities)
        self.instances: dict[str, Instance] = {}
        self.calls: list[Call] = []
        self.now = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._episodes = 0

    @property
    def moment(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def start(self, name: str, instance_id: str, input_: Any) -> Instance:
        return self._create(name, instance_id, json.dumps(json.dumps(input_)), None)

    def run(self, until: float = float("inf")) -> None:
        """Go on until nothing is left to do, or until this second."""
        while self._agenda and self._agenda[0][0] <= until:
            self.now = max(self.now, self._agenda[0][0])
            while self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
            for instance in [item for item in self.instances.values() if item.inbox]:
                self._episode(instance)

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something at this second."""
        heapq.heappush(self._agenda, (seconds, next(self._numbers), act))

    def raise_event(self, instance_id: str, name: str, data: Any) -> None:
        """As the Python client sends it: JSON within JSON."""
        self.raise_json(instance_id, name, json.dumps(json.dumps(data)))

    def raise_json(self, instance_id: str, name: str, text: str) -> None:
        """As other clients send it: JSON, once."""
        raised = event(Kind.EVENT_RAISED, self.moment, Name=name, Input=text)
        self._send(self.instances[instance_id], None, raised)

    def names(self) -> list[str]:
        """Names of the activities called, in order."""
        return [call.name for call in self.calls]

    def called(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]

    # activities

    def _begin(self, instance: Instance, command: Command) -> None:
        call = Call(command.name, json.loads(command.input), self.now)
        self.calls.append(call)
        outcome = _outcome(lambda: self.activities[command.name](call.input))
        if not isinstance(outcome, After):
            outcome = After(ACTIVITY_SECONDS, outcome)
        self._finish_later(instance, instance.execution, command, call, outcome)

    def _finish_later(
        self, instance: Instance, execution: int, command: Command, call: Call, after: After
    ) -> None:
        def finish() -> None:
            outcome = _outcome(after.outcome) if callable(after.outcome) else after.outcome
            if isinstance(outcome, After):
                self._finish_later(instance, execution, command, call, outcome)
                return
            call.ended = self.now
            self._send(instance, execution, _activity_event(command, outcome, self.moment))

        self.at(self.now + after.seconds, finish)

    # orchestrations

    def _create(
        self, name: str, instance_id: str, input_: str, parent: tuple[str, int, int] | None
    ) -> Instance:
        instance = self.instances[instance_id] = Instance(instance_id, name, input_, parent)
        self._begin_execution(instance)
        return instance

    def _begin_execution(self, instance: Instance) -> None:
        instance.inputs.append(json.loads(json.loads(instance.input)))
        identity = {"InstanceId": instance.id, "ExecutionId": str(instance.execution)}
        began = event(
            Kind.EXECUTION_STARTED,
            self.moment,
            OrchestrationInstance=identity,
            Name=instance.name,
            Version=ORCHESTRATION_VERSION,
            Input=instance.input,
        )
        self._send(instance, instance.execution, began)

    def _send(self, instance: Instance, execution: int | None, message: Event) -> None:
        """Into the inbox; what is for an execution that is over is dropped."""

        def deliver() -> None:
            if execution in (None, instance.execution) and not instance.status.is_terminal:
                instance.inbox.append(message)

        self.at(self.now, deliver)

    def _episode(self, instance: Instance) -> None:
        self._episodes += 1
        assert self._episodes < MAX_EPISODES and len(instance.history) < MAX_HISTORY, (
            f"{instance.id} runs in circles"
        )
        history = [
            *instance.history,
            event(Kind.ORCHESTRATOR_STARTED, self.moment),
            *instance.inbox,
        ]
        instance.inbox = []
        decision = _decide(instance, history)
        if decision.custom_status is not None and decision.custom_status != instance.custom_status:
            instance.custom_status = decision.custom_status
            instance.custom_statuses.append((self.now, decision.custom_status))
        instance.status = Status.RUNNING
        history += (
            []
            if decision.error
            else [self._schedule(instance, command) for command in decision.commands]
        )
        history.append(event(Kind.ORCHESTRATOR_COMPLETED, self.moment))
        instance.longest_history = max(instance.longest_history, len(history))
        instance.history = [{**item, "IsPlayed": True} for item in history]
        if decision.continue_with is not None or decision.error is not None or decision.is_done:
            instance.finished.append(
                Finished(instance.input, instance.history, outcome_of(decision))
            )
        if decision.continue_with is not None:
            instance.execution, instance.history = instance.execution + 1, []
            instance.input = json.dumps(decision.continue_with)
            self._begin_execution(instance)
        elif decision.error is not None:
            self._end(instance, Status.FAILED, decision.error)
        elif decision.is_done:
            self._end(instance, Status.COMPLETED, decision.output)

    def _schedule(self, instance: Instance, command: Command) -> Event:
        if command.kind is Kind.TIMER_CREATED and command.fire_at is not None:
            fire_at = time_text(command.fire_at)
            fired = event(Kind.TIMER_FIRED, command.fire_at, TimerId=command.id, FireAt=fire_at)
            execution = instance.execution
            self.at(
                (command.fire_at - START).total_seconds(),
                lambda: self._send(instance, execution, fired),
            )
            return event(Kind.TIMER_CREATED, self.moment, event_id=command.id, FireAt=fire_at)
        if command.kind is Kind.TASK_SCHEDULED:
            self._begin(instance, command)
            return event(
                Kind.TASK_SCHEDULED,
                self.moment,
                event_id=command.id,
                Name=command.name,
                Input=command.input,
            )
        child = command.instance_id or f"{instance.id}:{command.id}"
        self._create(
            command.name,
            child,
            json.dumps(command.input),
            (instance.id, instance.execution, command.id),
        )
        return event(
            Kind.SUB_CREATED, self.moment, event_id=command.id, Name=command.name, InstanceId=child
        )

    def _end(self, instance: Instance, status: Status, output: Any) -> None:
        instance.status, instance.output = status, output
        if instance.parent is None:
            return
        parent, execution, task = instance.parent
        if status is Status.FAILED:
            ended = event(
                Kind.SUB_FAILED,
                self.moment,
                TaskScheduledId=task,
                Reason=str(output),
                Details="Failed",
            )
        else:
            ended = event(
                Kind.SUB_COMPLETED, self.moment, TaskScheduledId=task, Result=json.dumps(output)
            )
        self._send(self.instances[parent], execution, ended)


def outcome_of(decision: Decision) -> dict[str, Any]:
    """How an execution ended, as plain data."""
    if decision.error is not None:
        return {"error": decision.error}
    if decision.continue_with is not None:
        return {"continue_with": decision.continue_with}
    return {"output": decision.output}


def _decide(instance: Instance, history: list[Event]) -> Decision:
    return decide_by(
        instance.name,
        instance.id,
        instance.input,
        instance.parent[0] if instance.parent else None,
        history,
    )


def decide_by(
    name: str, instance_id: str, input_: str, parent: str | None, history: list[Event]
) -> Decision:
    """One episode through the SDK's executor, with this whole history."""
    context = context_json(instance_id, input_, parent, history)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the executor's, of an event that nobody waits for any more
        try:
            answer = json.loads(HANDLES[name](context))
        except Exception as error:  # how the executor says that an orchestrator raised
            answer = read_answer(error)
            if answer is None:
                raise
    return decide(answer, history)


def _activity_event(command: Command, outcome: Any, moment: datetime) -> Event:
    if isinstance(outcome, Exception):
        reason = f"Activity function '{command.name}' failed: {type(outcome).__name__}: {outcome}"
        return event(
            Kind.TASK_FAILED, moment, TaskScheduledId=command.id, Reason=reason, Details=""
        )
    return event(
        Kind.TASK_COMPLETED, moment, TaskScheduledId=command.id, Result=json.dumps(outcome)
    )


def _outcome(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Exception as error:  # whatever an activity raises is its outcome
        return error
