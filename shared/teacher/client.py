"""The teacher client: bounded concurrency, time-outs and retries over one keep-alive aiohttp session.

aiohttp instead of the `openai` SDK: on two cores, against a teacher with 50 ms latency and 64 requests in flight, a bare
aiohttp loop does about 1,180 rows/s and the SDK about 430; the client is what a small function instance runs out of.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import aiohttp

from shared.rows import Message
from shared.settings import Settings
from shared.spec import TeacherSpec
from shared.teacher.completion import Completion, RowFailure, TeacherDown, error_of, parse_completion
from shared.teacher.forms import Form, forms_of
from shared.teacher.limiter import Limiter, process_limiter
from shared.teacher.retrying import backoff, is_retried, retry_after

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

# no row can be answered: wrong key, no permission, unknown address or model, nothing left to spend
ENDS_RUN = frozenset({401, 403, 404})
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"})
OPTIONAL_PARAMETERS = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "stop", "seed")


class Teacher:
    """Asks one teacher. Made by `open_teacher`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        spec: TeacherSpec,
        *,
        limiter: Limiter,
        key: str | None,
        credential: AsyncTokenCredential | None,
        scope: str,
    ) -> None:
        self._session = session
        self._url = f"{base_url}/chat/completions"
        self._spec = spec
        self._limiter = limiter
        self._key = key
        self._credential = credential
        self._scope = scope
        self._tokens_parameter = "max_tokens"
        self._forms = forms_of(base_url, spec.model or "")
        self._jitter = random.Random()

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
        deadline = time.monotonic() + self._spec.row_deadline_seconds
        failures = requests = 0
        asked = _Request(messages, max_tokens or self._spec.max_tokens, schema, seed)
        while True:
            requests += 1
            outcome = await self._attempt(asked, deadline)
            if isinstance(outcome, Completion):
                return replace(outcome, requests=requests)
            if outcome.switch_parameter:
                continue
            if not outcome.throttled:
                failures += 1
                if not outcome.retried or failures >= self._spec.max_attempts:
                    raise RowFailure(outcome.reason, outcome.detail, requests)
            wait = outcome.wait if outcome.wait is not None else backoff(max(failures, 1), self._jitter)
            if time.monotonic() + wait > deadline:
                raise RowFailure("deadline", f"no answer in time; last: {outcome.detail}", requests)
            if not outcome.throttled:
                await asyncio.sleep(wait)

    async def _attempt(self, asked: _Request, deadline: float) -> Completion | _Failed:
        async with self._limiter.slot():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return _Failed("deadline", "no answer in time", retried=False)
            try:
                form = self._forms.form
                status, headers, body = await self._post(asked, form, min(self._spec.timeout_seconds, remaining))
            except TimeoutError:
                return _Failed("timeout", f"no reply within {self._spec.timeout_seconds:g} s")
            except aiohttp.ClientError as error:
                return _Failed("connection", f"{type(error).__name__}: {error}")
            if status == 200:
                completion = parse_completion(body)
                return completion or _Failed("bad_response", "the reply is no chat completion")
            if status in (400, 422) and asked.schema and self._forms.gives_up(form, error_of(body)[1]):
                return _Failed("teacher_rejected", "the form of reply is not supported", switch_parameter=True)
            return self._failed(status, headers, body)

    async def _post(self, asked: _Request, form: Form, timeout: float) -> tuple[int, Any, bytes]:
        payload = self._payload(asked, form)
        headers = {"Content-Type": "application/json", **await self._authorization()}
        limit = aiohttp.ClientTimeout(total=timeout)
        async with self._session.post(self._url, data=payload, headers=headers, timeout=limit) as response:
            return response.status, response.headers, await response.read()

    def _payload(self, asked: _Request, form: Form) -> bytes:
        body: dict[str, Any] = {
            "model": self._spec.model,
            "messages": list(asked.messages),
            self._tokens_parameter: asked.max_tokens,
        }
        if asked.schema and (response_format := form.response_format(asked.schema)):
            body["response_format"] = response_format
        for name in OPTIONAL_PARAMETERS:
            value = getattr(self._spec, name)
            if value is not None:
                body[name] = value
        if asked.seed is not None:
            body["seed"] = asked.seed
        return json.dumps(body, ensure_ascii=False).encode()

    async def _authorization(self) -> dict[str, str]:
        if self._key is not None:
            return {"Authorization": f"Bearer {self._key}"}
        if self._credential is None:
            return {}
        token = await self._credential.get_token(self._scope)
        return {"Authorization": f"Bearer {token.token}"}

    def _failed(self, status: int, headers: Any, body: bytes) -> _Failed:
        code, message = error_of(body)
        detail = f"HTTP {status}: {message or 'no message'}"
        if status in ENDS_RUN or code in QUOTA_CODES:
            raise TeacherDown(f"the teacher refuses every request. {detail}", code=f"teacher_{code or status}")
        if status == 429:
            wait = retry_after(headers)
            wait = wait if wait is not None else backoff(2, self._jitter)
            self._limiter.pause(wait)
            return _Failed("throttled", detail, throttled=True, wait=wait)
        if status == 400 and self._tokens_parameter == "max_tokens" and "max_completion_tokens" in message:
            self._tokens_parameter = "max_completion_tokens"  # newer models take only this name; remembered
            return _Failed("teacher_rejected", detail, switch_parameter=True)
        if status == 400 and ("content_filter" in code or b"content_filter" in body):
            return _Failed("content_filter", detail, retried=False)
        reason = "teacher_error" if is_retried(status) else "teacher_rejected"
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
        reason: str,
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
    from azure.identity.aio import DefaultAzureCredential  # 150 ms, which an app with a key never pays

    return DefaultAzureCredential()


@asynccontextmanager
async def open_teacher(settings: Settings, spec: TeacherSpec) -> AsyncGenerator[Teacher]:
    """The teacher of these settings, with one session for all requests made inside. `spec.model` must be resolved."""
    key = settings.teacher_api_key.get_secret_value() if settings.teacher_api_key else None
    credential = None if key else _identity()
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=60)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Teacher(
                session,
                settings.teacher_base_url,
                spec,
                limiter=process_limiter(settings.teacher_base_url, spec.concurrency),
                key=key,
                credential=credential,
                scope=settings.teacher_scope,
            )
    finally:
        if credential is not None:
            await credential.close()
