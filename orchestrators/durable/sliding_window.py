"""A sliding window over numbered items: as many activities at a time as allowed.

The window decides when to start which item: new, unfinished, or to be retried after a backoff. What
an item is, and what its output means, is the business of its `Items`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic

from orchestrators.durable.context import Context, Task
from orchestrators.durable.edge import Steps
from orchestrators.durable.waiting import LOOK_SECONDS, activity_error, first_of
from orchestrators.durable.window_items import End, EndingT, Items, OutputT, Then
from shared.core.backoff import MAX_SHARD_ATTEMPTS, PAUSED_LOOK_SECONDS, retry_interval
from shared.runs.contracts import (
    WindowState,
)
from shared.runs.wire import Activity, to_wire

ACTIVITIES_PER_EXECUTION = 256
"""After so many an execution starts none, and the orchestrator continues as new."""
PAUSES_PER_EXECUTION = 32
"""Each has timers in the history."""


@dataclass(frozen=True)
class _Running:
    number: int
    activity: Activity[Any, Any]
    task: Task


@dataclass(frozen=True, order=True)
class _Retry:
    due: datetime
    number: int


class SlidingWindow(Generic[OutputT, EndingT]):
    """One execution's activities over the items. Make it, `run` it, then look at `is_complete`."""

    def __init__(
        self, context: Context, items: Items[OutputT, EndingT], state: WindowState
    ) -> None:
        self.ending: EndingT | None = None
        self._context = context
        self._items = items
        self._next_number = state.next_number
        self._unfinished = list(state.unfinished)
        self._attempts = dict(state.attempts)
        self._running: list[_Running] = []
        self._retries: list[_Retry] = []
        self._started = 0
        self._pauses = 0
        self._paused = False
        self._wait_until: datetime | None = None
        if state.paused:
            self._pause()

    @property
    def is_complete(self) -> bool:
        """Whether no further execution is needed."""
        return self.ending is not None or not self._has_waiting_items

    @property
    def state(self) -> WindowState:
        """What the next execution has to know."""
        retried = {retry.number for retry in self._retries}
        begun = sorted({*self._unfinished, *retried})
        attempts = {
            number: self._attempts[number] for number in begun if self._attempts.get(number)
        }
        return WindowState(
            next_number=self._next_number,
            unfinished=begun,
            attempts=attempts,
            paused=self._paused,
        )

    def run(self) -> Steps[None]:
        """Start and await activities until this execution has nothing more to do."""
        while self._running or self._may_start_items:
            self._start_items()
            ended = yield from self._next_ended()
            if ended is not None:
                self._handle_ended(ended)

    # Starting

    @property
    def _has_waiting_items(self) -> bool:
        return bool(self._unfinished or self._retries or self._next_number < self._items.count)

    @property
    def _has_budget(self) -> bool:
        """Whether this execution's history has room for further activities."""
        return self._started < ACTIVITIES_PER_EXECUTION and self._pauses < PAUSES_PER_EXECUTION

    @property
    def _may_start_items(self) -> bool:
        return self.ending is None and self._has_budget and self._has_waiting_items

    @property
    def _room(self) -> int:
        """How many more activities may run now."""
        return (1 if self._paused else self._items.parallel) - len(self._running)

    def _start_items(self) -> None:
        """Start activities until the window is full, begun items before new ones."""
        while (
            self.ending is None and self._has_budget and self._room > 0 and self._pause_seconds == 0
        ):
            number = self._take_next_number()
            if number is None:
                return
            self._started += 1
            launch = self._items.launch(number)
            task = self._context.call_activity(launch.activity, to_wire(launch.payload))
            self._running.append(_Running(number, launch.activity, task))

    def _take_next_number(self) -> int | None:
        """Remove and return the item to start now, None if there is none."""
        now = self._context.current_utc_datetime
        for retry in sorted(self._retries):
            if retry.due <= now:
                self._retries.remove(retry)
                return retry.number
        if self._unfinished:
            return self._unfinished.pop(0)
        if self._next_number == self._items.count:
            return None
        self._next_number += 1
        return self._next_number - 1

    # Waiting

    def _next_ended(self) -> Steps[_Running | None]:
        """Return the activity that ends next, None when it is time to start items again."""
        tasks = [running.task for running in self._running]
        ended = yield from first_of(self._context, tasks, self._seconds_to_wait)
        for running in self._running:
            if running.task is ended:
                self._running.remove(running)
                return running
        return None

    @property
    def _seconds_to_wait(self) -> float:
        """How long to wait for activities before an item can be started."""
        if self.ending is not None or not self._has_budget or self._room <= 0:
            return LOOK_SECONDS
        if self._pause_seconds:
            return self._pause_seconds
        if not self._retries:
            return LOOK_SECONDS
        return self._seconds_until(min(self._retries).due)

    @property
    def _pause_seconds(self) -> float:
        """What remains of a pause."""
        return 0.0 if self._wait_until is None else self._seconds_until(self._wait_until)

    def _seconds_until(self, moment: datetime) -> float:
        return max(0.0, (moment - self._context.current_utc_datetime).total_seconds())

    # Ending

    def _handle_ended(self, ended: _Running) -> None:
        result = ended.task.result
        if isinstance(result, Exception):  # how Durable hands over that an activity raised
            self._retry_later(ended, result)
            return
        then = self._items.handle_output(ended.number, ended.activity.parse(result))
        if then is Then.PAUSE:
            self._unfinished.append(ended.number)
            self._pause()
            return
        self._paused = False
        self._apply(ended.number, then)

    def _retry_later(self, ended: _Running, raised: Exception) -> None:
        """Retry an item after a backoff, or hand it back when its attempts are used up."""
        attempts = self._attempts.get(ended.number, 0) + 1
        self._attempts[ended.number] = attempts
        if attempts == MAX_SHARD_ATTEMPTS:
            error = activity_error(ended.activity, raised)
            self._apply(ended.number, self._items.handle_exhausted(ended.number, error))
            return
        backoff = timedelta(seconds=retry_interval(attempts))
        self._retries.append(_Retry(self._context.current_utc_datetime + backoff, ended.number))

    def _apply(self, number: int, then: Then | End[EndingT]) -> None:
        if isinstance(then, End):
            self._end(then.reason)
        elif then is Then.START_AGAIN:
            self._attempts[number] = 0
            self._unfinished.append(number)

    def _end(self, reason: EndingT) -> None:
        """Start nothing further. The first reason counts; running activities read `stopping`."""
        if self.ending is None:
            self.ending = reason
            self._context.set_custom_status({"stopping": True})

    def _pause(self) -> None:
        """Start nothing for a while, then one activity at a time until one isn't paused."""
        self._paused = True
        self._pauses += 1
        pause = timedelta(seconds=PAUSED_LOOK_SECONDS)
        self._wait_until = self._context.current_utc_datetime + pause
