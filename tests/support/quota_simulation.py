"""Worker processes that share a quota unknown to each other, simulated event by event.

Minutes of traffic take milliseconds. The quota is the local teacher's; each worker has the rate
controller and the concurrency window of the app's scheduler, without a clock.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

from local.emulators.openai_errors import ApiError
from local.emulators.teacher.limits import RateLimits
from shared.teacher.rate.concurrency_window import ConcurrencyWindow
from shared.teacher.rate.gate import Gate
from shared.teacher.rate.rate_controller import RateController
from shared.teacher.retry import backoff, rate_limits, retry_after

SECONDS_AT_MOST = 600.0
WAY_SECONDS = 0.0025  # of a request to the teacher, and of a reply back


@dataclass(frozen=True)
class Teacher:
    """A teacher's quota, latency and faults."""

    rpm: int | None = None
    burst: float | None = None  # requests at once: a token bucket instead of fixed periods
    tpm: int | None = None
    latency: tuple[float, float] = (0.5, 1.0)  # seconds, least and most
    slots: int | None = None  # requests that it works on at a time; others wait
    longer_from: tuple[float, float] = (math.inf, 1.0)  # second, and times the latency from then on
    stray: float = 0.0  # share of requests that it refuses for no reason
    stray_wait: tuple[float, float] | None = (0.02, 0.12)  # that it asks for then, least and most
    stray_latency: float = 0.0  # until such a refusal
    silent: float = 0.0  # share of requests that get no reply
    silence: float = 0.0  # seconds until that is noticed
    tells_limits: bool = True  # in the headers of its replies
    tells_wait: bool = True  # in Retry-After, when a quota refuses
    whole_seconds: bool = False  # in Retry-After, and no milliseconds
    doubles_at: float | None = None  # second from which the quota is twice as much


@dataclass
class Traffic:
    """A simulation of `workers` processes that take `rows` rows from one queue."""

    teacher: Teacher
    workers: int
    count: int  # rows
    ceiling: int = 64
    tokens: int = 1100  # per row
    seed: int = 0
    seconds: float = SECONDS_AT_MOST
    now: float = 0.0
    in_flight: int = 0
    most_in_flight: int = 0
    accepted: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.limits = self._limits(self.teacher)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self.rows = deque(_Row() for _ in range(self.count))
        self._slots = [0.0] * (self.teacher.slots or 0)  # when each is free
        self.processes = [_Worker(self, self._gate(number)) for number in range(self.workers)]

    def run(self) -> Traffic:
        if self.teacher.doubles_at is not None:
            self.at(self.teacher.doubles_at, self._double)
        for process in self.processes:
            process.serve()
        while self._events and self.now < self.seconds and len(self.refused) < 10 * self.count:
            self.now, _, act = heapq.heappop(self._events)
            act()
        return self

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), act))

    def _gate(self, seed: int) -> Gate:
        return Gate(ConcurrencyWindow(self.ceiling), RateController(random.Random(seed)))

    def seconds_to_answer(self) -> float:
        """Return the seconds until the teacher has answered a request that arrives now."""
        begins, factor = self.teacher.longer_from
        seconds = self.random.uniform(*self.teacher.latency) * (factor if self.now >= begins else 1)
        if not self._slots:
            return seconds
        ready = max(self.now, heapq.heappop(self._slots)) + seconds
        heapq.heappush(self._slots, ready)
        return ready - self.now

    def stray_headers(self) -> dict[str, str]:
        wait = self.teacher.stray_wait
        if wait is None:
            return {}
        return {"retry-after-ms": str(1000 * self.random.uniform(*wait))}

    def _double(self) -> None:
        rpm, tpm = self.teacher.rpm, self.teacher.tpm
        self.limits = self._limits(replace(self.teacher, rpm=rpm and 2 * rpm, tpm=tpm and 2 * tpm))

    def _limits(self, teacher: Teacher) -> RateLimits | _Bucket:
        if teacher.burst is not None:
            return _Bucket((teacher.rpm or 0) / 60, teacher.burst, lambda: self.now)
        return RateLimits(teacher.rpm, teacher.tpm, lambda: self.now)

    @property
    def bound_seconds(self) -> float:
        """Return the seconds that the quota alone takes."""
        rates = [self.teacher.rpm, self.teacher.tpm and self.teacher.tpm / self.tokens]
        return max(self.count * 60 / rate for rate in rates if rate)

    @property
    def refused_share(self) -> float:
        """Return the refused requests per accepted one, from the tenth second on."""
        refused = sum(moment >= 10 for moment in self.refused)
        accepted = sum(moment >= 10 for moment in self.accepted)
        return refused / accepted


