"""The teacher client: each request in its turn, with time-outs and retries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pydantic_core

from shared.core.process import current
from shared.core.settings import Settings
from shared.core.shared_resources import shared
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message
from shared.spec.models import TeacherSpec
from shared.teacher.capabilities import Capabilities, Dialect, SentRequest
from shared.teacher.completion import Completion, RowFailure
from shared.teacher.learned import LearnedCapabilities
from shared.teacher.outcome import Failed, Outcome, SendAgain, Throttled, read_reply
from shared.teacher.parameters import set_parameters
from shared.teacher.rate.scheduler import Lane, RequestScheduler, process_scheduler
from shared.teacher.retry import backoff, rate_limits
from shared.teacher.transport import Connections, NoReply, Reply, header_line

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """The connections and credential that all shards share while they ask the same teacher."""

    connections: Connections
    key_header: bytes
    credential: AsyncTokenCredential | None
    scope: str

    async def authorization(self) -> bytes:
        """Return the header with the credential. Tokens expire, so each request gets one anew."""
        if self.credential is None:
            return self.key_header
        token = await self.credential.get_token(self.scope)
        return header_line("Authorization", f"Bearer {token.token}")


@dataclass(frozen=True, slots=True)
class _Request:
    """The part of a request that is the same in every attempt."""

    messages: Sequence[Message]
    max_tokens: int
    schema: Mapping[str, Any] | None
    unformatted: Sequence[Message] | None
    seed: int | None


@dataclass(slots=True)
class _Attempts:
    """The attempts at one request so far."""

    requests: int = 0
    failures: int = 0  # the attempts that count against `max_attempts`
    throttled: int = 0
    pause: float = 0.0  # seconds, after the last 429
    deadline: float | None = None
    last_failure: str = ""

    def begin(self, now: float, row_deadline_seconds: float) -> float:
        """Count a request, and return the seconds until the row's deadline. Raises RowFailure.

        A row's time begins with its first request: waiting for a turn says nothing about the
        teacher.
        """
        if self.deadline is None:
            self.deadline = now + row_deadline_seconds
        if now >= self.deadline:
            raise self._deadline_failure()
        self.requests += 1
        return self.deadline - now

    def check_deadline(self, pause: float) -> None:
        """Raise RowFailure if the row's deadline passes during a pause."""
        if self.deadline is not None and time.monotonic() + pause > self.deadline:
            raise self._deadline_failure()

    def _deadline_failure(self) -> RowFailure:
        detail = f"no answer in time; last: {self.last_failure}"
        return RowFailure(RejectionReason.DEADLINE, detail, self.requests)


