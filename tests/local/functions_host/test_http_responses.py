"""What a function returns, as the answer its caller gets."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.functions_host import ServedApp, served

APP = """
    import json

    @app.route("response")
    def response(req: func.HttpRequest) -> func.HttpResponse:
        headers = {"Location": "/elsewhere", "Retry-After": "5"}
        body = json.dumps({"a": 1})
        mimetype = "application/json"
        return func.HttpResponse(body, status_code=202, headers=headers, mimetype=mimetype)

    @app.route("text")
    def text(req: func.HttpRequest) -> str:
        return "čau"

    @app.route("binary")
    def binary(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(bytes(range(256)) * 5000, mimetype="application/octet-stream")

    @app.route("nothing")
    async def nothing(req: func.HttpRequest):
        return None

    @app.route("empty")
    def empty(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(status_code=304)

    @app.route("cookies")
    def cookies(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("", headers={"Set-Cookie": "a=1"})

    @app.route("failing")
    def failing(req: func.HttpRequest) -> str:
        raise RuntimeError("a secret of the app")

    @app.route("wrong")
    def wrong(req: func.HttpRequest):
        return {"a": 1}

    @app.route("impatient")
    async def impatient(req: func.HttpRequest) -> str:
        raise TimeoutError("the app's own")
    """


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[ServedApp]:
    async with served(tmp_path, APP) as serving:
        yield serving


async def test_a_response_keeps_status_headers_and_type(app: ServedApp) -> None:
    async with app.session.get("/api/response") as answer:
        assert (answer.status, await answer.json()) == (202, {"a": 1})
        assert answer.content_type == "application/json"
        assert (answer.headers["Location"], answer.headers["Retry-After"]) == ("/elsewhere", "5")


async def test_text_is_a_plain_answer_in_utf8(app: ServedApp) -> None:
    async with app.session.get("/api/text") as answer:
        assert (answer.status, await answer.text(encoding="utf-8")) == (200, "čau")
        assert (answer.content_type, answer.charset) == ("text/plain", "utf-8")


async def test_bytes_arrive_as_they_are(app: ServedApp) -> None:
    async with app.session.get("/api/binary") as answer:
        assert await answer.read() == bytes(range(256)) * 5000


async def test_a_function_that_returns_nothing_fails_as_in_azure(
    app: ServedApp, caplog: pytest.LogCaptureFixture
) -> None:
    assert await app.get("/api/nothing") == (500, "")
    assert 'unsupported type "http" for Python type "NoneType"' in caplog.text


async def test_a_response_may_have_no_body(app: ServedApp) -> None:
    assert await app.get("/api/empty") == (304, "")


async def test_cookies_are_refused_in_the_log(
    app: ServedApp, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await app.get("/api/cookies"))[0] == 500
    assert re.search("the local Functions host does not support .*[cC]ookie", caplog.text)


async def test_an_exception_is_500_that_tells_the_caller_nothing_and_the_log_everything(
    app: ServedApp, caplog: pytest.LogCaptureFixture
) -> None:
    assert await app.get("/api/failing") == (500, "")
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    first, *_, last = record.getMessage().splitlines()
    assert first == "function failing failed"
    assert last == "RuntimeError: a secret of the app"


async def test_a_value_that_is_no_answer_is_500(
    app: ServedApp, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await app.get("/api/wrong"))[0] == 500
    assert 'unsupported type "http" for Python type "dict"' in caplog.text


async def test_a_time_out_of_the_apps_own_is_not_taken_for_the_hosts(
    app: ServedApp, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await app.get("/api/impatient"))[0] == 500
    assert "functionTimeout" not in caplog.text


async def test_the_host_says_without_a_key_that_it_runs_and_with_which_worker(
    app: ServedApp,
) -> None:
    async with app.session.get("/admin/host/status") as answer:
        status = await answer.json()
        assert (answer.status, status["state"]) == (200, "Running")
        assert status["worker"] == app.host.worker
