"""The teacher client: each request in its turn (limiter.py), over kept connections (transport.py), with time-outs and retries."""

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
from shared.teacher.capabilities import Capabilities, Dialect, LearnedCapabilities
from shared.teacher.completion import (
    Completion,
    RowFailure,
    TeacherDown,
    parse_completion,
    parse_error,
)
from shared.teacher.message_content import UnusableReply
from shared.teacher.rate.scheduler import Lane, Limiter, process_limiter
from shared.teacher.retry import backoff, is_retried, remaining, retry_after, throttled_for
from shared.teacher.transport import Connections, NoReply, Reply, header_line

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

# no row can be answered: wrong key, no permission, unknown address or model, nothing left to spend
ENDS_RUN = frozenset({401, 403, 404})
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"})
OPTIONAL_PARAMETERS = (
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "stop",
    "seed",
)


@dataclass(frozen=True, slots=True)
class _Wire:
    """What all shards that ask the same teacher at the same time share."""

    connections: Connections
    by_key: bytes
    credential: AsyncTokenCredential | None
    scope: str

    async def authorization(self) -> bytes:
        """The header with the credential; a key's is made once, a token is asked for each time, as it changes."""
        if self.credential is None:
            return self.by_key
        token = await self.credential.get_token(self.scope)
        return header_line("Authorization", f"Bearer {token.token}")


class Teacher:
    """Asks one teacher. Made by `open_teacher`."""

    def __init__(
        self,
        wire: _Wire,
        capabilities: Capabilities,
        spec: TeacherSpec,
        limiter: Limiter,
        lane: Lane,
    ) -> None:
        self._wire = wire
        self._spec = spec
        self._limiter = limiter
        self._lane = lane
        self._capabilities = capabilities
        self._jitter = random.Random()
        given = {name: getattr(spec, name) for name in OPTIONAL_PARAMETERS}
        self._parameters = {name: value for name, value in given.items() if value is not None}

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Call this each time that the last request which waited for its turn is sent: so there are always some that wait."""
        self._lane.call_when_none_waits = call

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        schema: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Completion:
        """One reply to these messages, with all retries.

        `schema` (JSON Schema) is the form that the reply must have, as far as the teacher can be held to one; `seed` is
        sent instead of the specification's.

        Raises RowFailure when this request cannot be answered, TeacherDown when none can.
        """
        deadline: float | None = None
        failures = requests = throttled = 0
        pause, last = 0.0, ""
        asked = _Request(messages, max_tokens or self._spec.max_tokens, schema, seed)
        while True:
            number = await self._limiter.begin(self._lane, again=requests > 0)
            began = time.monotonic()
            # a row's time begins with its first request: how long it waits for its turn says nothing of the teacher
            deadline = began + self._spec.row_deadline_seconds if deadline is None else deadline
            try:
                if began >= deadline:
                    raise RowFailure(
                        RejectionReason.DEADLINE, f"no answer in time; last: {last}", requests
                    )
                requests += 1
                outcome = await self._attempt(asked, number, deadline - began)
                if isinstance(outcome, _Failed) and outcome.throttled:
                    throttled += 1
                    pause = (
                        outcome.wait
                        if outcome.wait is not None
                        else backoff(throttled, self._jitter)
                    )
                    self._limiter.pace.refuse(time.monotonic(), number, pause)
            finally:
                self._limiter.end(self._lane, number)
            if isinstance(outcome, Completion):
                return replace(outcome, requests=requests) if requests > 1 else outcome
            if outcome.switch_parameter:
                continue
            last = outcome.detail
            if outcome.throttled:
                wait = pause if self._limiter.pace.stray else 0.0  # else it waits in its lane
            else:
                failures += 1
                if not outcome.retried or failures >= self._spec.max_attempts:
                    raise RowFailure(outcome.reason, outcome.detail, requests)
                wait = outcome.wait if outcome.wait is not None else backoff(failures, self._jitter)
            if time.monotonic() + (outcome.wait or wait) > deadline:
                raise RowFailure(
                    RejectionReason.DEADLINE, f"no answer in time; last: {last}", requests
                )
            if wait:
                await asyncio.sleep(wait)

    async def _attempt(self, asked: _Request, number: int, left: float) -> Completion | _Failed:
        limiter, dialect = self._limiter, self._capabilities.dialect
        began = time.monotonic()
        try:
            headers = await self._wire.authorization()
            timeout = min(self._spec.timeout_seconds, left)
            reply = await self._wire.connections.post(
                headers, self._payload(asked, dialect), timeout
            )
        except TimeoutError:
            limiter.window.failed(time.monotonic())
            return _Failed(
                RejectionReason.TIMEOUT, f"no reply within {self._spec.timeout_seconds:g} s"
            )
        except NoReply as error:
            limiter.window.failed(time.monotonic())
            return _Failed(RejectionReason.CONNECTION, str(error))
        now = time.monotonic()
        for name, limit in remaining(reply.headers).items():
            if limit.left is not None and limit.reset is not None:
                limiter.pace.tell(name, number, limit.left, began, limit.reset)
        if reply.status != 429:
            limiter.pace.admitted(number)
        if reply.status == 503:
            limiter.window.failed(now)
        else:
            limiter.window.answered(now, now - began, full=limiter.full, counts=reply.status == 200)
        if reply.status == 200:
            try:
                return parse_completion(reply.body)
            except UnusableReply as error:
                return _Failed(RejectionReason.BAD_RESPONSE, str(error))
        return self._failed(reply, dialect, has_schema=asked.schema is not None)

    def _payload(self, asked: _Request, dialect: Dialect) -> bytes:
        body: dict[str, Any] = {
            "model": self._spec.model,
            "messages": list(asked.messages),
            dialect.token_parameter: asked.max_tokens,
        }
        if asked.schema is not None:
            response_format = dialect.response_format.parameter(asked.schema)
            if response_format is not None:
                body["response_format"] = response_format
        body |= self._parameters
        if asked.seed is not None:
            body["seed"] = asked.seed
        return pydantic_core.to_json(body)

    def _failed(self, reply: Reply, dialect: Dialect, *, has_schema: bool) -> _Failed:
        status, headers, body = reply.status, reply.headers, reply.body
        code, message = parse_error(body)
        detail = f"HTTP {status}: {message or 'no message'}"
        if status in ENDS_RUN or code in QUOTA_CODES:
            raise TeacherDown(
                f"the teacher refuses every request. {detail}", code=f"teacher_{code or status}"
            )
        if status == 429:
            return _Failed(
                RejectionReason.TEACHER_ERROR, detail, throttled=True, wait=throttled_for(headers)
            )
        if self._capabilities.learn(dialect, status, message, has_schema=has_schema):
            return _Failed(RejectionReason.TEACHER_REJECTED, detail, switch_parameter=True)
        if status == 400 and ("content_filter" in code or b"content_filter" in body):
            return _Failed(RejectionReason.CONTENT_FILTER, detail, retried=False)
        reason = RejectionReason.TEACHER_REJECTED
        if is_retried(status):
            reason = RejectionReason.TEACHER_ERROR
        return _Failed(reason, detail, retried=is_retried(status), wait=retry_after(headers))


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked in each attempt."""

    messages: Sequence[Message]
    max_tokens: int
    schema: Mapping[str, Any] | None
    seed: int | None


