"""Runs orchestrators and activities of the task hub, each when there is something for it to do.

An orchestrator runs in episodes: take in what has arrived, replay it with all of its history, schedule what it asks for.
Nothing is kept between episodes but what is in the file, so that a host that is killed loses nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local.functions_host.durable.episodes import Decision, context_json, decide, read_answer
from local.functions_host.durable.events import Event, Kind, Status, event, time_text
from local.functions_host.durable.replay import Command
from local.functions_host.durable.store import Activity, Instance, Message, Parent, Store, Taken
from local.functions_host.errors import FunctionFailed, FunctionTimeout, traceback_of

MAX_PAUSE_SECONDS = 3600.0  # of the dispatcher; a timer that is due later is looked at again then
MAX_REST_SECONDS = 1.0
BROKEN_SECONDS = 1.0  # until an episode that broke (a full disk, say) is tried again
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much runs at the same time, from host.json."""

    activities: int = 10
    orchestrators: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """The app's durable functions: their names, and how they are called.

    `orchestrate(name, context)` gives the orchestrator's answer as JSON text, `act(name, input)` the activity's result;
    both raise what the function raised.
    """

    orchestrators: frozenset[str]
    activities: frozenset[str]
    orchestrate: Callable[[str, str], Awaitable[str]]
    act: Callable[[str, Any], Awaitable[str]]


