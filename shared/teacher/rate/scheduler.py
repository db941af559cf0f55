"""When each request may start: all shards of a worker process share one limiter for each teacher.

`concurrency_window.py` decides how many are in flight, `rate_controller.py` how fast they follow
each other. Shards take turns; requests that are asked again go first, as their rows have waited
longest.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.teacher.rate.concurrency_window import Window
from shared.teacher.rate.rate_controller import Pace


@dataclass(slots=True)
class _Run:
    """Requests of one run: never more at a time than its specification allows."""

    ceiling: int
    lanes: int = 0
    in_flight: int = 0


@dataclass(slots=True, eq=False)
class Lane:
    """The requests of one shard."""

    run: _Run
    waiting: deque[asyncio.Future[int]] = field(default_factory=deque[asyncio.Future[int]])
    again: deque[asyncio.Future[int]] = field(default_factory=deque[asyncio.Future[int]])
    call_when_none_waits: Callable[[], None] = lambda: (
        None
    )  # more could be sent, or would at least wait for its turn


class Limiter:
    """Starts requests in turn. `begin` and `end` enclose each one."""

    def __init__(self) -> None:
        self.window = Window()
        self.pace = Pace()
        self.in_flight = 0
        self._runs: dict[str, _Run] = {}
        self._lanes: deque[Lane] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def lane(self, run: str, ceiling: int) -> Generator[Lane]:
        """A lane for one shard of a run, while the context lasts."""
        known = self._runs.setdefault(run, _Run(ceiling))
        known.ceiling, known.lanes = ceiling, known.lanes + 1
        lane = Lane(known)
        self._lanes.append(lane)
        self.window.ceiling = max(each.ceiling for each in self._runs.values())
        try:
            yield lane
        finally:
            self._lanes.remove(lane)
            known.lanes -= 1
            if not known.lanes:
                self._runs.pop(run, None)

    async def begin(self, lane: Lane, *, again: bool = False) -> int:
        """Wait for a place and the time to start. Returns the request's number for the pace."""
        mine: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        (lane.again if again else lane.waiting).append(mine)
        self._serve()
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.end(lane, mine.result())
            raise

    def end(self, lane: Lane, number: int) -> None:
        """The request that `begin` gave this number has ended, however; the pace was told before if it is known how."""
        self.pace.ended(number)
        self.in_flight -= 1
        lane.run.in_flight -= 1
        self._serve()

    @property
    def full(self) -> bool:
        return self.in_flight >= self.window.places

    def _serve(self) -> None:
        """Start what may start now."""
        while not self.full:
            turn = self._turn()
            if turn is None:
                return
            now = time.monotonic()
            wait = self.pace.wait(now)
            if wait > 0:
                self._look_again(wait)
                return
            lane, queue = turn
            self.in_flight += 1
            lane.run.in_flight += 1
            queue.popleft().set_result(self.pace.started(now))
            if queue is lane.waiting:
                self._lanes.rotate(-1 - self._lanes.index(lane))
            if not lane.waiting and not lane.again:
                lane.call_when_none_waits()

    def _turn(self) -> tuple[Lane, deque[asyncio.Future[int]]] | None:
        """Whose turn it is; of a run that has as many in flight as it may, nobody's."""
        first: tuple[Lane, deque[asyncio.Future[int]]] | None = None
        for lane in self._lanes:
            if not (lane.again or lane.waiting) or lane.run.in_flight >= lane.run.ceiling:
                continue
            if _next_of(lane.again):
                return lane, lane.again
            if first is None and _next_of(lane.waiting):
                first = lane, lane.waiting
        return first

    def _look_again(self, wait: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(wait, self._serve)


def _next_of(queue: deque[asyncio.Future[int]]) -> bool:
    """Whether anyone waits; those who were cancelled do not."""
    while queue and queue[0].done():
        queue.popleft()
    return bool(queue)


_limiters: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Limiter]] = (
    weakref.WeakKeyDictionary()
)


def process_limiter(base_url: str, model: str) -> Limiter:
    """The limiter that everyone on this event loop shares for one teacher: what was learnt of it outlives a shard."""
    limiters = _limiters.setdefault(asyncio.get_running_loop(), {})
    return limiters.setdefault((base_url, model), Limiter())
