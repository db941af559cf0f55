"""What an orchestrator's actions come to, given its history: the extension's shim, exactly.

At each step an orchestrator answers with all the actions of its life so far. The extension goes
through that list from the start and *waits for each action before it looks at the next*; a
`task_any` is one action that holds only those of its tasks that were not scheduled before. Two
consequences surprise, and an orchestrator has to be written for them:

- When an earlier task wins such a `task_any`, the orchestrator goes on but the extension still
  waits for the new ones: nothing further is scheduled until one of them completes.
- A cancelled timer counts as completed from its creation on, also in later replays.

Ids are given in the order of scheduling and must be those that history has: otherwise the
orchestration is not deterministic and fails, here as there. (Source: OutOfProcOrchestrationShim and
DurableTask.Core, MIT.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from local.functions_host.durable.actions import (
    UNSUPPORTED,
    Action,
    ActionType,
    Command,
    NotDeterministic,
    NotSupported,
)
from local.functions_host.durable.awaited import Awaited, Compound
from local.functions_host.durable.events import NAMES, Event, Kind, parse_time

_ACTIVITIES = (ActionType.CALL_ACTIVITY, ActionType.CALL_ACTIVITY_WITH_RETRY)
_COMPLETIONS = {
    Kind.TASK_COMPLETED: "TaskScheduledId",
    Kind.TASK_FAILED: "TaskScheduledId",
    Kind.SUB_COMPLETED: "TaskScheduledId",
    Kind.SUB_FAILED: "TaskScheduledId",
    Kind.TIMER_FIRED: "TimerId",
}


class _Retried(Compound):
    """An activity with retries: after each failure a timer, the last one too, as in Azure."""

    def __init__(self, replay: Replay, action: Action) -> None:
        super().__init__([], needed=-1)
        options: Mapping[str, Any] = action["retryOptions"]
        self._replay = replay
        self._action = action
        self._interval = timedelta(milliseconds=options["firstRetryIntervalInMilliseconds"])
        self._remaining_attempts: int = options["maxNumberOfAttempts"]
        self._waits_for_timer = False
        self._attempt()

    def child_completed(self, *, failed: bool) -> None:
        """Complete after a success; else wait, then try again or complete as failed."""
        if not self._waits_for_timer and not failed:
            self.complete()
        elif not self._waits_for_timer:
            self._waits_for_timer = True
            self._adopt(self._replay.schedule_timer(self._replay.now + self._interval))
        elif self._remaining_attempts:
            self._waits_for_timer = False
            self._attempt()
        else:
            self.complete(failed=True)

    def _attempt(self) -> None:
        self._remaining_attempts -= 1
        self._adopt(self._replay.schedule_call(self._action))

    def _adopt(self, child: Awaited) -> None:
        child.parent = self


class Replay:
    """One pass over the whole history.

    Afterwards `commands` is what is new, and `finished` whether everything is done.
    """

    def __init__(self, actions: Iterable[Action], history: Iterable[Event]) -> None:
        """Raises ReplayError."""
        self.now = parse_time("1970-01-01T00:00:00Z")  # of the episode that is replayed
        self.finished = False
        self.continue_as_new: Action | None = None
        self._actions = list(actions)
        self._next = 0
        self._awaited: Awaited | None = None
        self._last_id = -1
        self._open: dict[int, Awaited] = {}
        self._unrecorded: dict[int, Command] = {}
        self._waits: dict[str, list[Awaited]] = {}
        self._early: dict[str, int] = {}
        for event in history:
            self._process(event)

    @property
    def commands(self) -> list[Command]:
        """What the orchestrator asks for and history does not have yet, in order of id."""
        return list(self._unrecorded.values())

    def schedule_call(self, action: Action) -> Awaited:
        """Schedule an activity or a sub-orchestration."""
        is_activity = action["actionType"] in _ACTIVITIES
        return self._schedule(
            Kind.TASK_SCHEDULED if is_activity else Kind.SUB_CREATED,
            name=str(action["functionName"]),
            input=action.get("input"),
            instance_id=action.get("instanceId"),
        )

    def schedule_timer(self, fire_at: datetime, *, cancelled: bool = False) -> Awaited:
        """Schedule a timer; one that is cancelled is complete at once."""
        timer = self._schedule(Kind.TIMER_CREATED, fire_at=fire_at)
        if cancelled:
            del self._open[self._last_id]
            timer.complete()
        return timer

    def _schedule(self, kind: Kind, **fields: Any) -> Awaited:
        self._last_id += 1
        self._unrecorded[self._last_id] = Command(self._last_id, kind, **fields)
        task = Awaited()
        self._open[self._last_id] = task
        return task

    def _process(self, event: Event) -> None:
        kind = Kind(event["EventType"])
        if kind is Kind.ORCHESTRATOR_STARTED:
            self.now = max(self.now, parse_time(event["Timestamp"]))
        elif kind in (Kind.TASK_SCHEDULED, Kind.SUB_CREATED, Kind.TIMER_CREATED):
            self._recorded(event, kind)
        elif kind is Kind.EXECUTION_STARTED:
            self._advance()
        elif kind is Kind.EVENT_RAISED:
            self._raised(str(event["Name"]))
        elif kind in _COMPLETIONS:
            task = self._open.pop(event[_COMPLETIONS[kind]], None)
            if task is not None:  # else a timer that was cancelled, or an answer that came twice
                task.complete(failed=kind in (Kind.TASK_FAILED, Kind.SUB_FAILED))
                self._advance()

    def _advance(self) -> None:
        """Start what follows, for as long as what is awaited has completed."""
        while self._awaited is None or self._awaited.done:
            if self._next == len(self._actions):
                self.finished = True
                return
            self._awaited = self._invoke(self._actions[self._next])
            self._next += 1

    def _invoke(self, action: Action) -> Awaited:
        kind = ActionType(action["actionType"])
        if kind in UNSUPPORTED:
            raise NotSupported(f"{kind.name.lower()} is not supported by this host")
        if kind is ActionType.CALL_ACTIVITY_WITH_RETRY:
            return _Retried(self, action)
        if kind in (ActionType.CALL_ACTIVITY, ActionType.CALL_SUB_ORCHESTRATOR):
            return self.schedule_call(action)
        if kind is ActionType.CREATE_TIMER:
            fire_at = parse_time(action["fireAt"])
            return self.schedule_timer(fire_at, cancelled=bool(action.get("isCanceled")))
        if kind is ActionType.WAIT_FOR_EXTERNAL_EVENT:
            return self._wait(str(action["externalEventName"]))
        if kind is ActionType.CONTINUE_AS_NEW:
            self.continue_as_new = action
            return Awaited(done=True)
        children = [self._invoke(child) for child in cast(list[Action], action["compoundActions"])]
        return Compound(children, 1 if kind is ActionType.WHEN_ANY else len(children))

    def _wait(self, name: str) -> Awaited:
        if self._early.get(name):
            self._early[name] -= 1
            return Awaited(done=True)
        wait = Awaited()
        self._waits.setdefault(name, []).append(wait)
        return wait

    def _raised(self, name: str) -> None:
        """Complete the youngest wait; an event that nobody waits for is kept for the next wait."""
        if self._waits.get(name):
            self._waits[name].pop().complete()
            self._advance()
        else:
            self._early[name] = self._early.get(name, 0) + 1

    def _recorded(self, event: Event, kind: Kind) -> None:
        """Take what history has scheduled from what is new. Raises NotDeterministic."""
        command = self._unrecorded.pop(event["EventId"], None)
        past = f"{NAMES[kind]} {event.get('Name') or ''}".strip()
        if command is None:
            raise NotDeterministic(
                f"not deterministic: history has {past} with id {event['EventId']},"
                " which the orchestrator does not schedule now"
            )
        is_renamed = kind is not Kind.TIMER_CREATED and command.name != event.get("Name")
        if command.kind is not kind or is_renamed:
            now = f"{NAMES[command.kind]} {command.name}".strip()
            raise NotDeterministic(
                f"not deterministic: history has {past} with id {command.id}, now it is {now}"
            )
