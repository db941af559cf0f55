"""Faults on demand, for every emulator: an aiohttp middleware, and `POST /emulator/faults` to say which request is to fail how.

What this is for is `drop: "after"`: the request is carried out and its answer is lost, as when a connection breaks.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, cast

from aiohttp import web

PATH = "/emulator/faults"
RESET_ON_CLOSE = struct.pack(
    "ii", 1, 0
)  # SO_LINGER of zero seconds: the client sees a reset, not an end
DROPS = ("before", "after")


@dataclass(slots=True, kw_only=True)
class Fault:
    """What the next `times` requests get that it fits. Without `status` and `drop` they are only delayed."""

    method: str = ""  # "" fits any
    path_contains: str = ""
    status: int | None = None
    drop: Literal["before", "after"] | None = (
        None  # the connection: before the request is carried out, or after
    )
    times: int = 1
    retry_after: float | None = None  # seconds, sent with `status`
    delay_seconds: float = 0.0
    message: str = ""

    @classmethod
    def parse(cls, body: object) -> Self:
        """Raises ValueError with what is wrong."""
        if not isinstance(body, dict):
            raise ValueError("the body must be a JSON object")
        given = cast(dict[str, Any], body)
        unknown = sorted(given.keys() - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)}: unknown; a fault has {', '.join(f.name for f in fields(cls))}"
            )
        fault = cls(**given)
        if fault.status is not None and fault.status not in range(400, 600):
            raise ValueError(f"status is {fault.status!r}: give an HTTP status from 400 to 599")
        if fault.drop not in (None, *DROPS):
            raise ValueError(f"drop is {fault.drop!r}: use one of {', '.join(DROPS)}")
        if fault.status is not None and fault.drop is not None:
            raise ValueError("status and drop exclude each other")
        if fault.times not in range(1, 1_000_000):
            raise ValueError(f"times is {fault.times!r}: give a whole number from 1")
        return fault

    def fits(self, request: web.Request) -> bool:
        return self.method.upper() in ("", request.method) and self.path_contains in request.path_qs


class Faults:
    """The faults that wait for a request. Each is used up by the requests that it hits, the oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.hits = 0

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post(PATH, self._post)
        app.router.add_get(PATH, self._get)
        app.router.add_delete(PATH, self._delete)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        fault = None if request.path == PATH else self._take(request)
        if fault is None:
            return await handler(request)
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        if fault.status is not None:
            return _refusal(fault)
        if fault.drop is None:
            return await handler(request)
        if fault.drop == "after":
            await handler(request)
        return _drop(request)

    def _take(self, request: web.Request) -> Fault | None:
        fault = next((fault for fault in self._waiting if fault.fits(request)), None)
        if fault is None:
            return None
        self.hits += 1
        fault.times -= 1
        if not fault.times:
            self._waiting.remove(fault)
        return fault

    async def _post(self, request: web.Request) -> web.Response:
        try:
            self.add(Fault.parse(json.loads(await request.read())))
        except (ValueError, TypeError) as error:
            body = {
                "error": {"code": "InvalidFault", "message": f"The fault cannot be used: {error}"}
            }
            return web.json_response(body, status=400)
        return self._shown(201)

    async def _get(self, _: web.Request) -> web.Response:
        return self._shown(200)

    async def _delete(self, _: web.Request) -> web.Response:
        self._waiting.clear()
        return self._shown(200)

    def _shown(self, status: int) -> web.Response:
        return web.json_response(
            {"waiting": [asdict(fault) for fault in self._waiting], "hits": self.hits},
            status=status,
        )


def _refusal(fault: Fault) -> web.Response:
    """An error that OpenAI's clients and ARM's alike can read."""
    message = fault.message or f"The emulator was told to answer {fault.status}."
    error = {
        "code": f"Emulated{fault.status}",
        "type": "emulated_fault",
        "param": None,
        "message": message,
    }
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    return web.json_response({"error": error}, status=fault.status or 500, headers=headers)


def _drop(request: web.Request) -> web.Response:
    """Reset the connection; what is returned goes nowhere."""
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE
        )
        transport.abort()
    return web.Response()
