"""Worker processes that share a quota unknown to each other, simulated event by event.

Minutes of traffic take milliseconds. The quota is the local teacher's; each worker has the rate
controller and the concurrency window of the app's scheduler, without a clock.
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
from shared.teacher.rate.concurrency_window import ConcurrencyWindow
from shared.teacher.rate.rate_controller import RateController
from shared.teacher.retry import rate_limits, retry_after

SECONDS_AT_MOST = 600.0
WAY_SECONDS = 0.0025  # of a request to the teacher, and of a reply back


@dataclass
class Teacher:
    """A teacher's quota, latency and faults."""

    rpm: int | None = None
    tpm: int | None = None
    latency: tuple[float, float] = (0.5, 1.0)  # seconds, least and most
    stray: float = 0.0  # share of requests that it refuses for no reason
    silent: float = 0.0  # share of requests that get no reply
    silence: float = 0.0  # seconds until that is noticed
    tells_limits: bool = True  # in the headers of its replies
    whole_seconds: bool = False  # in Retry-After, and no milliseconds
    doubles_at: float | None = None  # second from which the quota is twice as much


@dataclass
class Traffic:
    """A simulation of `workers` processes that take `rows` rows from one queue."""

    teacher: Teacher
    workers: int
    rows: int
    ceiling: int = 64
    tokens: int = 1100  # per row
    seed: int = 0
    now: float = 0.0
    accepted: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.limits = RateLimits(self.teacher.rpm, self.teacher.tpm, lambda: self.now)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self.rows_left = self.rows
        self.processes = [
            _Worker(self, RateController(random.Random(number)), self.ceiling)
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
        """Return the seconds that the quota alone takes."""
        rates = [self.teacher.rpm, self.teacher.tpm and self.teacher.tpm / self.tokens]
        return max(self.rows * 60 / rate for rate in rates if rate)

    @property
    def refused_share(self) -> float:
        """Return the refused requests per accepted one, from the tenth second on."""
        refused = sum(moment >= 10 for moment in self.refused)
        accepted = sum(moment >= 10 for moment in self.accepted)
        return refused / accepted


class _Worker:
    def __init__(self, traffic: Traffic, rate: RateController, ceiling: int) -> None:
        self._traffic = traffic
        self._rate = rate
        self._window = ConcurrencyWindow(ceiling)
        self._in_flight = 0
        self._next_start = -1.0

    def serve(self) -> None:
        traffic = self._traffic
        while traffic.rows_left and self._in_flight < self._window.places:
            wait = self._rate.delay(traffic.now)
            if wait > 0:
                if not traffic.now < self._next_start <= traffic.now + wait:
                    self._next_start = traffic.now + wait
                    traffic.at(self._next_start, self.serve)
                return
            traffic.rows_left -= 1
            self._in_flight += 1
            self._ask(self._rate.start_request(traffic.now), traffic.now)

    def _ask(self, number: int, sent: float) -> None:
        self._traffic.at(sent + WAY_SECONDS, lambda: self._arrive(number, sent))

    def _arrive(self, number: int, sent: float) -> None:
        traffic = self._traffic
        teacher = traffic.teacher
        if teacher.silent and traffic.random.random() < teacher.silent:
            traffic.at(traffic.now + WAY_SECONDS + teacher.silence, lambda: self._lost(number))
            return
        try:
            if traffic.random.random() < teacher.stray:
                milliseconds = str(20 + 100 * traffic.random.random())
                raise ApiError(429, "stray", headers={"retry-after-ms": milliseconds})
            headers = traffic.limits.admit(traffic.tokens)
        except ApiError as error:
            refusal_headers = error.headers
            traffic.refused.append(traffic.now)
            traffic.at(
                traffic.now + WAY_SECONDS, lambda: self._refused(number, sent, refusal_headers)
            )
            return
        traffic.accepted.append(traffic.now)
        latency = traffic.random.uniform(*teacher.latency)
        traffic.at(
            traffic.now + latency + WAY_SECONDS, lambda: self._answered(number, sent, headers)
        )

    def _answered(self, number: int, sent: float, headers: dict[str, str]) -> None:
        is_full = self._in_flight >= self._window.places
        self._in_flight -= 1
        self._record_quotas(number, sent, headers)
        self._rate.record_admitted(number)
        self._window.record_answer(self._traffic.now, self._traffic.now - sent, is_full=is_full)
        self.serve()

    def _lost(self, number: int) -> None:
        self._in_flight -= 1
        self._traffic.rows_left += 1
        self._window.record_failure(self._traffic.now)
        self._rate.record_end(number)
        self.serve()

    def _refused(self, number: int, sent: float, headers: dict[str, str]) -> None:
        self._in_flight -= 1
        self._traffic.rows_left += 1
        self._record_quotas(number, sent, headers)
        seconds = retry_after(headers)
        assert seconds is not None
        if self._traffic.teacher.whole_seconds:
            seconds = math.ceil(seconds)
        self._rate.record_refusal(self._traffic.now, number, seconds)
        self._rate.record_end(number)
        self.serve()

    def _record_quotas(self, number: int, sent: float, headers: dict[str, str]) -> None:
        if not self._traffic.teacher.tells_limits:
            return
        for name, limit in rate_limits(headers).items():
            if limit.remaining is not None and limit.reset is not None:
                self._rate.record_quota(
                    name, number, remaining=limit.remaining, sent=sent, reset=limit.reset
                )
