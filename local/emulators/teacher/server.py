"""The HTTP side: an OpenAI-compatible server on the loopback interface, one process, keep-alive.

Also answers under Azure OpenAI's prefix (`/openai/v1`) and to its `api-key` header, so that either client can be pointed at it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import socket
import struct
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from aiohttp import web

from local.emulators.teacher import replies
from local.emulators.teacher.answers import solve
from local.emulators.teacher.answers.prompt import Prompt, read_prompt
from local.emulators.teacher.answers.solution import Solution
from local.emulators.teacher.chat_requests import ChatRequest, parse
from local.emulators.teacher.errors import ApiError, bad_credential, rejected, unknown_model
from local.emulators.teacher.faults import Lottery
from local.emulators.teacher.journal import Journal, RequestRecord
from local.emulators.teacher.limits import ANSWER_TOKENS_ASSUMED, RateLimits
from local.emulators.teacher.options import TeacherOptions
from local.emulators.teacher.tokens import count_prompt

HOST = "127.0.0.1"
PREFIXES = ("/v1", "/openai/v1")
MAX_BODY_BYTES = 8 * 1024 * 1024
MODEL_CREATED = 1_700_000_000  # seconds since the epoch, as model lists give it
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
Answer = Callable[[ChatRequest], str]


@dataclass(slots=True)
class _Ticket:
    """One arrival: what is asked, which attempt it is, and what it costs to ask."""

    request: ChatRequest
    hash: str
    attempt: int
    prompt_tokens: int
    arrived: float
    charged: int = 0  # tokens, once it was admitted

    @property
    def id(self) -> str:
        return f"{self.hash}-{self.attempt}"


class Teacher:
    """Handlers and state of one server. `answer` replaces the solver where a test wants to script the texts."""

    def __init__(
        self,
        options: TeacherOptions,
        answer: Answer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options
        self.journal = Journal(options.log)
        self.closing = asyncio.Event()
        self._answer = answer
        self._lottery = Lottery(options)
        self._limits = RateLimits(options.rpm, options.tpm, clock)
        self._unread = count(1)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_json_errors])
        app.router.add_get("/healthz", self._health)
        for prefix in PREFIXES:
            app.router.add_post(f"{prefix}/chat/completions", self._chat)
            app.router.add_get(f"{prefix}/models", self._models)
            app.router.add_get(f"{prefix}/models/{{model}}", self._model)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return _answered(
            200,
            {"status": "ok", "model": self.options.model, "requests": len(self.journal.records)},
        )

    async def _models(self, request: web.Request) -> web.Response:
        self._authorise(request)
        return _answered(200, {"object": "list", "data": [self._described()]})

    async def _model(self, request: web.Request) -> web.Response:
        self._authorise(request)
        if request.match_info["model"] != self.options.model:
            raise unknown_model(request.match_info["model"], self.options.model)
        return _answered(200, self._described())

    def _described(self) -> dict[str, Any]:
        return {
            "id": self.options.model,
            "object": "model",
            "created": MODEL_CREATED,
            "owned_by": "local",
        }

    def _authorise(self, request: web.Request) -> None:
        if self.options.api_key is None:
            return
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        for given in (bearer, request.headers.get("api-key", "")):
            if hmac.compare_digest(given.encode(), self.options.api_key.encode()):
                return
        raise bad_credential()

    async def _chat(self, request: web.Request) -> web.Response:
        try:
            ticket = self._admit(request, await request.read())
        except ApiError as error:
            self._record(None, error.status, error.fault)
            raise
        try:
            return await self._serve(request, ticket)
        except ApiError as error:
            self._record(ticket, error.status, error.fault)
            error.headers = {**self._told(error.headers), "x-request-id": ticket.id}
            raise
        except asyncio.CancelledError:
            self._record(ticket, 0, "disconnected")
            raise

    def _admit(self, request: web.Request, raw: bytes) -> _Ticket:
        self._authorise(request)
        asked, digest = parse(raw)
        if asked.model != self.options.model:
            raise unknown_model(asked.model, self.options.model)
        prompt_tokens = count_prompt(message.text for message in asked.messages)
        return _Ticket(
            asked, digest, self.journal.arrived(digest), prompt_tokens, self._limits.elapsed()
        )

    async def _serve(self, request: web.Request, ticket: _Ticket) -> web.Response:
        if self.options.reject and any(
            self.options.reject in message.text for message in ticket.request.messages
        ):
            raise rejected()
        answer_tokens = (
            ticket.request.token_limit or ANSWER_TOKENS_ASSUMED
        ) * ticket.request.choices
        headers = self._limits.admit(ticket.prompt_tokens + answer_tokens)
        ticket.charged = ticket.prompt_tokens + answer_tokens
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
        """Never answer: hold the connection until the client or the server gives up, or reset it at once."""
        self._record(ticket, 0, fault)
        if fault == "hang":
            with contextlib.suppress(asyncio.CancelledError):
                await self.closing.wait()
        transport = request.transport
        if transport is not None:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE
            )
            transport.abort()
        return web.Response()

    def _reply(self, ticket: _Ticket, request_fault: str, headers: dict[str, str]) -> web.Response:
        prompt = read_prompt(ticket.request)
        text = self._answer(ticket.request) if self._answer else None
        solution = solve(prompt) if text is None else Solution(text, text, ())
        faults = [
            request_fault or self._lottery.answer_fault(ticket.id, index)
            for index in range(ticket.request.choices)
        ]
        choices = [self._choice(ticket, prompt, solution, text, fault) for fault in faults]
        body = replies.completion(
            ticket.id, self.options.model, self.options.seed, choices, ticket.prompt_tokens
        )  # fmt: skip
        spent = body["usage"]["completion_tokens"]
        self._record(ticket, 200, next(filter(None, faults), ""), choices[0].finish_reason, spent)
        return _answered(200, body, {**self._told(headers), "x-request-id": ticket.id})

    def _told(self, headers: dict[str, str]) -> dict[str, str]:
        """Those of the headers about limits that it was not told to leave out."""
        options = self.options
        hidden = ("x-ratelimit-",) if options.no_ratelimit_headers else ()
        hidden += ("retry-after-ms",) if options.retry_after_seconds_only else ()
        return {name: value for name, value in headers.items() if not name.startswith(hidden)}

    def _choice(
        self, ticket: _Ticket, prompt: Prompt, solution: Solution, scripted: str | None, fault: str
    ) -> replies.Choice:
        if fault:
            drawn = self._lottery.draw(ticket.id, f"{fault} kind")
            choice = replies.faulty(prompt, solution, fault, drawn)
        else:
            choice = replies.Choice(
                replies.render(prompt, solution) if scripted is None else scripted
            )
        return replies.cut(choice, ticket.request.stops, ticket.request.token_limit)

    def _record(
        self,
        ticket: _Ticket | None,
        status: int,
        fault: str,
        finish_reason: str = "",
        completion_tokens: int = 0,
    ) -> None:
        asked, attempt = (ticket.hash, ticket.attempt) if ticket else ("", next(self._unread))
        tokens = ticket.prompt_tokens if ticket and status == 200 else 0
        arrived, charged = (
            (ticket.arrived, ticket.charged) if ticket else (self._limits.elapsed(), 0)
        )
        self.journal.add(
            RequestRecord(
                time=time.time(),
                request=asked,
                attempt=attempt,
                status=status,
                fault=fault,
                finish_reason=finish_reason,
                prompt_tokens=tokens,
                completion_tokens=completion_tokens,
                arrived=arrived,
                charged=charged,
            )
        )


@dataclass(frozen=True, slots=True)
class RunningTeacher:
    """A served teacher. `records` holds one entry a chat request, oldest first."""

    port: int
    teacher: Teacher

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    @property
    def records(self) -> list[RequestRecord]:
        return list(self.teacher.journal.records)


@asynccontextmanager
async def serve(
    options: TeacherOptions | None = None,
    *,
    port: int = 0,
    answer: Answer | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[RunningTeacher]:
    """Serve on 127.0.0.1 while the context lasts; port 0 takes a free one. Raises OSError when the port is taken."""
    teacher = Teacher(options or TeacherOptions(), answer, clock)
    runner = web.AppRunner(
        teacher.app(), access_log=None, handler_cancellation=True, shutdown_timeout=2.0
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        yield RunningTeacher(runner.addresses[0][1], teacher)
    finally:
        teacher.closing.set()
        await runner.cleanup()
        teacher.journal.close()


@web.middleware
async def _json_errors(
    request: web.Request, handler: Callable[[web.Request], Any]
) -> web.StreamResponse:
    """Every refusal in OpenAI's shape; a 502 as the HTML page that gateways send."""
    try:
        return await handler(request)
    except ApiError as error:
        if error.status == 502:
            page = f"<html><body><h1>502 Bad Gateway</h1><p>{error}</p></body></html>"
            return web.Response(
                status=502, text=page, content_type="text/html", headers=error.headers
            )
        return _answered(error.status, error.body(), error.headers)
    except web.HTTPException as error:
        message = f"{error.reason}: {request.method} {request.path}. Chat completions are at POST /v1/chat/completions."
        return _answered(error.status, ApiError(error.status, message).body())


def _answered(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        headers=headers,
        content_type="application/json",
    )
