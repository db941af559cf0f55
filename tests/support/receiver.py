"""A receiver of notifications over real HTTP, for the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Receiver:
    """Answers with these statuses in turn, then with 204. Records what it gets."""

    statuses: list[int] = field(default_factory=list[int])
    seconds: float = 0.0
    url: str = ""
    received: list[tuple[Mapping[str, str], bytes]] = field(
        default_factory=list[tuple[Mapping[str, str], bytes]]
    )

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.received]

    async def answer(self, request: web.Request) -> web.Response:
        self.received.append((dict(request.headers), await request.read()))
        await asyncio.sleep(self.seconds)
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere"})


@asynccontextmanager
async def receiving(*statuses: int, seconds: float = 0.0) -> AsyncGenerator[Receiver]:
    """Serve a receiver on a free port while the context lasts."""
    receiver = Receiver(list(statuses), seconds)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
