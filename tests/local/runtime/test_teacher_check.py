"""A wrong or unreachable teacher is a sentence at once, not a failed run after a long start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from local.emulators.teacher import TeacherOptions, serve
from local.runtime.failures import UsageError
from local.runtime.ports import LOOPBACK, free_port
from local.runtime.teacher_check import check_teacher
from tests.support.stub_host import babbler


@contextlib.asynccontextmanager
async def server(
    status: int, content_type: str = "application/json", text: str = "{}"
) -> AsyncGenerator[str]:
    """Base URL of a server that answers every POST so."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, content_type=content_type, text=text)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app, host=LOOPBACK) as running:
        yield str(running.make_url("/v1"))


async def problem_of(url: str) -> str:
    with pytest.raises(UsageError) as wrong:
        await asyncio.to_thread(check_teacher, url)
    return str(wrong.value)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 422, 429, 500, 503])
async def test_an_api_that_refuses_an_empty_request_is_a_teacher(status: int) -> None:
    async with server(status) as url:
        await asyncio.to_thread(check_teacher, url)
        await asyncio.to_thread(check_teacher, f"{url}/chat/completions")


async def test_the_local_teacher_passes() -> None:
    async with serve(TeacherOptions()) as running:
        await asyncio.to_thread(check_teacher, running.base_url)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_server_without_the_route_is_named_with_its_answer(status: int) -> None:
    async with server(status) as url:
        problem = await problem_of(url)
    assert f"POST {url}/chat/completions answered {status}" in problem
    assert "usually ends in /v1" in problem


async def test_a_web_page_is_no_teacher() -> None:
    async with server(200, "text/html") as url:
        assert "answered with a web page" in await problem_of(url)


async def test_nothing_at_that_address_is_said_with_the_reason() -> None:
    url = f"http://{LOOPBACK}:{free_port()}/v1"
    problem = await problem_of(url)
    assert f"--teacher-url {url} can't be reached: " in problem
    assert "refused" in problem


async def test_a_program_that_speaks_no_http_is_no_teacher() -> None:
    async with babbler(b"220 mail.example ESMTP\r\n") as url:
        assert "can't be reached" in await problem_of(url)


async def test_a_teacher_that_hangs_up_on_an_empty_request_is_left_to_preflight() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(hang_up, LOOPBACK, 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        await asyncio.to_thread(check_teacher, f"http://{LOOPBACK}:{port}/v1")


async def test_an_api_that_misses_the_model_is_a_teacher() -> None:
    async with server(404, text='{"error": {"message": "model \'\' not found"}}') as url:
        await asyncio.to_thread(check_teacher, url)
