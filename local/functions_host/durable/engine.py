"""Run orchestrators and activities of the task hub, each when there is something for it to do.

An orchestrator runs in episodes: read what has arrived, replay it after all of its history,
schedule what it asks for. Between episodes everything is in the file, so a kill loses nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from local.functions_host.durable.episodes import Decision, context_json, decide, read_answer
from local.functions_host.durable.events import Event, Kind, Status, event
from local.functions_host.durable.functions import Functions, Limits
from local.functions_host.durable.recording import Recording, no_function
from local.functions_host.durable.records import Activity, Inbox, Instance
from local.functions_host.durable.store import Store
from local.functions_host.errors import FunctionFailed, FunctionTimeout, traceback_of

MAX_PAUSE_SECONDS = 3600.0  # of the dispatcher; a timer that is due later is read again then
MAX_REST_SECONDS = 1.0
BROKEN_SECONDS = 1.0  # until an episode that broke (a full disk, say) is tried again
_CONTROL = (Kind.EXECUTION_TERMINATED, Kind.EXECUTION_SUSPENDED, Kind.EXECUTION_RESUMED)
log = logging.getLogger(__name__)


class Engine:
    """Call `run` once; `wake` whenever something was sent to an instance."""

    def __init__(self, store: Store, functions: Functions, limits: Limits | None = None) -> None:
        self._store = store
        self._functions = functions
        self._limits = limits or Limits()
        self._wake = asyncio.Event()
        self._in_episode: set[str] = set()  # instance ids
        self._running_activities: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_started = 0  # number of an activity
        self._rests_until: dict[str, float] = {}  # by instance id, on the monotonic clock

    def wake(self) -> None:
        """Dispatch again."""
        self._wake.set()

    async def run(self) -> None:
        """Dispatch until cancelled. What is under way is cut off, and redone at the next start."""
        try:
            while True:
                try:
                    await self._dispatch()
                except sqlite3.Error:
                    log.exception("the task hub could not be read; trying again")
                    await asyncio.sleep(BROKEN_SECONDS)
        finally:
            for task in [*self._tasks]:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dispatch(self) -> None:
        self._wake.clear()
        now = time.time()  # the same for both: what falls due in between would be missed by both
        self._start_episodes(now)
        self._start_activities()
        await self._pause(now)

    async def _pause(self, now: float) -> None:
        due = self._store.next_due(now)
        seconds = MAX_PAUSE_SECONDS if due is None else min(due - time.time(), MAX_PAUSE_SECONDS)
        try:
            # not wait_for: before Python 3.12 it loses a cancellation that comes with the wake
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            return

    def _start_episodes(self, now: float) -> None:
        for instance_id in self._store.ready(now):
            if len(self._in_episode) >= self._limits.orchestrators:
                return
            if instance_id not in self._in_episode and not self._rests(instance_id):
                self._in_episode.add(instance_id)
                self._start(self._episode(instance_id), f"episode of {instance_id}")

    def _rests(self, instance_id: str) -> bool:
        """Return whether the next episode should wait for more results that are on their way.

        An episode replays the whole history, so the pause is as long as the last episode.
        """
        if self._rests_until.get(instance_id, 0.0) <= time.monotonic():
            self._rests_until.pop(instance_id, None)
            return False
        return self._store.has_activities(instance_id)

    def _start_activities(self) -> None:
        free = self._limits.activities - len(self._running_activities)
        if free <= 0:
            return
        for activity in self._store.waiting(self._last_started, free):
            self._last_started = activity.id
            task = self._start(self._activity(activity), f"activity {activity.name}")
            self._running_activities.add(task)

    def _start(self, steps: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(steps, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._running_activities.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s broke", task.get_name(), exc_info=error)
        self.wake()

    # activities

    async def _activity(self, activity: Activity) -> None:
        outcome = await self._outcome(activity)
        while True:
            try:
                self._store.end_activity(activity, outcome)
                return
            except Exception:  # a full disk, say; the outcome must not be lost, nor repeated
                log.exception(
                    "the end of activity %s of %s could not be written; trying again",
                    activity.name,
                    activity.instance_id,
                )
                await asyncio.sleep(BROKEN_SECONDS)

    async def _outcome(self, activity: Activity) -> Event:
        task_id = activity.task_id
        try:
            if activity.name not in self._functions.activities:
                raise LookupError(no_function(activity.name, "activity"))
            result = await self._functions.act(activity.name, activity.input)
        except Exception as error:  # whatever an activity raises is its outcome
            level = logging.WARNING if isinstance(error, FunctionTimeout) else logging.INFO
            label = f"{activity.name} of {activity.instance_id}"
            log.log(level, "activity %s failed\n%s", label, traceback_of(error))
            problem = _problem(error)
            fields: dict[str, Any] = {
                "TaskScheduledId": task_id,
                "Reason": f"Activity function '{activity.name}' failed:  {problem}",
                "Details": problem.partition(":")[0],
            }
            return event(Kind.TASK_FAILED, _now(), **fields)
        return event(Kind.TASK_COMPLETED, _now(), TaskScheduledId=task_id, Result=result)

    # episodes

    async def _episode(self, instance_id: str) -> None:
        began = time.monotonic()
        try:
            inbox = self._store.inbox(instance_id, time.time())
            if inbox is not None:
                await self._process(inbox)
        except Exception:
            log.exception("an episode of %s broke; trying again", instance_id)
            await asyncio.sleep(BROKEN_SECONDS)
        finally:
            self._in_episode.discard(instance_id)
            rest = min(time.monotonic() - began, MAX_REST_SECONDS)
            self._rests_until[instance_id] = time.monotonic() + rest
            asyncio.get_running_loop().call_later(rest, self.wake)

    async def _process(self, inbox: Inbox) -> None:
        control = _control(inbox)
        if control is not None:
            self._control(inbox, control)
            return
        instance = inbox.instance
        moment = _now()
        events = [event(Kind.ORCHESTRATOR_STARTED, moment), *inbox.events]
        decision = await self._decide(instance, [*inbox.history, *events])
        current = self._store.instance(instance.instance_id)
        if current is None or current.status.is_terminal:
            return  # purged or terminated meanwhile
        if current.execution_id != instance.execution_id:
            return  # replaced meanwhile
        if decision.error is not None:
            label = f"{instance.name}' failed: {decision.error} ({instance.instance_id})"
            log.warning("Orchestrator function '%s", label)
        with self._store.transaction():
            self._store.consume(inbox.message_ids)
            self._recording(current, len(inbox.history), events, moment).record(decision)

    async def _decide(self, instance: Instance, history: list[Event]) -> Decision:
        """Run the orchestrator. Never raises: one that cannot be run has failed."""
        if instance.name not in self._functions.orchestrators:
            return Decision(error=no_function(instance.name, "orchestrator"))
        parent = instance.parent.instance_id if instance.parent else None
        context = context_json(instance.instance_id, instance.input, parent, history)
        try:
            answer = await self._functions.orchestrate(instance.name, context)
            return decide(json.loads(answer), history)
        except Exception as error:
            state = read_answer(error)
            if state is not None:
                return decide(state, history)
            label = f"{instance.name} ({instance.instance_id})"
            log.warning("orchestrator %s could not be run\n%s", label, traceback_of(error))
            return Decision(error=_problem(error))

    def _control(self, inbox: Inbox, control: Event) -> None:
        """Terminate, suspend or resume; other messages wait for the next episode."""
        moment = _now()
        kind = Kind(control["EventType"])
        events = [event(Kind.ORCHESTRATOR_STARTED, moment), control]
        recording = self._recording(inbox.instance, len(inbox.history), events, moment)
        with self._store.transaction():
            self._store.consume([inbox.message_ids[inbox.events.index(control)]])
            if kind is Kind.EXECUTION_TERMINATED:
                recording.end(Status.TERMINATED, control["Input"])
            elif kind is Kind.EXECUTION_SUSPENDED:
                recording.go_on(Status.SUSPENDED)
            elif any(past["EventType"] == Kind.EXECUTION_STARTED for past in inbox.history):
                recording.go_on(Status.RUNNING)
            else:
                recording.go_on(Status.PENDING)

    def _recording(
        self, instance: Instance, position: int, events: list[Event], moment: datetime
    ) -> Recording:
        orchestrators = self._functions.orchestrators
        return Recording(self._store, orchestrators, instance, position, events, moment)


def _control(inbox: Inbox) -> Event | None:
    """Return the first message in which the orchestrator has no say, if there is one."""
    return next((event for event in inbox.events if event["EventType"] in _CONTROL), None)


def _problem(error: Exception) -> str:
    """Return the exception's class and message; the worker's report begins with the class."""
    return str(error) if isinstance(error, FunctionFailed) else f"{type(error).__name__}: {error}"


def _now() -> datetime:
    return datetime.now(UTC)
