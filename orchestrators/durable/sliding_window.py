"""A sliding window of running activities over numbered work: never too many at once, never one waiting for another without need.

History is bounded: after so many activities an execution begins none, and the orchestrator goes on as new with what is `carried`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from orchestrators.durable.context import Context, Task
from orchestrators.durable.waiting import LOOK_SECONDS, activity_error, first_of
from shared.core.backoff import MAX_SHARD_ATTEMPTS, PAUSED_LOOK_SECONDS, retry_interval
from shared.core.errors import ErrorData

ACTIVITIES_PER_EXECUTION = 256
PAUSES_PER_EXECUTION = 32  # each has timers of its own in history

Launch = Callable[[int], tuple[str, dict[str, Any]]]  # activity and input for a piece of work


@dataclass
class Window:
    """The work of one execution: the next new piece, those that run, those to be gone on with, and those tried again later."""

    context: Context
    launch: Launch
    count: int  # pieces of work in all
    next_number: int
    parallel: int
    running: list[tuple[int, Task]] = field(default_factory=list[tuple[int, Task]])
    unfinished: list[int] = field(default_factory=list[int])
    retries: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])
    attempts: dict[int, int] = field(default_factory=dict[int, int])
    launched: int = 0
    pauses: int = 0  # so far
    paused: bool = False  # one activity at a time asks whether to go on
    wait_until: datetime | None = None  # before which nothing is launched
    ending: dict[str, Any] | None = None  # why nothing further is launched

    @property
    def is_complete(self) -> bool:
        """Whether no other execution is needed."""
        return self.ending is not None or not (
            self.next_number < self.count or self.unfinished or self.retries
        )

    def carried(self) -> dict[str, Any]:
        """What the next execution has to know, for `carry`."""
        begun = sorted({*self.unfinished, *(number for _, number in self.retries)})
        tried = {
            str(number): count
            for number, count in self.attempts.items()
            if number in begun and count
        }
        return {"first": self.next_number, "begun": begun, "tried": tried, "paused": self.paused}

    def carry(self, given: dict[str, Any]) -> None:
        """Take over what the execution before has carried; inputs of before have less."""
        self.unfinished = list(given.get("begun", []))
        self.attempts = {int(number): count for number, count in given.get("tried", {}).items()}
        if given.get("paused"):
            self.pause()

    def pause(self) -> None:
        """Launch nothing for a while, and then one activity at a time until one is not told to pause."""
        self.paused = True
        self.pauses += 1
        self.wait_until = self.context.current_utc_datetime + timedelta(seconds=PAUSED_LOOK_SECONDS)

    def work(self) -> Generator[Any, Any, None]:
        """Until all that this execution takes on is done."""
        while self._is_open:
            self._launch()
            number, result = yield from self._next()
            if number is not None:
                self._take(number, result)

    def judge(self, number: int, result: dict[str, Any]) -> dict[str, Any] | None:
        """Why nothing further is to be launched, after this result; None to go on."""
        return None if result["status"] == "ok" else result

    def lose(self, number: int, error: ErrorData) -> dict[str, Any] | None:
        """The same, of a piece of work that was tried as often as it may be."""
        return {"status": "failed", "error": error}

    def go_on(self, number: int) -> None:
        """Launch this piece of work again, before any new one."""
        self.attempts[number] = 0
        self.unfinished.append(number)

    def end(self, ending: dict[str, Any] | None) -> None:
        """Launch nothing further, and remember the first reason."""
        if ending is not None and self.ending is None:
            self.ending = ending
            self.context.set_custom_status({"stopping": True})

    @property
    def _is_open(self) -> bool:
        waiting = self.unfinished or self.retries or self.next_number < self.count
        return bool(self.running) or (self.ending is None and self._may_launch and bool(waiting))

    @property
    def _may_launch(self) -> bool:
        return self.launched < ACTIVITIES_PER_EXECUTION and self.pauses < PAUSES_PER_EXECUTION

    @property
    def _room(self) -> int:
        """How many more activities there may be at a time."""
        return (1 if self.paused else self.parallel) - len(self.running)

    def _launch(self) -> None:
        """Start activities until the window is full: begun work before new work."""
        while self.ending is None and self._may_launch and self._room > 0 and self._waited() == 0:
            number = self._pick()
            if number is None:
                return
            self.launched += 1
            activity, payload = self.launch(number)
            self.running.append((number, self.context.call_activity(activity, payload)))

    def _next(self) -> Generator[Any, Any, tuple[int | None, Any]]:
        """(piece of work, result) of the next one that ends; (None, None) when it is time for another look."""
        finished = yield from first_of(
            self.context, [task for _, task in self.running], self._patience()
        )
        for number, task in self.running:
            if task is finished:
                self.running.remove((number, task))
                return number, task.result
        return None, None

    def _take(self, number: int, result: Any) -> None:
        """Note how a piece of work ended. The result of an activity that raised is its exception: it is tried again, later."""
        if not isinstance(result, Exception):
            self.end(self.judge(number, result))
            return
        self.attempts[number] = self.attempts.get(number, 0) + 1
        if self.attempts[number] == MAX_SHARD_ATTEMPTS:
            self.end(self.lose(number, activity_error(self.launch(number)[0], result)))
            return
        pause = timedelta(seconds=retry_interval(self.attempts[number]))
        self.retries.append((self.context.current_utc_datetime + pause, number))

    def _pick(self) -> int | None:
        """The work to start now: what is due again, what was not finished, or a new piece."""
        now = self.context.current_utc_datetime
        for due, number in sorted(self.retries):
            if due <= now:
                self.retries.remove((due, number))
                return number
        if self.unfinished:
            return self.unfinished.pop(0)
        if self.next_number == self.count:
            return None
        self.next_number += 1
        return self.next_number - 1

    def _patience(self) -> float:
        """Seconds until something is to be launched, if it will be and there is room for it then."""
        if self.ending is not None or not self._may_launch or self._room <= 0:
            return LOOK_SECONDS
        if wait := self._waited():
            return wait
        if not self.retries:
            return LOOK_SECONDS
        return max(0.0, (min(self.retries)[0] - self.context.current_utc_datetime).total_seconds())

    def _waited(self) -> float:
        """Seconds of a pause that are left."""
        left = (
            (self.wait_until - self.context.current_utc_datetime).total_seconds()
            if self.wait_until
            else 0.0
        )
        return max(0.0, left)