class _Failed:
    """One attempt that gave no completion."""

    def __init__(
        self,
        reason: RejectionReason,
        detail: str,
        *,
        retried: bool = True,
        throttled: bool = False,
        switch_parameter: bool = False,
        wait: float | None = None,
    ) -> None:
        self.reason = reason
        self.detail = detail
        self.retried = retried
        self.throttled = throttled
        self.switch_parameter = switch_parameter
        self.wait = wait


def _identity() -> AsyncTokenCredential:
    from azure.identity.aio import (
        DefaultAzureCredential,  # 150 ms, which an app with a key never pays
    )

    return DefaultAzureCredential()


@asynccontextmanager
async def _wire(settings: Settings) -> AsyncGenerator[_Wire]:
    key = settings.teacher_api_key.get_secret_value() if settings.teacher_api_key else None
    credential = None if key else _identity()
    by_key = header_line("Authorization", f"Bearer {key}") if key else b""
    try:
        async with Connections(f"{settings.teacher_base_url}/chat/completions") as connections:
            yield _Wire(connections, by_key, credential, settings.teacher_scope)
    finally:
        if credential is not None:
            await credential.close()


@asynccontextmanager
async def open_teacher(
    settings: Settings, spec: TeacherSpec, run: str = ""
) -> AsyncGenerator[Teacher]:
    """The teacher of these settings. `spec.model` must be resolved; `run` says whose `concurrency` the requests count to."""
    model = spec.model or ""
    limiter = process_limiter(settings.teacher_base_url, model)
    capabilities = current().part(LearnedCapabilities).of(settings.teacher_base_url, model)
    key = (settings.teacher_base_url, settings.teacher_api_key, settings.teacher_scope)
    async with shared(key, lambda: _wire(settings)) as wire:
        with limiter.lane(run, spec.concurrency) as lane:
            yield Teacher(wire, capabilities, spec, limiter, lane)
