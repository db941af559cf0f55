"""Who may call a function: access keys and levels over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.functions_host import ServedApp, served

APP = """
    @app.route("open", auth_level=func.AuthLevel.ANONYMOUS)
    @app.function_name("open")
    def open_(req: func.HttpRequest) -> str:
        return "open"

    @app.route("function", auth_level=func.AuthLevel.FUNCTION)
    def function(req: func.HttpRequest) -> str:
        return "function"

    @app.route("admins", auth_level=func.AuthLevel.ADMIN)
    def admins(req: func.HttpRequest) -> str:
        return "admins"
    """


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[ServedApp]:
    async with served(tmp_path, APP) as serving:
        yield serving


async def test_an_anonymous_function_asks_for_no_key_and_minds_no_wrong_one(app: ServedApp) -> None:
    assert await app.get("/api/open") == (200, "open")
    assert await app.get("/api/open?code=wrong") == (200, "open")


async def test_a_function_opens_to_its_key_in_header_or_query(app: ServedApp) -> None:
    key = app.host.keys.function_key
    assert await app.get("/api/function", headers={"x-functions-key": key}) == (200, "function")
    assert await app.get(f"/api/function?code={key}") == (200, "function")


async def test_a_function_is_closed_without_its_key(app: ServedApp) -> None:
    key = app.host.keys.function_key
    assert (await app.get("/api/function"))[0] == 401
    assert (await app.get("/api/function?code="))[0] == 401
    assert (await app.get(f"/api/function?code={key[:-1]}"))[0] == 401
    assert (await app.get("/api/function", headers={"x-functions-key": "é"}))[0] == 401
    assert (await app.get("/api/function", headers={"Authorization": f"Bearer {key}"}))[0] == 401


async def test_the_header_counts_where_header_and_query_differ(app: ServedApp) -> None:
    key = app.host.keys.function_key
    assert (await app.get(f"/api/function?code={key}", headers={"x-functions-key": "wrong"}))[
        0
    ] == 401
    assert (await app.get("/api/function?code=wrong", headers={"x-functions-key": key}))[0] == 200


async def test_the_master_key_opens_every_function(app: ServedApp) -> None:
    for path in ("open", "function", "admins"):
        assert await app.get(f"/api/{path}?code={app.host.keys.master_key}") == (200, path)


async def test_the_admin_level_opens_to_the_master_key_alone(app: ServedApp) -> None:
    keys = app.host.keys
    for key in ("", keys.function_key, keys.system_key):
        assert (await app.get("/api/admins", headers={"x-functions-key": key}))[0] == 401


async def test_the_key_of_durable_opens_no_function(app: ServedApp) -> None:
    assert (await app.get(f"/api/function?code={app.host.keys.system_key}"))[0] == 401


async def test_a_caller_without_a_key_does_not_reach_the_function(tmp_path: Path) -> None:
    code = """
        @app.route("x", auth_level=func.AuthLevel.FUNCTION)
        def x(req: func.HttpRequest) -> str:
            CALLS.append(req.method)
            return ""
        """
    async with served(tmp_path, code) as app:
        assert (await app.post("/api/x"))[0] == 401
        assert app.calls == []


async def test_what_is_not_there_is_404_whatever_the_key(app: ServedApp) -> None:
    assert (await app.get("/api/nothing"))[0] == 404
    assert (await app.get(f"/api/nothing?code={app.host.keys.master_key}"))[0] == 404
    assert (await app.get("/"))[0] == 404
