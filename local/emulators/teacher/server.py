"""The teacher's HTTP side: OpenAI's chat completions on the loopback interface.

It also answers under Azure OpenAI's prefix (`/openai/v1`) and takes its `api-key` header, so either
client can use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from aiohttp import web

from local.emulators.echo import Echo
from local.emulators.openai_errors import ApiError
from local.emulators.service import HEALTH_PATH, answer_errors, listening, reset_connection
from local.emulators.teacher import replies
from local.emulators.teacher.answer_key import AnswerKey, sample_keys
from local.emulators.teacher.answers import Answer, Answerer
from local.emulators.teacher.chat_requests import ChatRequest, parse
from local.emulators.teacher.errors import (
    bad_credential,
    refused_max_tokens,
    rejected,
    unknown_model,
)
from local.emulators.teacher.faults import Lottery
from local.emulators.teacher.journal import Journal, RequestRecord
from local.emulators.teacher.limits import ANSWER_TOKENS_ASSUMED, RateLimits
from local.emulators.teacher.options import TeacherOptions
from local.emulators.teacher.prompt import read_prompt
from local.emulators.teacher.tokens import count_prompt

PREFIXES = ("/v1", "/openai/v1")
MAX_BODY_BYTES = 8 * 1024 * 1024
MODEL_CREATED = 1_700_000_000  # seconds since the epoch, as model lists give it
Script = Callable[[ChatRequest], str]


@dataclass(slots=True)
class _Ticket:
    """One arrival: the request, its attempt, and its costs."""

    request: ChatRequest
    hash: str
    attempt: int
    prompt_tokens: int
    arrived: float
    charged: int = 0  # tokens, once it was admitted

    @property
    def id(self) -> str:
        return f"{self.hash}-{self.attempt}"

    @property
    def cost(self) -> int:
        """Tokens that the limits charge on arrival."""
        answer_tokens = self.request.token_limit or ANSWER_TOKENS_ASSUMED
        return self.prompt_tokens + answer_tokens


class Teacher:
    """Handlers and state of one server. `script` replaces the answer key in tests."""

    def __init__(
        self, options: TeacherOptions, script: Script | None, clock: Callable[[], float]
    ) -> None:
        self.options = options
        self.journal = Journal(options.log)
        self.closing = asyncio.Event()
        self._script = script
        self._lottery = Lottery(options)
        key = AnswerKey([*sample_keys(), *options.keys])
        self._answerer = Answerer(key, options.models, options.seed)
        self._limits = RateLimits(options.rpm, options.tpm, clock)
        self._unreadable = count(1)

    def app(self) -> web.Application:
        middlewares = [answer_errors(_not_served)]
        if self.options.echo_rate:
            echo = Echo(self.options.echo_rate, self.options.seed)
            middlewares.insert(0, echo.middleware)
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=middlewares)
        app.router.add_get(HEALTH_PATH, self._health)
        for prefix in PREFIXES:
            app.router.add_post(f"{prefix}/chat/completions", self._chat)
            app.router.add_get(f"{prefix}/models", self._list_models)
            app.router.add_get(f"{prefix}/models/{{model}}", self._get_model)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        models = list(self.options.models)
        requests = len(self.journal.records)
        return web.json_response({"status": "ok", "models": models, "requests": requests})

    async def _list_models(self, request: web.Request) -> web.Response:
        self._authorise(request)
        data = [_model(name) for name in self.options.models]
        return web.json_response({"object": "list", "data": data})

    async def _get_model(self, request: web.Request) -> web.Response:
        self._authorise(request)
        name = request.match_info["model"]
        self._check_model(name)
        return web.json_response(_model(name))

    def _check_model(self, name: str) -> None:
        if name not in self.options.models:
            raise unknown_model(name, self.options.models)

    def _authorise(self, request: web.Request) -> None:
        if self.options.api_key is None:
            return
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        for credential in (bearer, request.headers.get("api-key", "")):
            if hmac.compare_digest(credential.encode(), self.options.api_key.encode()):
                return
        raise bad_credential()

    async def _chat(self, request: web.Request) -> web.Response:
        try:
            ticket = self._accept(request, await request.read())
        except ApiError as error:
            self._record_unreadable(error)
            raise
        try:
            return await self._serve(request, ticket)
        except ApiError as error:
            self._record(ticket, status=error.status, fault=error.fault)
            error.headers["x-request-id"] = ticket.id
            raise
        except asyncio.CancelledError:
            self._record(ticket, status=0, fault="disconnected")
            raise

    def _accept(self, request: web.Request, raw: bytes) -> _Ticket:
        self._authorise(request)
        chat, digest = parse(raw)
        self._check_model(chat.model)
        return _Ticket(
            request=chat,
            hash=digest,
            attempt=self.journal.next_attempt(digest),
            prompt_tokens=count_prompt(message.text for message in chat.messages),
            arrived=self._limits.elapsed(),
        )

    async def _serve(self, request: web.Request, ticket: _Ticket) -> web.Response:
        texts = [message.text for message in ticket.request.messages]
        if self.options.reject and any(self.options.reject in text for text in texts):
            raise rejected()
        if self.options.no_max_tokens and ticket.request.max_tokens is not None:
            raise refused_max_tokens()
        headers = self._limits.admit(ticket.cost)
        ticket.charged = ticket.cost
        fault = self._lottery.request_fault(ticket.id)
        if fault in ("hang", "reset"):
            return await self._drop(request, ticket, fault)
        latency_s = self._lottery.latency_s(ticket.id)
        if latency_s:
            await asyncio.sleep(latency_s)
        refusal = self._lottery.refusal(ticket.id, fault) if fault else None
        if refusal is not None:
            refusal.headers.update(headers)
            raise refusal
        return self._reply(ticket, fault, headers)

    async def _drop(self, request: web.Request, ticket: _Ticket, fault: str) -> web.Response:
        """Reset the connection: at once, or when the client or the server gives up waiting."""
        self._record(ticket, status=0, fault=fault)
        if fault == "hang":
            with contextlib.suppress(asyncio.CancelledError):
                await self.closing.wait()
        return reset_connection(request)

    def _reply(self, ticket: _Ticket, request_fault: str, headers: dict[str, str]) -> web.Response:
        request = ticket.request
        fault = request_fault or self._lottery.answer_fault(ticket.id)
        choice = self._choice(ticket, self._sample(ticket), fault)
        choice = replies.cut(choice, request.stops, request.token_limit)
        body = replies.completion(
            ticket.id, request.model, self.options.seed, choice, ticket.prompt_tokens
        )
        self._record(
            ticket,
            status=200,
            fault=fault,
            finish_reason=choice.finish_reason,
            prompt_tokens=ticket.prompt_tokens,
            completion_tokens=choice.tokens,
        )
        return web.json_response(body, headers={**headers, "x-request-id": ticket.id})

    def _sample(self, ticket: _Ticket) -> int:
        """Return the number of the answer among all samples of this prompt.

        As with a real model, a temperature of 0 or a seed gives the same answer each time.
        """
        request = ticket.request
        if request.seed is not None:
            return request.seed
        if request.temperature == 0:
            return 0
        return self.journal.next_sample(ticket.hash)

    def _choice(self, ticket: _Ticket, sample: int, fault: str) -> replies.Choice:
        if self._script is not None and not fault:
            return replies.Choice(self._script(ticket.request))
        answer = self._answer(ticket.request, sample)
        if not fault:
            return replies.Choice(answer.render())
        return replies.faulty(answer, fault, self._lottery.draw(ticket.id, f"{fault} kind"))

    def _answer(self, request: ChatRequest, sample: int) -> Answer:
        answer = self._answerer.answer(read_prompt(request), request.model, sample)
        return answer if self._script is None else answer.scripted(self._script(request))

    def _record(self, ticket: _Ticket, **outcome: Any) -> None:
        record = RequestRecord(
            time=time.time(),
            request=ticket.hash,
            attempt=ticket.attempt,
            arrived=ticket.arrived,
            charged=ticket.charged,
            **outcome,
        )
        self.journal.add(record)

    def _record_unreadable(self, error: ApiError) -> None:
        record = RequestRecord(
            time=time.time(),
            request="",
            attempt=next(self._unreadable),
            status=error.status,
            fault=error.fault,
            arrived=self._limits.elapsed(),
        )
        self.journal.add(record)


@dataclass(frozen=True, slots=True)
class RunningTeacher:
    """A served teacher. `base_url` ends in /v1."""

    base_url: str
    teacher: Teacher

    @property
    def records(self) -> list[RequestRecord]:
        """One entry for each chat request, oldest first."""
        return list(self.teacher.journal.records)


@asynccontextmanager
async def serve(
    options: TeacherOptions | None = None,
    *,
    port: int = 0,
    answer: Script | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[RunningTeacher]:
    """Serve on 127.0.0.1 for the length of the block; `answer` scripts the replies.

    Port 0 takes a free one. Raises OSError for a taken port, ValueError for an unreadable key.
    """
    teacher = Teacher(options or TeacherOptions(), answer, clock)
    try:
        async with listening(teacher.app(), port, handler_cancellation=True) as url:
            try:
                yield RunningTeacher(f"{url}/v1", teacher)
            finally:
                teacher.closing.set()
    finally:
        teacher.journal.close()


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": MODEL_CREATED, "owned_by": "local"}


def _not_served(status: int, code: str, message: str) -> ApiError:
    remedy = " Chat completions are at POST /v1/chat/completions." if status == 404 else ""
    return ApiError(status, message + remedy, code=code)
