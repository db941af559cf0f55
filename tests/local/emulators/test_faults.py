"""Faults on demand: each hits the requests that it names, as often as it says, and a lost answer is
of a request carried out.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from local.emulators.faults import PATH, Faults


class Emulator:
    def __init__(self) -> None:
        self.carried_out: list[str] = []
        self.base_url = ""
        self.http: aiohttp.ClientSession

    async def handle(self, request: web.Request) -> web.Response:
        await request.read()
        self.carried_out.append(f"{request.method} {request.path}")
        return web.json_response({"ok": True})

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any, Any]:
        async with self.http.request(method, self.base_url + path, json=body) as response:
            return response.status, await response.json(), response.headers

    async def fault(self, **fault: Any) -> None:
        status, answer, _ = await self.ask("POST", PATH, fault)
        assert status == 201, answer


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    server, faults = Emulator(), Faults()
    app = web.Application(middlewares=[faults.middleware])
    faults.add_routes(app)
    app.router.add_route("*", "/{path:things.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.base_url = f"http://{host}:{port}"
    async with aiohttp.ClientSession() as server.http:
        yield server
    await runner.cleanup()


async def test_a_refusal_is_told_as_often_as_asked_for_and_then_no_more(emulator: Emulator) -> None:
    await emulator.fault(
        method="GET", path_contains="/things/a", status=429, retry_after=2.5, times=2
    )
    for _ in range(2):
        status, body, headers = await emulator.ask("GET", "/things/a")
        assert (status, headers["Retry-After"]) == (429, "2.5")
        assert body["error"]["message"] == "The emulator was told to answer 429."
    assert (await emulator.ask("GET", "/things/a"))[0] == 200
    assert emulator.carried_out == ["GET /things/a"]


async def test_only_requests_that_fit_are_hit(emulator: Emulator) -> None:
    await emulator.fault(method="post", path_contains="wanted=1", status=500)
    assert (await emulator.ask("GET", "/things?wanted=1"))[0] == 200
    assert (await emulator.ask("POST", "/things"))[0] == 200
    assert (await emulator.ask("POST", "/things?wanted=1"))[0] == 500


@pytest.mark.parametrize(("drop", "carried_out"), [("before", []), ("after", ["POST /things"])])
async def test_a_connection_is_dropped_before_the_request_is_carried_out_or_after(
    emulator: Emulator, drop: str, carried_out: list[str]
) -> None:
    await emulator.fault(drop=drop)
    with pytest.raises(aiohttp.ClientError):
        await emulator.ask("POST", "/things", {"a": 1})
    assert emulator.carried_out == carried_out
    assert (await emulator.ask("GET", "/things"))[0] == 200


async def test_an_answer_may_be_only_late(emulator: Emulator) -> None:
    await emulator.fault(delay_seconds=0.2)
    began = time.monotonic()
    assert (await emulator.ask("GET", "/things"))[0] == 200
    assert time.monotonic() - began >= 0.2


async def test_faults_are_listed_and_counted(emulator: Emulator) -> None:
    await emulator.fault(status=503, times=3)
    await emulator.ask("GET", "/things")
    _, shown, _ = await emulator.ask("GET", PATH)
    assert ([fault["times"] for fault in shown["waiting"]], shown["hits"]) == ([2], 1)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"statsu": 500}, "statsu"),
        ({"status": 200}, "greater than or equal to 400"),
        ({"status": "500"}, "a valid integer"),
        ({"drop": "during"}, "'before' or 'after'"),
        ({"status": 500, "drop": "after"}, "exclude each other"),
        ({"status": 500, "times": 0}, "greater than or equal to 1"),
        ([], "an object"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused_with_what_is_wrong(
    emulator: Emulator, body: object, problem: str
) -> None:
    status, answer, _ = await emulator.ask("POST", PATH, body)
    assert (status, problem in answer["error"]["message"]) == (400, True)
    assert (await emulator.ask("GET", "/things"))[0] == 200