class Engine:
    """Call `run` once; `wake` whenever something was sent to an instance."""

    def __init__(self, store: Store, functions: Functions, limits: Limits = Limits()) -> None:
        self._store, self._functions, self._limits = store, functions, limits
        self._wake = asyncio.Event()
        self._busy: set[str] = set()  # instances with an episode under way
        self._working: set[asyncio.Task[None]] = set()  # activities under way
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = 0  # number of the activity that was started last
        self._rested: dict[
            str, float
        ] = {}  # by instance, until when it rests after its last episode

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Dispatch until cancelled. What is under way is then cut off, and done again at the next start."""
        try:
            while True:
                try:
                    await self._dispatch()
                except sqlite3.Error:
                    log.exception("the task hub could not be read; it is tried again")
                    await asyncio.sleep(BROKEN_SECONDS)
        finally:
            for task in [*self._tasks]:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dispatch(self) -> None:
        self._wake.clear()
        now = time.time()  # one for both: what falls due in between would be missed by both
        self._start_episodes(now)
        self._start_activities()
        await self._pause(now)

    async def _pause(self, now: float) -> None:
        due = self._store.next_due(now)
        seconds = MAX_PAUSE_SECONDS if due is None else min(due - time.time(), MAX_PAUSE_SECONDS)
        try:
            # not wait_for: before Python 3.12 it forgets a cancellation that comes with the wake
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            return

    def _start_episodes(self, now: float) -> None:
        for instance_id in self._store.ready(now):
            if len(self._busy) >= self._limits.orchestrators:
                return
            if instance_id not in self._busy and not self._rests(instance_id):
                self._busy.add(instance_id)
                self._start(self._episode(instance_id), f"episode of {instance_id}")

    def _rests(self, instance_id: str) -> bool:
        """An episode replays the whole history: while more results are on their way, it waits for as long as the last one took."""
        until = self._rested.get(instance_id, 0.0)
        if until <= time.monotonic():
            self._rested.pop(instance_id, None)
            return False
        return self._store.has_activities(instance_id)

    def _start_activities(self) -> None:
        free = self._limits.activities - len(self._working)
        for activity in self._store.waiting(self._started, free) if free > 0 else []:
            self._started = activity.id
            self._working.add(self._start(self._activity(activity), f"activity {activity.name}"))

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._working.discard(task)
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
            except Exception:  # a full disk, say; what was done is not to be lost, nor done again
                log.exception(
                    "the end of activity %s of %s was not written",
                    activity.name,
                    activity.instance_id,
                )
                await asyncio.sleep(BROKEN_SECONDS)

    async def _outcome(self, activity: Activity) -> Event:
        try:
            if activity.name not in self._functions.activities:
                raise LookupError(_no_function(activity.name, "activity"))
            result = await self._functions.act(activity.name, activity.input)
        except Exception as error:  # whatever an activity raises is its outcome
            level = logging.WARNING if isinstance(error, FunctionTimeout) else logging.INFO
            trace = traceback_of(error)
            log.log(
                level, "activity %s of %s failed\n%s", activity.name, activity.instance_id, trace
            )
            problem = _problem(error)
            return event(
                Kind.TASK_FAILED,
                _now(),
                TaskScheduledId=activity.task_id,
                Reason=f"Activity function '{activity.name}' failed:  {problem}",
                Details=problem.partition(":")[0],
            )
        return event(Kind.TASK_COMPLETED, _now(), TaskScheduledId=activity.task_id, Result=result)

    # episodes

    async def _episode(self, instance_id: str) -> None:
        began = time.monotonic()
        try:
            taken = self._store.take(instance_id, time.time())
            if taken is not None:
                await self._take_in(taken)
        except Exception:
            log.exception("an episode of %s broke; it is tried again", instance_id)
            await asyncio.sleep(BROKEN_SECONDS)
        finally:
            self._busy.discard(instance_id)
            rest = min(time.monotonic() - began, MAX_REST_SECONDS)
            self._rested[instance_id] = time.monotonic() + rest
            asyncio.get_running_loop().call_later(rest, self.wake)

    async def _take_in(self, taken: Taken) -> None:
        control = _control(taken)
        if control is not None:
            self._obey(taken, control)
            return
        instance, moment = taken.instance, _now()
        news = [event(Kind.ORCHESTRATOR_STARTED, moment), *taken.news]
        decision = await self._decide(instance, [*taken.history, *news])
        current = self._store.instance(instance.instance_id)
        if (
            current is None
            or current.execution_id != instance.execution_id
            or current.status.is_terminal
        ):
            return  # purged or replaced meanwhile
        with self._store.transaction():
            self._store.consume(taken.message_ids)
            _Recording(
                self._store, self._functions, current, len(taken.history), news, moment
            ).record(decision)

    async def _decide(self, instance: Instance, history: list[Event]) -> Decision:
        """What the orchestrator wants now. Never raises: an orchestrator that cannot be run has failed."""
        if instance.name not in self._functions.orchestrators:
            return Decision(error=_no_function(instance.name, "orchestrator"))
        parent = instance.parent.instance_id if instance.parent else None
        context = context_json(instance.instance_id, instance.input, parent, history)
        try:
            answer = await self._functions.orchestrate(instance.name, context)
            return decide(json.loads(answer), history)
        except Exception as error:
            state = read_answer(error)
            if state is None:
                log.warning(
                    "orchestrator %s (%s) could not be run\n%s",
                    instance.name,
                    instance.instance_id,
                    traceback_of(error),
                )
                return Decision(error=_problem(error))
            return decide(state, history)

    def _obey(self, taken: Taken, control: Event) -> None:
        """Terminate, suspend or resume; other messages wait for the next episode."""
        instance, moment = taken.instance, _now()
        kind = Kind(control["EventType"])
        started = event(Kind.ORCHESTRATOR_STARTED, moment)
        with self._store.transaction():
            self._store.consume([taken.message_ids[taken.news.index(control)]])
            position = len(taken.history)
            recording = _Recording(
                self._store, self._functions, instance, position, [started, control], moment
            )
            if kind is Kind.EXECUTION_TERMINATED:
                recording.end(Status.TERMINATED, control["Input"])
                return
            recording.keep()
            has_started = any(one["EventType"] == Kind.EXECUTION_STARTED for one in taken.history)
            going = Status.RUNNING if has_started else Status.PENDING
            status = Status.SUSPENDED if kind is Kind.EXECUTION_SUSPENDED else going
            self._store.touch(instance.instance_id, status, moment)


class _Recording:
    """Writes what one episode came to, within a transaction of the caller's."""

    def __init__(
        self,
        store: Store,
        functions: Functions,
        instance: Instance,
        position: int,
        news: list[Event],
        moment: datetime,
    ) -> None:
        self._store, self._functions = store, functions
        self._instance, self._position, self._moment = instance, position, moment
        self._events = list(news)

    def record(self, decision: Decision) -> None:
        if decision.custom_status is not None:
            self._instance = replace(
                self._instance, custom_status=json.dumps(decision.custom_status)
            )
        if decision.continue_with is not None:
            self._continue_as_new(decision.continue_with)
        elif decision.error is not None:
            failure = f"Orchestrator function '{self._instance.name}' failed: {decision.error}"
            log.warning("%s (%s)", failure, self._instance.instance_id)
            self.end(Status.FAILED, failure)
        else:
            for command in decision.commands:
                self._events.append(self._schedule(command))
            if decision.is_done:
                self.end(Status.COMPLETED, json.dumps(decision.output))
            else:
                self.keep()
                running = replace(
                    self._instance, status=Status.RUNNING, updated=time_text(self._moment)
                )
                self._store.put_instance(running)

    def keep(self) -> None:
        """Add this episode's events to history."""
        self._events.append(event(Kind.ORCHESTRATOR_COMPLETED, self._moment))
        self._store.append_history(self._instance.instance_id, self._position, self._events)

    def end(self, status: Status, output: str) -> None:
        """The instance has ended; its parent is told. `output` is JSON, or text where it did not complete."""
        number = {Status.COMPLETED: 1, Status.FAILED: 3, Status.TERMINATED: 5}[status]
        if status is not Status.TERMINATED:
            self._events.append(
                event(
                    Kind.EXECUTION_COMPLETED,
                    self._moment,
                    OrchestrationStatus=number,
                    Result=output,
                )
            )
        self.keep()
        ended = replace(
            self._instance, status=status, output=output, updated=time_text(self._moment)
        )
        self._store.put_instance(ended)
        self._store.drop_timers(ended.instance_id)
        if ended.parent is not None:
            self._tell_parent(ended.parent, status, output)

    def _tell_parent(self, parent: Parent, status: Status, output: str) -> None:
        if status is Status.COMPLETED:
            told = event(
                Kind.SUB_COMPLETED, self._moment, TaskScheduledId=parent.task_id, Result=output
            )
        else:
            reason = output or f"{self._instance.instance_id} was terminated"
            told = event(
                Kind.SUB_FAILED,
                self._moment,
                TaskScheduledId=parent.task_id,
                Reason=reason,
                Details=status.value,
            )
        self._store.send(
            [Message(instance_id=parent.instance_id, execution_id=parent.execution_id, event=told)]
        )

    def _continue_as_new(self, input_: Any) -> None:
        """A new execution with an empty history. Events that nobody has waited for yet are kept only if not taken in."""
        instance = self._instance
        fresh = replace(
            instance,
            execution_id=uuid4().hex,
            status=Status.RUNNING,
            input=json.dumps(input_),
            updated=time_text(self._moment),
        )
        self._store.forget_execution(instance.instance_id, instance.execution_id)
        self._store.put_instance(fresh)
        self._store.send([start_message(fresh, self._moment, self._store.default_version)])

    def _schedule(self, command: Command) -> Event:
        """Do what a command says and return its event for history."""
        instance = self._instance
        if command.kind is Kind.TIMER_CREATED and command.fire_at is not None:
            fire_at = time_text(command.fire_at)
            fired = event(Kind.TIMER_FIRED, command.fire_at, TimerId=command.id, FireAt=fire_at)
            due = max(command.fire_at.timestamp(), 0.001)
            self._send_to_itself(fired, due)
            return event(Kind.TIMER_CREATED, self._moment, event_id=command.id, FireAt=fire_at)
        if command.kind is Kind.TASK_SCHEDULED:
            self._store.schedule(
                instance.instance_id, instance.execution_id, command.id, command.name, command.input
            )
            given = json.dumps([command.input])
            return event(
                Kind.TASK_SCHEDULED,
                self._moment,
                event_id=command.id,
                Name=command.name,
                Version="",
                Input=given,
            )
        return self._create_sub_orchestration(command)

    def _send_to_itself(self, one: Event, due: float = 0.0) -> None:
        instance = self._instance
        message = Message(
            instance_id=instance.instance_id, execution_id=instance.execution_id, event=one, due=due
        )
        self._store.send([message])

    def _create_sub_orchestration(self, command: Command) -> Event:
        instance, input_ = self._instance, json.dumps(command.input)
        child_id = command.instance_id or f"{instance.execution_id}:{command.id:08x}"
        parent = Parent(
            instance_id=instance.instance_id, execution_id=instance.execution_id, task_id=command.id
        )
        problem = self._why_not(command.name, child_id)
        if problem:
            failed = event(
                Kind.SUB_FAILED,
                self._moment,
                TaskScheduledId=command.id,
                Reason=problem,
                Details="",
            )
            self._send_to_itself(failed)
        else:
            self._store.forget(child_id)
            create_instance(self._store, child_id, command.name, input_, self._moment, parent)
        fields: Mapping[str, Any] = {
            "Name": command.name,
            "Version": "",
            "InstanceId": child_id,
            "Input": input_,
        }
        return event(Kind.SUB_CREATED, self._moment, event_id=command.id, **fields)

    def _why_not(self, name: str, child_id: str) -> str | None:
        if name not in self._functions.orchestrators:
            return _no_function(name, "orchestrator")
        existing = self._store.instance(child_id)
        if existing is not None and not existing.status.is_terminal:
            return f"an orchestration with the id {child_id} runs already"
        return None


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
        output=None,
        custom_status=None,
        created=time_text(moment),
        updated=time_text(moment),
        parent=parent,
    )
    store.put_instance(instance)
    store.send([start_message(instance, moment, store.default_version)])
    return instance


