"""When each request may start: all shards of a worker process share one scheduler per teacher.

`concurrency_window.py` decides how many requests are in flight, `rate_controller.py` how fast they
follow each other. Runs take turns, however many shards and waiting requests each has; so do the
shards of a run. Within a run, retries go first, as their rows have waited longest.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.core.process import current
from shared.teacher.rate.concurrency_window import ConcurrencyWindow
from shared.teacher.rate.rate_controller import RateController

Queue = deque[asyncio.Future[int]]


def _do_nothing() -> None:
    pass


@dataclass(slots=True, eq=False)
class RunRequests:
    """The requests of one run in this process: never more at a time than the run allows."""

    ceiling: int
    # in the order in which they have a turn
    lanes: deque[Lane] = field(default_factory=lambda: deque[Lane]())
    in_flight: int = 0

    def next_turn(self) -> tuple[Lane, Queue] | None:
        """Return the lane and queue whose turn it is, None if nothing may start."""
        if self.in_flight >= self.ceiling:
            return None
        first: tuple[Lane, Queue] | None = None
        for lane in self.lanes:
            if _has_waiting(lane.retries):
                return lane, lane.retries
            if first is None and _has_waiting(lane.first_attempts):
                first = lane, lane.first_attempts
        return first


@dataclass(slots=True, eq=False)
class Lane:
    """The requests of one shard that wait for their turn."""

    run: RunRequests
    first_attempts: Queue = field(default_factory=Queue)
    retries: Queue = field(default_factory=Queue)
    # called when the last waiting request starts: more requests would have to wait, or even start
    on_empty: Callable[[], None] = _do_nothing


class RequestScheduler:
    """Starts requests in turn. `begin` and `end` enclose each one."""

    def __init__(self) -> None:
        self.window = ConcurrencyWindow()
        self.rate = RateController()
        self.in_flight = 0
        self._runs: dict[str, RunRequests] = {}
        # in the order in which they have a turn
        self._turns: deque[RunRequests] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def lane(self, run_id: str, ceiling: int) -> Generator[Lane]:
        """Open a lane for one shard of a run, which may have `ceiling` requests in flight."""
        run = self._open_run(run_id, ceiling)
        lane = Lane(run)
        run.lanes.append(lane)
        self.window.ceiling = max(other.ceiling for other in self._runs.values())
        try:
            yield lane
        finally:
            run.lanes.remove(lane)
            if not run.lanes:
                del self._runs[run_id]
                self._turns.remove(run)

    def _open_run(self, run_id: str, ceiling: int) -> RunRequests:
        run = self._runs.get(run_id)
        if run is None:
            run = RunRequests(ceiling)
            self._runs[run_id] = run
            self._turns.append(run)
        run.ceiling = ceiling
        return run

    async def begin(self, lane: Lane, *, is_retry: bool = False) -> int:
        """Wait for a place and the time to start. Return the request's number for `rate`."""
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        queue = lane.retries if is_retry else lane.first_attempts
        queue.append(turn)
        self._start_requests()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end(lane, turn.result())
            raise

    def end(self, lane: Lane, number: int) -> None:
        """End a request, whatever its outcome. A known outcome is recorded in `rate` before."""
        self.rate.record_end(number)
        self.in_flight -= 1
        lane.run.in_flight -= 1
        self._start_requests()

    @property
    def is_full(self) -> bool:
        """Return whether all places are taken."""
        return self.in_flight >= self.window.places

    def _start_requests(self) -> None:
        """Start the requests that may start now."""
        while not self.is_full:
            turn = self._next_turn()
            if turn is None:
                return
            now = time.monotonic()
            delay = self.rate.delay(now)
            if delay > 0:
                self._start_requests_later(delay)
                return
            lane, queue = turn
            self.in_flight += 1
            lane.run.in_flight += 1
            queue.popleft().set_result(self.rate.start_request(now))
            self._turns.rotate(-1 - self._turns.index(lane.run))
            if queue is lane.first_attempts:
                lane.run.lanes.rotate(-1 - lane.run.lanes.index(lane))
            if not lane.first_attempts and not lane.retries:
                lane.on_empty()

    def _next_turn(self) -> tuple[Lane, Queue] | None:
        for run in self._turns:
            turn = run.next_turn()
            if turn is not None:
                return turn
        return None

    def _start_requests_later(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay, self._start_requests)


def _has_waiting(queue: Queue) -> bool:
    """Return whether a request waits, and drop those that were cancelled."""
    while queue and queue[0].done():
        queue.popleft()
    return bool(queue)


class RequestSchedulers:
    """The schedulers of a process: one per event loop and teacher, as futures belong to a loop."""

    def __init__(self) -> None:
        self._schedulers: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[tuple[str, str], RequestScheduler]
        ] = weakref.WeakKeyDictionary()

    def of(self, base_url: str, model: str) -> RequestScheduler:
        """Return the scheduler of a model at an endpoint for the running event loop."""
        schedulers = self._schedulers.setdefault(asyncio.get_running_loop(), {})
        return schedulers.setdefault((base_url, model), RequestScheduler())


def process_scheduler(base_url: str, model: str) -> RequestScheduler:
    """Return the scheduler that everyone in this process shares for one teacher."""
    return current().part(RequestSchedulers).of(base_url, model)
