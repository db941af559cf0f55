"""When each request may start: all shards of a worker process share one scheduler per teacher.

A teacher has one or several deployments, each with a gate of its own: how many requests are in
flight (`concurrency_window.py`), and how fast they follow each other (`rate_controller.py`). A
request goes to the deployment with the smallest load among those that may be asked now. Runs take
turns, however many shards and waiting requests each has; so do the shards of a run. Within a run,
retries go first, as their rows have waited longest.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.core.process import current
from shared.teacher.rate.gate import Gate
from shared.teacher.rate.process_ceiling import process_ceiling, run_ceiling


@dataclass(frozen=True, slots=True)
class Turn:
    """A request that may start now: through which gate, and its number there."""

    gate: Gate
    number: int


Queue = deque[asyncio.Future[Turn]]


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

    def __init__(self, deployments: int = 1) -> None:
        self._ceiling = process_ceiling()
        self.gates = [Gate() for _ in range(deployments)]
        self._runs: dict[str, RunRequests] = {}
        # in the order in which they have a turn
        self._turns: deque[RunRequests] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def lane(self, run_id: str, concurrency: int | None) -> Generator[Lane]:
        """Open a lane for one shard of a run.

        The run may have `concurrency` requests in flight, None for as many as the process may.
        """
        run = self._open_run(run_id, run_ceiling(concurrency))
        lane = Lane(run)
        run.lanes.append(lane)
        ceiling = max(other.ceiling for other in self._runs.values())
        for gate in self.gates:
            gate.window.ceiling = ceiling
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

    async def begin(self, lane: Lane, *, is_retry: bool = False) -> Turn:
        """Wait for a place and the time to start."""
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        queue = lane.retries if is_retry else lane.first_attempts
        queue.append(turn)
        self._start_requests()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end(lane, turn.result())
            raise

    def end(self, lane: Lane, turn: Turn) -> None:
        """End a request, whatever its outcome. A known outcome is recorded in its gate before."""
        turn.gate.end_request(turn.number)
        lane.run.in_flight -= 1
        self._start_requests()

    @property
    def in_flight(self) -> int:
        return sum(gate.in_flight for gate in self.gates)

    def others_open(self, gate: Gate, now: float) -> Sequence[Gate]:
        """Return the other gates that aren't closed."""
        return [other for other in self.gates if other is not gate and other.is_open(now)]

    def others_may_answer(self, gate: Gate, now: float) -> bool:
        """Return whether another gate is open, or closed only because it couldn't be reached."""
        return any(other is not gate and other.may_answer(now) for other in self.gates)

    def _start_requests(self) -> None:
        """Start the requests that may start now."""
        while self.in_flight < self._ceiling:
            gates = [gate for gate in self.gates if not gate.is_full]
            turn = self._next_turn() if gates else None
            if turn is None:
                return
            now = time.monotonic()
            ready = [gate for gate in gates if gate.delay(now) <= 0]
            if not ready:
                self._start_requests_later(min(gate.delay(now) for gate in gates))
                return
            lane, queue = turn
            gate = min(ready, key=_load)
            lane.run.in_flight += 1
            queue.popleft().set_result(Turn(gate, gate.start_request(now)))
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


def _load(gate: Gate) -> float:
    return gate.load


def _has_waiting(queue: Queue) -> bool:
    """Return whether a request waits, and drop those that were cancelled."""
    while queue and queue[0].done():
        queue.popleft()
    return bool(queue)


Deployments = tuple[tuple[str, str], ...]


class RequestSchedulers:
    """The schedulers of a process: one per event loop and teacher, as futures belong to a loop."""

    def __init__(self) -> None:
        self._schedulers: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[Deployments, RequestScheduler]
        ] = weakref.WeakKeyDictionary()

    def of(self, deployments: Deployments) -> RequestScheduler:
        """Return the scheduler of a teacher for the running event loop."""
        schedulers = self._schedulers.setdefault(asyncio.get_running_loop(), {})
        if deployments not in schedulers:
            schedulers[deployments] = RequestScheduler(len(deployments))
        return schedulers[deployments]


def process_scheduler(*deployments: tuple[str, str]) -> RequestScheduler:
    """Return the scheduler that everyone in this process shares for one teacher.

    Each deployment is a base URL and a model; the scheduler's gates are in the same order.
    """
    return current().part(RequestSchedulers).of(deployments)