class _Bucket:
    """A quota that refills continuously. It tells the wait until the next request has room."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._filled = burst
        self._filled_at = clock()

    def admit(self, _tokens: int) -> dict[str, str]:
        """Count one request. Raises ApiError 429."""
        now = self._clock()
        filled = self._filled + (now - self._filled_at) * self._rate
        self._filled = min(self._burst, filled)
        self._filled_at = now
        if self._filled < 1:
            milliseconds = 1000 * (1 - self._filled) / self._rate
            raise ApiError(
                429, "the bucket is empty", headers={"retry-after-ms": str(milliseconds)}
            )
        self._filled -= 1
        return {}


class _Row:
    """A row that waits for its answer."""

    refusals = 0


class _Worker:
    def __init__(self, traffic: Traffic, gate: Gate) -> None:
        self._traffic = traffic
        self._gate = gate
        self._next_start = -1.0

    def serve(self) -> None:
        traffic = self._traffic
        while traffic.rows and not self._gate.is_full:
            wait = self._gate.delay(traffic.now)
            if wait > 0:
                if not traffic.now < self._next_start <= traffic.now + wait:
                    self._next_start = traffic.now + wait
                    traffic.at(self._next_start, self.serve)
                return
            request = _Request(traffic.rows.popleft(), traffic.now, self._gate)
            traffic.in_flight += 1
            traffic.most_in_flight = max(traffic.most_in_flight, traffic.in_flight)
            traffic.at(traffic.now + WAY_SECONDS, partial(self._arrive, request))

    def _arrive(self, request: _Request) -> None:
        traffic = self._traffic
        teacher = traffic.teacher
        if teacher.silent and traffic.random.random() < teacher.silent:
            traffic.at(traffic.now + WAY_SECONDS + teacher.silence, partial(self._lost, request))
            return
        wait = WAY_SECONDS
        try:
            if traffic.random.random() < teacher.stray:
                wait += teacher.stray_latency
                raise ApiError(429, "stray", headers=traffic.stray_headers())
            headers = self._admit()
        except ApiError as error:
            traffic.refused.append(traffic.now)
            traffic.at(traffic.now + wait, partial(self._refused, request, error.headers))
            return
        traffic.accepted.append(traffic.now)
        latency = traffic.seconds_to_answer()
        traffic.at(traffic.now + latency + WAY_SECONDS, partial(self._answered, request, headers))

    def _admit(self) -> dict[str, str]:
        traffic = self._traffic
        try:
            return traffic.limits.admit(traffic.tokens)
        except ApiError:
            if traffic.teacher.tells_wait:
                raise
            raise ApiError(429, "the quota is used up") from None

    def _answered(self, request: _Request, headers: dict[str, str]) -> None:
        now = self._traffic.now
        self._record_quotas(request, headers)
        self._gate.rate.record_admitted(request.number)
        self._gate.window.record_answer(now, now - request.sent, is_full=self._gate.is_full)
        self._end(request)

    def _lost(self, request: _Request) -> None:
        self._gate.window.record_failure(self._traffic.now)
        self._traffic.rows.appendleft(request.row)
        self._end(request)

    def _refused(self, request: _Request, headers: dict[str, str]) -> None:
        traffic = self._traffic
        self._record_quotas(request, headers)
        request.row.refusals += 1
        told = seconds = retry_after(headers)
        if seconds is None:
            seconds = backoff(request.row.refusals, traffic.random)
        elif traffic.teacher.whole_seconds:
            seconds = math.ceil(seconds)
        is_stray = self._gate.rate.record_refusal(
            traffic.now, request.number, seconds, is_told=told is not None
        )
        if is_stray:
            traffic.at(traffic.now + seconds, partial(self._ask_again, request.row))
        else:
            traffic.rows.appendleft(request.row)
        self._end(request)

    def _ask_again(self, row: _Row) -> None:
        self._traffic.rows.appendleft(row)
        self.serve()

    def _end(self, request: _Request) -> None:
        self._gate.end_request(request.number)
        self._traffic.in_flight -= 1
        self.serve()

    def _record_quotas(self, request: _Request, headers: dict[str, str]) -> None:
        if not self._traffic.teacher.tells_limits:
            return
        for name, limit in rate_limits(headers).items():
            if limit.remaining is not None and limit.reset is not None:
                self._gate.rate.record_quota(
                    name,
                    request.number,
                    remaining=limit.remaining,
                    sent=request.sent,
                    reset=limit.reset,
                )


class _Request:
    def __init__(self, row: _Row, sent: float, gate: Gate) -> None:
        self.row = row
        self.sent = sent
        self.number = gate.start_request(sent)
