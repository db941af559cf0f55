"""What every emulator's server needs: a socket on loopback, error answers, and seeded draws."""

from __future__ import annotations

import hashlib
import logging
import socket
import struct
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

HOST = "127.0.0.1"
HEALTH_PATH = "/healthz"
SHUTDOWN_SECONDS = 1.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: the client sees a reset, not an end

Answer = Callable[[web.Request], Any]  # returns what is answered as JSON

log = logging.getLogger(__name__)


class ServiceError(Exception):
    """A refusal. Each API has a subclass that knows the shape of its errors."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @abstractmethod
    def response(self) -> web.Response: ...


def answer_errors(error: Callable[[int, str, str], ServiceError]) -> Middleware:
    """Return a middleware that answers every failure in the API's shape.

    `error` makes one from status, code (in snake case) and message.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ServiceError as refusal:
            return refusal.response()
        except web.HTTPException as failure:
            message = f"{request.method} {request.path} is not emulated ({failure.reason})."
            return error(failure.status, "not_emulated", message).response()
        except Exception:  # the last boundary: the caller gets an answer, the log the trace
            log.exception("%s %s failed", request.method, request.path)
            return error(500, "internal_error", "The emulator failed; see its log.").response()

    return middleware


@asynccontextmanager
async def listening(app: web.Application, port: int, **options: Any) -> AsyncGenerator[str]:
    """Serve an app on loopback for the length of the block; yields its base URL.

    Port 0 takes a free one. `options` are those of AppRunner. Raises OSError for a taken port.
    """
    settings: dict[str, Any] = {"access_log": None, "shutdown_timeout": SHUTDOWN_SECONDS}
    runner = web.AppRunner(app, **settings | options)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def reset_connection(request: web.Request) -> web.Response:
    """Reset the connection. The response returned never reaches the client."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()
    return web.Response()


def json_route(answer: Answer) -> Handler:
    """Return the handler that answers a request with JSON."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(answer(request))

    return handle


def draw(*parts: object) -> float:
    """Return a number in [0, 1), the same for the same parts."""
    text = "/".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2**64