def start_message(instance: Instance, moment: datetime, version: str = "") -> Message:
    """The message that begins an execution."""
    identity = {"InstanceId": instance.instance_id, "ExecutionId": instance.execution_id}
    parent = None
    if instance.parent is not None:
        parent = {
            "OrchestrationInstance": {
                "InstanceId": instance.parent.instance_id,
                "ExecutionId": instance.parent.execution_id,
            },
            "TaskScheduleId": instance.parent.task_id,
        }
    started = event(
        Kind.EXECUTION_STARTED,
        moment,
        OrchestrationInstance=identity,
        ParentInstance=parent,
        Name=instance.name,
        Version=version,
        Tags=None,
        Input=instance.input,
    )
    return Message(
        instance_id=instance.instance_id, execution_id=instance.execution_id, event=started
    )


def _control(taken: Taken) -> Event | None:
    """The first message, if it is one that the orchestrator has no say in."""
    kinds = (Kind.EXECUTION_TERMINATED, Kind.EXECUTION_SUSPENDED, Kind.EXECUTION_RESUMED)
    return next((one for one in taken.news if one["EventType"] in kinds), None)


def _no_function(name: str, kind: str) -> str:
    return f"the function '{name}' doesn't exist, is disabled, or is not an {kind} function"


def _problem(error: Exception) -> str:
    """Return the exception's class and message; the worker's report begins with the class."""
    return str(error) if isinstance(error, FunctionFailed) else f"{type(error).__name__}: {error}"


def _now() -> datetime:
    return datetime.now(UTC)
