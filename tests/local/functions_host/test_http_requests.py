"""Requests as a function sees them: what Azure's host would hand to the Python worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support.functions_host import ServedApp, served

APP = """
    @app.route("echo/{id}", methods=["GET", "POST", "PUT"])
    def echo(req: func.HttpRequest) -> str:
        CALLS.append(req)
        return req.method

    @app.route("json", methods=["POST"])
    def parse(req: func.HttpRequest) -> str:
        return str(req.get_json()["text"])

    @app.route()
    def unnamed(req: func.HttpRequest) -> str:
        return "by its own name"
    """


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[ServedApp]:
    async with served(tmp_path, APP) as serving:
        yield serving


async def _seen(app: ServedApp, method: str, path: str, **options: Any) -> Any:
    assert await app.ask(method, path, **options) == (200, method)
    return app.calls[-1]


async def test_method_and_url_arrive(app: ServedApp) -> None:
    request = await _seen(app, "PUT", "/api/echo/7?x=a%20b")
    assert request.method == "PUT"
    assert request.url in (f"{app.host.url}/api/echo/7?x=a%20b", f"{app.host.url}/api/echo/7?x=a+b")


async def test_the_parameters_of_route_and_query_arrive_decoded(app: ServedApp) -> None:
    request = await _seen(app, "GET", "/api/echo/a%20b?name=J%C3%BCrgen+K&id=9")
    assert dict(request.route_params) == {"id": "a b"}
    assert dict(request.params) == {"name": "Jürgen K", "id": "9"}


async def test_an_empty_query_parameter_is_absent(app: ServedApp) -> None:
    request = await _seen(app, "GET", "/api/echo/7?empty=&given=x")
    assert dict(request.params) == {"given": "x"}


async def test_repeated_values_are_joined_by_commas(app: ServedApp) -> None:
    request = await _seen(
        app, "GET", "/api/echo/7?x=1&x=2", headers=[("X-Tag", "a"), ("X-Tag", "b")]
    )
    assert request.params["x"] == "1,2"
    assert request.headers["x-tag"] == "a,b"


async def test_headers_are_found_in_any_case(app: ServedApp) -> None:
    request = await _seen(app, "GET", "/api/echo/7", headers={"X-Request-Id": "abc"})
    assert request.headers["x-request-id"] == request.headers["X-REQUEST-ID"] == "abc"


async def test_the_body_arrives_byte_by_byte(app: ServedApp) -> None:
    every_byte = bytes(range(256)) * 5000  # more than aiohttp's own limit of 1 MB
    request = await _seen(app, "POST", "/api/echo/7", data=BytesIO(every_byte))
    assert request.get_body() == every_byte
    assert (await _seen(app, "GET", "/api/echo/7")).get_body() == b""


async def test_a_json_body_is_parsed(app: ServedApp) -> None:
    assert await app.post("/api/json", json={"text": "žluťoučký"}) == (200, "žluťoučký")
    assert (await app.post("/api/json", data=b"{"))[0] == 500


async def test_a_function_without_a_route_answers_by_its_name(app: ServedApp) -> None:
    assert await app.get("/api/unnamed") == (200, "by its own name")


async def test_a_method_that_no_route_answers_is_404_as_in_azure(app: ServedApp) -> None:
    assert (await app.ask("DELETE", "/api/echo/7"))[0] == 404
    assert (await app.get("/api/json"))[0] == 404


async def test_the_prefix_of_host_json_is_taken(tmp_path: Path) -> None:
    http = {"extensions": {"http": {"routePrefix": "v2"}}}
    async with served(tmp_path, APP, host_json=http) as app:
        assert await app.get("/v2/unnamed") == (200, "by its own name")
        assert (await app.get("/api/unnamed"))[0] == 404


async def test_a_settings_reference_in_a_route_is_resolved(tmp_path: Path) -> None:
    code = '@app.route("%PLACE%/x")\ndef x(req: func.HttpRequest) -> str:\n    return "x"\n'
    async with served(tmp_path, code, {"PLACE": "there"}) as app:
        assert await app.get("/api/there/x") == (200, "x")
