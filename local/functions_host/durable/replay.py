"""What an orchestrator's list of actions comes to, given its history: the extension's out-of-process shim, exactly.

At each step an orchestrator answers with all the actions of its life so far. The extension goes through that list from
the start and *waits for each action before it looks at the next*; a `task_any` is one action that holds only those of its
tasks that were not scheduled before. Two consequences that surprise, and that an orchestrator has to be written for:

- When an earlier task wins such a `task_any`, the orchestrator goes on but the extension still waits for the new ones:
  nothing further is scheduled until one of them completes.
- A cancelled timer counts as completed from its creation on, also in later replays.

Ids are given in the order of scheduling and must be those that history has: otherwise the orchestration is not
deterministic and fails, here as there. (Source: OutOfProcOrchestrationShim and DurableTask.Core, MIT.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, cast

from local.functions_host.durable.events import NAMES, Event, Kind, parse_time

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


UNSUPPORTED = {
    ActionType.CALL_ENTITY: "call_entity",
    ActionType.CALL_HTTP: "call_http",
    ActionType.SIGNAL_ENTITY: "signal_entity",
    ActionType.SCHEDULED_SIGNAL_ENTITY: "signal_entity (scheduled)",
}


class ReplayError(Exception):
    """The orchestration fails with this message."""


class NotDeterministic(ReplayError):
    """The orchestrator no longer does what its history says it did."""


class NotSupported(ReplayError):
    """This host does not run such an action."""


@dataclass(frozen=True, slots=True)
class Command:
    """Something to schedule. `name` and `input` are an activity's or orchestrator's, `fire_at` a timer's."""

    id: int
    kind: Kind  # TASK_SCHEDULED, SUB_CREATED or TIMER_CREATED
    name: str = ""
    input: Any = None
    instance_id: str | None = None
    fire_at: datetime | None = None


class _Node:
    """Something awaited."""

    def __init__(self) -> None:
        self.done = False
        self.parent: _Compound | None = None

    def complete(self, *, failed: bool = False) -> None:
        if self.done:
            return
        self.done = True
        if self.parent is not None:
            self.parent.child_completed(failed=failed)


class _Compound(_Node):
    """task_any, and task_all: the SDK's ends with its first failure, but the extension waits for all."""

    def __init__(self, children: list[_Node], needed: int) -> None:
        super().__init__()
        self._missing = needed
        for child in children:
            child.parent = self
        for child in children:
            if child.done:
                self.child_completed(failed=False)
        self.done = self.done or needed == 0

    def child_completed(self, *, failed: bool) -> None:
        """A failure completes as well as a success."""
        self._missing -= 1
        if self._missing == 0:
            self.complete()


class _Retried(_Compound):
    """An action with retries: after each failure a timer, also after the last one, as in DurableTask.Core."""

    def __init__(self, replay: Replay, action: Action) -> None:
        super().__init__([], needed=-1)
        options: Mapping[str, Any] = action["retryOptions"]
        self._replay, self._action = replay, action
        self._interval = timedelta(milliseconds=options["firstRetryIntervalInMilliseconds"])
        self._attempts_left: int = options["maxNumberOfAttempts"]
        self._waiting = False
        self._attempt()

    def child_completed(self, *, failed: bool) -> None:
        if not self._waiting and not failed:
            self.complete()
        elif not self._waiting:
            self._waiting = True
            self._adopt(self._replay.schedule_timer(self._replay.now + self._interval))
        elif self._attempts_left:
            self._waiting = False
            self._attempt()
        else:
            self.complete(failed=True)

    def _attempt(self) -> None:
        self._attempts_left -= 1
        self._adopt(self._replay.schedule_call(self._action))

    def _adopt(self, child: _Node) -> None:
        child.parent = self


