"""Faults on demand: a middleware, and `POST /emulator/faults` to say which requests fail, and how.

The point is `drop: "after"`: the request is carried out and its answer is lost, as when a
connection breaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from local.emulators.echo import Echo
from local.emulators.service import (
    Answer,
    ServiceError,
    answer_errors,
    json_route,
    reset_connection,
)

PATH = "/emulator/faults"


class Fault(BaseModel):
    """The fate of the next `times` matching requests; only a delay without `status` and `drop`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    method: str = ""  # "" matches any
    path_contains: str = ""
    status: int | None = Field(None, ge=400, le=599)
    # the connection: before the request is carried out, or after
    drop: Literal["before", "after"] | None = None
    times: int = Field(1, ge=1)
    retry_after: float | None = None  # seconds, sent with `status`
    delay_seconds: float = 0.0
    message: str = ""

    @model_validator(mode="after")
    def _one_fate(self) -> Fault:
        if self.status is not None and self.drop is not None:
            raise ValueError("status and drop exclude each other")
        return self

    def matches(self, request: web.Request) -> bool:
        right_method = self.method.upper() in ("", request.method)
        return right_method and self.path_contains in request.path_qs


class Faults:
    """The faults that wait for a request. The oldest matching one applies."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.hits = 0

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post(PATH, self._post)
        app.router.add_get(PATH, self._get)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = None if request.path == PATH else self._take(request)
        if fault is None:
            return await handler(request)
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault.status is not None:
            return _refusal(fault, fault.status)
        if fault.drop is None:
            return await handler(request)
        if fault.drop == "after":
            await handler(request)
        return reset_connection(request)

    def _take(self, request: web.Request) -> Fault | None:
        fault = next((fault for fault in self._waiting if fault.matches(request)), None)
        if fault is None:
            return None
        self.hits += 1
        fault.times -= 1
        if not fault.times:
            self._waiting.remove(fault)
        return fault

    async def _post(self, request: web.Request) -> web.Response:
        try:
            self._waiting.append(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            message = f"The fault cannot be used: {error}"
            body = {"error": {"code": "InvalidFault", "message": message}}
            return web.json_response(body, status=400)
        return self._shown(201)

    async def _get(self, _: web.Request) -> web.Response:
        return self._shown(200)

    def _shown(self, status: int) -> web.Response:
        waiting = [fault.model_dump() for fault in self._waiting]
        return web.json_response({"waiting": waiting, "hits": self.hits}, status=status)


def _refusal(fault: Fault, status: int) -> web.Response:
    """Return an error that both OpenAI's clients and ARM's can read."""
    error = {
        "code": f"Emulated{status}",
        "type": "emulated_fault",
        "param": None,
        "message": fault.message or f"The emulator was told to answer {status}.",
    }
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    return web.json_response({"error": error}, status=status, headers=headers)


def emulator_app(
    error: Callable[[int, str, str], ServiceError],
    guard: Middleware,
    answers: Mapping[str, Answer],
    *,
    echoes_keys: bool = False,
) -> web.Application:
    """Return an application that takes faults on demand and answers these GET routes with JSON.

    `error` makes a failure in the API's shape; `guard` checks every request but those for faults.
    `echoes_keys` makes every answer quote the keys of the requests so far.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == PATH:
            return await handler(request)
        return await guard(request, handler)

    faults = Faults()
    middlewares = [faults.middleware, answer_errors(error), guarded]
    if echoes_keys:
        middlewares.insert(0, Echo().middleware)
    app = web.Application(middlewares=middlewares)
    faults.add_routes(app)
    app.add_routes([web.get(path, json_route(answer)) for path, answer in answers.items()])
    return app
