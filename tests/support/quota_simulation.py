"""Worker processes that share a quota unaware of each other, simulated event by event: minutes of traffic in milliseconds.

The quota is that of the local teacher; the workers are the pace and the window of the app's limiter, without a clock.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from local.emulators.openai_errors import ApiError
from local.emulators.teacher.limits import RateLimits
from shared.teacher.rate.concurrency_window import Window
from shared.teacher.rate.rate_controller import Pace
from shared.teacher.retry import remaining, retry_after

SECONDS_AT_MOST = 600.0
WAY_SECONDS = 0.0025  # of a request to the teacher, and of a reply back


@dataclass
class Teacher:
    """What is asked: its quota, its latency in seconds from least to most, and what it tells."""

    rpm: int | None = None
    tpm: int | None = None
    latency: tuple[float, float] = (0.5, 1.0)
    stray: float = 0.0  # share of requests that it refuses for no reason
    silent: float = 0.0  # share of requests that get no reply
    silence: float = 0.0  # seconds until that is noticed
    tells_limits: bool = True
    whole_seconds: bool = False  # in Retry-After, and no milliseconds
    doubles_at: float | None = None  # second from which the quota is twice as much


@dataclass
class Traffic:
    """A simulation of `rows` rows that `workers` processes take from one queue."""

    teacher: Teacher
    workers: int
    rows: int
    ceiling: int = 64
    tokens: int = 1100  # that a row is charged
    seed: int = 0
    now: float = 0.0
    accepted: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.limits = RateLimits(self.teacher.rpm, self.teacher.tpm, lambda: self.now)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self.left = self.rows
        self.processes = [
            _Worker(self, Pace(random.Random(number)), self.ceiling)
            for number in range(self.workers)
        ]

    def run(self) -> Traffic:
        if self.teacher.doubles_at is not None:
            self.at(self.teacher.doubles_at, self._double)
        for process in self.processes:
            process.serve()
        while self._events and self.now < SECONDS_AT_MOST and len(self.refused) < 10 * self.rows:
            self.now, _, act = heapq.heappop(self._events)
            act()
        return self

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), act))

    def _double(self) -> None:
        rpm, tpm = self.teacher.rpm, self.teacher.tpm
        self.limits = RateLimits(rpm and 2 * rpm, tpm and 2 * tpm, lambda: self.now)

    @property
    def bound_seconds(self) -> float:
        """How long the quota alone takes."""
        rates = [self.teacher.rpm, self.teacher.tpm and self.teacher.tpm / self.tokens]
        return max(self.rows * 60 / rate for rate in rates if rate)

    @property
    def refused_share(self) -> float:
        """Refused by accepted requests, from the tenth second on."""
        return sum(moment >= 10 for moment in self.refused) / sum(
            moment >= 10 for moment in self.accepted
        )


class _Worker:
    def __init__(self, traffic: Traffic, pace: Pace, ceiling: int) -> None:
        self._traffic, self._pace, self._window = traffic, pace, Window(ceiling)
        self._in_flight = 0
        self._next_look = -1.0

    def serve(self) -> None:
        traffic = self._traffic
        while traffic.left and self._in_flight < self._window.places:
            wait = self._pace.wait(traffic.now)
            if wait > 0:
                if not traffic.now < self._next_look <= traffic.now + wait:
                    self._next_look = traffic.now + wait
                    traffic.at(self._next_look, self.serve)
                return
            traffic.left -= 1
            self._in_flight += 1
            self._ask(self._pace.started(traffic.now), traffic.now)

    def _ask(self, number: int, sent: float) -> None:
        self._traffic.at(sent + WAY_SECONDS, lambda: self._arrive(number, sent))

    def _arrive(self, number: int, sent: float) -> None:
        traffic, teacher = self._traffic, self._traffic.teacher
        if teacher.silent and traffic.random.random() < teacher.silent:
            traffic.at(traffic.now + WAY_SECONDS + teacher.silence, lambda: self._lost(number))
            return
        try:
            if traffic.random.random() < teacher.stray:
                raise ApiError(
                    429,
                    "stray",
                    headers={"retry-after-ms": str(20 + 100 * traffic.random.random())},
                )
            headers = traffic.limits.admit(traffic.tokens)
        except ApiError as error:
            traffic.refused.append(traffic.now)
            told = error.headers
            traffic.at(traffic.now + WAY_SECONDS, lambda: self._refused(number, sent, told))
            return
        traffic.accepted.append(traffic.now)
        latency = traffic.random.uniform(*teacher.latency)
        traffic.at(
            traffic.now + latency + WAY_SECONDS, lambda: self._answered(number, sent, headers)
        )

    def _answered(self, number: int, sent: float, headers: dict[str, str]) -> None:
        full = self._in_flight >= self._window.places
        self._in_flight -= 1
        self._tell(number, sent, headers)
        self._pace.admitted(number)
        self._window.answered(self._traffic.now, self._traffic.now - sent, full=full)
        self.serve()

    def _lost(self, number: int) -> None:
        self._in_flight -= 1
        self._traffic.left += 1
        self._window.failed(self._traffic.now)
        self._pace.ended(number)
        self.serve()

    def _refused(self, number: int, sent: float, headers: dict[str, str]) -> None:
        self._in_flight -= 1
        self._traffic.left += 1
        self._tell(number, sent, headers)
        wait = retry_after(headers)
        assert wait is not None
        self._pace.refuse(
            self._traffic.now,
            number,
            math.ceil(wait) if self._traffic.teacher.whole_seconds else wait,
        )
        self._pace.ended(number)
        self.serve()

    def _tell(self, number: int, sent: float, headers: dict[str, str]) -> None:
        if not self._traffic.teacher.tells_limits:
            return
        for name, limit in remaining(headers).items():
            if limit.left is not None and limit.reset is not None:
                self._pace.tell(name, number, limit.left, sent, limit.reset)