class Replay:
    """One pass over the whole history. Afterwards `commands` is what is new, and `finished` whether all is done."""

    def __init__(self, actions: Iterable[Action], history: Iterable[Event]) -> None:
        """Raises ReplayError."""
        self.now = parse_time("1970-01-01T00:00:00Z")  # of the episode that is replayed
        self.finished = False
        self.continue_as_new: Action | None = None
        self._actions = list(actions)
        self._next = 0
        self._awaited: _Node | None = None
        self._last_id = -1
        self._open: dict[int, _Node] = {}
        self._unrecorded: dict[int, Command] = {}
        self._waits: dict[str, list[_Node]] = {}
        self._early: dict[str, int] = {}
        for one in history:
            self._process(one)

    @property
    def commands(self) -> list[Command]:
        """What the orchestrator wants and history does not have yet, in order of id."""
        return list(self._unrecorded.values())

    def schedule_call(self, action: Action) -> _Node:
        activity = action["actionType"] in (
            ActionType.CALL_ACTIVITY,
            ActionType.CALL_ACTIVITY_WITH_RETRY,
        )
        return self._schedule(
            Kind.TASK_SCHEDULED if activity else Kind.SUB_CREATED,
            name=str(action["functionName"]),
            input=action.get("input"),
            instance_id=action.get("instanceId"),
        )

    def schedule_timer(self, fire_at: datetime, *, cancelled: bool = False) -> _Node:
        node = self._schedule(Kind.TIMER_CREATED, fire_at=fire_at)
        if cancelled:
            del self._open[self._last_id]
            node.complete()
        return node

    def _schedule(self, kind: Kind, **fields: Any) -> _Node:
        self._last_id += 1
        node = self._open[self._last_id] = _Node()
        self._unrecorded[self._last_id] = Command(self._last_id, kind, **fields)
        return node

    def _process(self, one: Event) -> None:
        kind = Kind(one["EventType"])
        if kind is Kind.ORCHESTRATOR_STARTED:
            self.now = max(self.now, parse_time(one["Timestamp"]))
        elif kind in (Kind.TASK_SCHEDULED, Kind.SUB_CREATED, Kind.TIMER_CREATED):
            self._recorded(one, kind)
        elif kind is Kind.EXECUTION_STARTED:
            self._advance()
        elif kind is Kind.EVENT_RAISED:
            self._raised(str(one["Name"]))
        elif kind in _COMPLETIONS:
            node = self._open.pop(one[_COMPLETIONS[kind]], None)
            if node is not None:  # else a timer that was cancelled, or an answer that came twice
                node.complete(failed=kind in (Kind.TASK_FAILED, Kind.SUB_FAILED))
                self._advance()

    def _advance(self) -> None:
        """Start what follows, for as long as what is awaited has completed."""
        while self._awaited is None or self._awaited.done:
            if self._next == len(self._actions):
                self.finished = True
                return
            self._awaited = self._invoke(self._actions[self._next])
            self._next += 1

    def _invoke(self, action: Action) -> _Node:
        kind = ActionType(action["actionType"])
        if kind in UNSUPPORTED:
            raise NotSupported(f"{UNSUPPORTED[kind]} is not supported by this host")
        if kind in (ActionType.CALL_ACTIVITY, ActionType.CALL_SUB_ORCHESTRATOR):
            return self.schedule_call(action)
        if kind in (
            ActionType.CALL_ACTIVITY_WITH_RETRY,
            ActionType.CALL_SUB_ORCHESTRATOR_WITH_RETRY,
        ):
            return _Retried(self, action)
        if kind is ActionType.CREATE_TIMER:
            return self.schedule_timer(
                parse_time(action["fireAt"]), cancelled=bool(action.get("isCanceled"))
            )
        if kind is ActionType.WAIT_FOR_EXTERNAL_EVENT:
            return self._wait(str(action["externalEventName"]))
        if kind is ActionType.CONTINUE_AS_NEW:
            self.continue_as_new = action
            return _completed()
        children = [self._invoke(child) for child in cast(list[Action], action["compoundActions"])]
        return _Compound(children, 1 if kind is ActionType.WHEN_ANY else len(children))

    def _wait(self, name: str) -> _Node:
        if self._early.get(name):
            self._early[name] -= 1
            return _completed()
        node = _Node()
        self._waits.setdefault(name, []).append(node)
        return node

    def _raised(self, name: str) -> None:
        """The youngest wait gets the event; where nobody waits, it is kept for the next one who does."""
        if self._waits.get(name):
            self._waits[name].pop().complete()
            self._advance()
        else:
            self._early[name] = self._early.get(name, 0) + 1

    def _recorded(self, one: Event, kind: Kind) -> None:
        """History says that this was scheduled: it is no news, if it is the same."""
        command = self._unrecorded.pop(one["EventId"], None)
        was = f"{NAMES[kind]} {one.get('Name') or ''}".strip()
        if command is None:
            raise NotDeterministic(
                f"not deterministic: history has {was} with id {one['EventId']}, which the orchestrator does not schedule now"
            )
        if command.kind is not kind or (
            kind is not Kind.TIMER_CREATED and command.name != one.get("Name")
        ):
            now = f"{NAMES[command.kind]} {command.name}".strip()
            raise NotDeterministic(
                f"not deterministic: history has {was} with id {command.id}, now it is {now}"
            )


_COMPLETIONS = {
    Kind.TASK_COMPLETED: "TaskScheduledId",
    Kind.TASK_FAILED: "TaskScheduledId",
    Kind.SUB_COMPLETED: "TaskScheduledId",
    Kind.SUB_FAILED: "TaskScheduledId",
    Kind.TIMER_FIRED: "TimerId",
}


def _completed() -> _Node:
    node = _Node()
    node.done = True
    return node
