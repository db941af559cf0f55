"""Teachers over real HTTP for the tests of our client: one that follows a script, one that rejects
some requests.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from shared.core.settings import Settings, load
from shared.dataset.rows import Message
from shared.spec.models import TeacherSpec
from shared.teacher import Budget, NoBudget, TeacherClient, open_teacher

HELLO: list[Message] = [{"role": "user", "content": "hello"}]


def settings(base_url: str) -> Settings:
    return load(
        {
            "DISTILLATION_STORAGE": "UseDevelopmentStorage=true",
            "TEACHER_BASE_URL": base_url,
            "TEACHER_MODEL": "m",
            "TEACHER_API_KEY": "sesame",
            "AZUREML_SUBSCRIPTION_ID": "s",
            "AZUREML_RESOURCE_GROUP": "g",
            "AZUREML_WORKSPACE": "w",
        }
    )


def completion(content: Any = "hi", **message: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    reply = {"role": "assistant", "content": content, **message}
    return {
        "model": "m-1",
        "choices": [{"finish_reason": "stop", "message": reply}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }


class Script:
    """A teacher that gives these replies in turn, and records the requests."""

    def __init__(self, *replies: tuple[int, Any, dict[str, str]] | str) -> None:
        self.replies = list(replies)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._reply(request)
        finally:
            self.in_flight -= 1

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        reply: Any = self.replies.pop(0) if self.replies else (200, completion(), {})
        if reply == "hang":
            await asyncio.sleep(30)
        if reply == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(reply, str):
            await asyncio.sleep(0.02)
            return web.json_response(completion(reply))
        status, body, headers = reply
        content = body if isinstance(body, bytes) else json.dumps(body)
        return web.Response(status=status, body=content, headers=headers)


class SelectiveTeacher:
    """A teacher that answers 400 to some requests.

    `error_for` returns the error for a request body, None to accept it; `answer` maps the last
    message to the reply. The first `together` requests are replied to only once all have arrived,
    so that they are in flight at the same time.
    """

    def __init__(
        self,
        error_for: Callable[[dict[str, Any]], dict[str, Any] | None],
        *,
        answer: Callable[[str], str] = lambda _: "hi",
        together: int = 1,
    ) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self._error_for = error_for
        self._answer = answer
        self._together = together
        self._all_arrived = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        if len(self.bodies) >= self._together:
            self._all_arrived.set()
        await self._all_arrived.wait()
        error = self._error_for(body)
        if error is not None:
            self.rejected.append(body)
            return web.json_response({"error": error}, status=400)
        return web.json_response(completion(self._answer(body["messages"][-1]["content"])))


@asynccontextmanager
async def serving(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[str]:
    """Serve an API on a free port while the context lasts. Yields the base URL.

    `answer` gets the requests for chat completions, and those for the list of models.
    """
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    app.router.add_get("/v1/models", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        scheme = "https" if tls else "http"
        yield f"{scheme}://{host}:{port}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def teacher_of(
    server: Script | SelectiveTeacher, *, budget: Budget | None = None, **spec: Any
) -> AsyncGenerator[TeacherClient]:
    """A client of a teacher that is served while the context lasts."""
    async with (
        serving(server.answer) as base_url,
        open_teacher(
            settings(base_url), TeacherSpec(model="m", **spec), budget=budget or NoBudget()
        ) as teacher,
    ):
        yield teacher
