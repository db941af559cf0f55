"""Whether a process of the cloud answers: asked directly, and not taken for any other program."""

from __future__ import annotations

import asyncio
import os

import pytest
from aiohttp import web

from local.runtime.ports import LOOPBACK, free_port
from local.runtime.supervisor import answers
from tests.support.programs import REPOSITORY, python
from tests.support.stub_host import babbler, host


async def test_one_that_says_the_word_is_ready() -> None:
    async with host(lambda _: web.json_response({"state": "Running"})) as url:
        assert await asyncio.to_thread(answers, url)
        assert await asyncio.to_thread(answers, url, '"Running"')
        assert not await asyncio.to_thread(answers, url, '"Stopped"')


@pytest.mark.parametrize("status", [204, 404, 503])
async def test_any_status_but_200_is_not_ready(status: int) -> None:
    async with host(lambda _: web.Response(status=status)) as url:
        assert not await asyncio.to_thread(answers, url)


def test_silence_is_not_ready() -> None:
    assert not answers(f"http://{LOOPBACK}:{free_port()}/healthz")


@pytest.mark.parametrize(
    "says", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"]
)
async def test_a_stranger_at_the_port_is_not_ready(says: bytes) -> None:
    async with babbler(says) as url:
        assert not await asyncio.to_thread(answers, url)


async def test_a_proxy_does_not_come_between() -> None:
    proxied = {
        "PATH": os.environ["PATH"],
        "http_proxy": f"http://{LOOPBACK}:1",
    }  # read when the module is imported
    async with host(lambda _: web.Response()) as url:
        code = (
            "from local.runtime.supervisor import answers; "
            f"raise SystemExit(0 if answers({url!r}) else 1)"
        )
        process = await asyncio.create_subprocess_exec(*python(code), cwd=REPOSITORY, env=proxied)
        assert await asyncio.wait_for(process.wait(), 30) == 0