class TeacherClient:
    """Asks one teacher for completions. Made by `open_teacher`."""

    def __init__(
        self,
        endpoint: _Endpoint,
        capabilities: Capabilities,
        spec: TeacherSpec,
        scheduler: RequestScheduler,
        lane: Lane,
    ) -> None:
        self._endpoint = endpoint
        self._capabilities = capabilities
        self._spec = spec
        self._scheduler = scheduler
        self._lane = lane
        self._jitter = random.Random()
        self._parameters = set_parameters(spec)

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Call this whenever the last waiting request is sent, so that new ones can be added."""
        self._lane.on_empty = call

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        schema: Mapping[str, Any] | None = None,
        unformatted: Sequence[Message] | None = None,
        seed: int | None = None,
    ) -> Completion:
        """Return one reply to these messages, after as many retries as it takes.

        `schema` is the JSON Schema of the reply. A teacher without structured output is not held to
        it, and gets the messages `unformatted` instead if there are any. `seed` replaces the
        specification's.

        Raises RowFailure when this request cannot be answered, TeacherDown when none can.
        """
        tokens = max_tokens or self._spec.max_tokens
        request = _Request(messages, tokens, schema, unformatted, seed)
        attempts = _Attempts()
        while True:
            outcome = await self._send_in_turn(request, attempts)
            if isinstance(outcome, Completion):
                if attempts.requests == 1:
                    return outcome
                return replace(outcome, requests=attempts.requests)
            if isinstance(outcome, SendAgain):
                continue
            attempts.last_failure = outcome.detail
            if isinstance(outcome, Throttled):
                await self._wait_after_throttling(attempts)
            else:
                await self._back_off(outcome, attempts)

    async def _send_in_turn(self, request: _Request, attempts: _Attempts) -> Outcome:
        """Wait for a turn and send the request once."""
        number = await self._scheduler.begin(self._lane, is_retry=attempts.requests > 0)
        try:
            seconds_left = attempts.begin(time.monotonic(), self._spec.row_deadline_seconds)
            outcome = await self._send(request, number, seconds_left)
            if isinstance(outcome, Throttled):
                attempts.throttled += 1
                attempts.pause = self._pause(outcome, attempts.throttled)
                self._scheduler.rate.record_refusal(time.monotonic(), number, attempts.pause)
            return outcome
        finally:
            self._scheduler.end(self._lane, number)

    def _pause(self, outcome: Throttled, throttled: int) -> float:
        """Return the seconds that the teacher asks for, else a backoff."""
        if outcome.retry_after is not None:
            return outcome.retry_after
        return backoff(throttled, self._jitter)

    async def _wait_after_throttling(self, attempts: _Attempts) -> None:
        """Wait if refusals are stray; otherwise the request waits in its lane like all others."""
        attempts.check_deadline(attempts.pause)
        if self._scheduler.rate.refusals_are_stray:
            await asyncio.sleep(attempts.pause)

    async def _back_off(self, outcome: Failed, attempts: _Attempts) -> None:
        """Wait before the next attempt. Raises RowFailure if there is none."""
        attempts.failures += 1
        if not outcome.is_retried or attempts.failures >= self._spec.max_attempts:
            raise RowFailure(outcome.reason, outcome.detail, attempts.requests)
        pause = outcome.retry_after
        if pause is None:
            pause = backoff(attempts.failures, self._jitter)
        attempts.check_deadline(pause)
        if pause:
            await asyncio.sleep(pause)

    async def _send(self, request: _Request, number: int, seconds_left: float) -> Outcome:
        """Send the request and record in the scheduler how the teacher responded."""
        dialect = self._capabilities.dialect
        payload = self._payload(request, dialect)
        timeout = min(self._spec.timeout_seconds, seconds_left)
        began = time.monotonic()
        try:
            headers = await self._endpoint.authorization()
            reply = await self._endpoint.connections.post(headers, payload, timeout)
        except TimeoutError:
            self._scheduler.window.record_failure(time.monotonic())
            detail = f"no reply within {self._spec.timeout_seconds:g} s"
            return Failed(RejectionReason.TIMEOUT, detail)
        except NoReply as error:
            self._scheduler.window.record_failure(time.monotonic())
            return Failed(RejectionReason.CONNECTION, str(error))
        self._record_reply(reply, number, began)
        sent = SentRequest(dialect, request.schema is not None, self._parameters.keys())
        return read_reply(reply, self._capabilities, sent)

    def _record_reply(self, reply: Reply, number: int, began: float) -> None:
        now = time.monotonic()
        rate = self._scheduler.rate
        window = self._scheduler.window
        for name, limit in rate_limits(reply.headers).items():
            if limit.remaining is not None and limit.reset is not None:
                rate.record_quota(
                    name, number, remaining=limit.remaining, sent=began, reset=limit.reset
                )
        if reply.status != 429:
            rate.record_admitted(number)
        if reply.status == 503:
            window.record_failure(now)
        elif reply.status == 200:
            window.record_answer(now, now - began, is_full=self._scheduler.is_full)

    def _payload(self, request: _Request, dialect: Dialect) -> bytes:
        body: dict[str, object] = {
            "model": self._spec.model,
            "messages": list(request.messages),
            dialect.token_parameter: request.max_tokens,
        }
        if request.schema is not None:
            response_format = dialect.response_format.parameter(request.schema)
            if response_format is not None:
                body["response_format"] = response_format
            elif request.unformatted is not None:
                body["messages"] = list(request.unformatted)
        body |= self._parameters
        if request.seed is not None:
            body["seed"] = request.seed
        return pydantic_core.to_json(body)


def _identity() -> AsyncTokenCredential:
    # imported here, as it takes 150 ms that an app with a key need not spend
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()


@asynccontextmanager
async def _open_endpoint(settings: Settings) -> AsyncGenerator[_Endpoint]:
    key = settings.teacher_api_key.get_secret_value() if settings.teacher_api_key else None
    credential = None if key else _identity()
    key_header = header_line("Authorization", f"Bearer {key}") if key else b""
    try:
        async with Connections(f"{settings.teacher_base_url}/chat/completions") as connections:
            yield _Endpoint(connections, key_header, credential, settings.teacher_scope)
    finally:
        if credential is not None:
            await credential.close()


@asynccontextmanager
async def open_teacher(
    settings: Settings, spec: TeacherSpec, run_id: str = ""
) -> AsyncGenerator[TeacherClient]:
    """Open a client of the teacher in these settings. `spec.model` must be resolved.

    Requests count towards the `concurrency` of the run `run_id`.
    """
    base_url = settings.teacher_base_url or ""
    model = spec.model or ""
    scheduler = process_scheduler(base_url, model)
    capabilities = current().part(LearnedCapabilities).of(base_url, model)
    key = (base_url, settings.teacher_api_key, settings.teacher_scope)
    async with shared(key, lambda: _open_endpoint(settings)) as endpoint:
        with scheduler.lane(run_id, spec.concurrency) as lane:
            yield TeacherClient(endpoint, capabilities, spec, scheduler, lane)
