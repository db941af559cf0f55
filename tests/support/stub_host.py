"""A server in the place of the Functions host, which says what a test wants it to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from local.runtime.ports import LOOPBACK

Answer = Callable[[web.Request], web.Response]


@asynccontextmanager
async def host(answer: Answer) -> AsyncGenerator[str]:
    """Base URL of a server that answers every GET so."""

    async def handle(request: web.Request) -> web.Response:
        return answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with TestServer(app, host=LOOPBACK) as server:
        yield str(server.make_url("")).rstrip("/")


@asynccontextmanager
async def babbler(says: bytes) -> AsyncGenerator[str]:
    """Base URL of a program that speaks no HTTP: it says this to whoever connects, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(says)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, LOOPBACK, 0) as server:
        yield f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
