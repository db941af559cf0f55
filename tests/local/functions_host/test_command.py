"""`python -m local.functions_host` as a process: what it announces, how it ends, and what it says when it cannot start."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from local.functions_host.keys import Keys
from local.runtime.ports import LOOPBACK
from tests.support.functions_host import PATIENCE, write_app

LIMIT = aiohttp.ClientTimeout(PATIENCE)
REPOSITORY = Path(__file__).parents[3]
HELLO = """
    @app.route("hello/%PLACE%", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    def hello(req: func.HttpRequest) -> str:
        return "hello"
    """
STUCK = """
    import time

    @app.route("stuck")
    def stuck(req: func.HttpRequest) -> str:
        time.sleep(600)
        return ""
    """


async def _start(app_dir: Path, data_dir: Path, *flags: str) -> Process:
    command = [
        "-m",
        "local.functions_host",
        "--app-dir",
        str(app_dir),
        "--data-dir",
        str(data_dir),
        "--port",
        "0",
        *flags,
    ]
    environment = {**os.environ, "PLACE": "world"}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=REPOSITORY,
        env=environment,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )


async def _end(process: Process) -> tuple[int | None, str]:
    """Exit code and what it wrote to stderr."""
    async with asyncio.timeout(PATIENCE):
        _, errors = await process.communicate()
    return process.returncode, errors.decode()


async def _refusal(app_dir: Path, data_dir: Path, *flags: str) -> str:
    """What a host that must not start says."""
    code, errors = await _end(await _start(app_dir, data_dir, *flags))
    assert code == 1
    assert "local/functions_host" not in errors.replace(os.sep, "/"), (
        "a traceback of the host is no message"
    )
    return errors


async def _line(process: Process) -> str:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    assert line, await _end(process)
    return line.decode().rstrip()


@asynccontextmanager
async def _running(
    app_dir: Path, data_dir: Path, *flags: str
) -> AsyncGenerator[tuple[Process, str]]:
    """A process and the URL that it announces."""
    process = await _start(app_dir, data_dir, *flags)
    try:
        while not (
            announced := re.match(r"Functions host at (\S+), keys in (.+)", await _line(process))
        ):
            continue  # the log goes to the same place
        assert Path(announced[2]) == data_dir / "keys.json"
        yield process, announced[1]
    finally:
        if process.returncode is None:
            process.kill()
            await _end(process)


async def test_it_announces_its_routes_serves_them_and_ends_on_a_signal(tmp_path: Path) -> None:
    app_dir = write_app(tmp_path / "app", HELLO)
    async with _running(app_dir, tmp_path / "deep" / "data") as (process, url):
        assert await _line(process) == "  [GET] /api/hello/world"
        key = Keys.load_or_create(tmp_path / "deep" / "data").function_key
        async with (
            aiohttp.ClientSession(url, timeout=LIMIT) as session,
            session.get(f"/api/hello/world?code={key}") as answer,
        ):
            assert (answer.status, await answer.text()) == (200, "hello")
        process.send_signal(signal.SIGTERM)
        assert await _end(process) == (0, "")


async def test_it_ends_when_its_lifeline_is_cut(tmp_path: Path) -> None:
    async with _running(write_app(tmp_path, ""), tmp_path / "data", "--lifeline") as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert await _end(process) == (0, "")


async def test_a_thread_that_a_function_holds_keeps_it_from_ending_no_longer_than_its_time_out(
    tmp_path: Path,
) -> None:
    app_dir = write_app(tmp_path / "app", STUCK, host_json={"functionTimeout": "00:00:00.1"})
    async with _running(app_dir, tmp_path / "data") as (process, url):
        async with (
            aiohttp.ClientSession(url, timeout=LIMIT) as session,
            session.get("/api/stuck") as answer,
        ):
            assert answer.status == 500
        process.send_signal(signal.SIGTERM)
        assert (await _end(process))[0] == 0


async def test_two_hosts_do_not_share_a_data_directory(tmp_path: Path) -> None:
    app_dir = write_app(tmp_path / "app", "")
    async with _running(app_dir, tmp_path / "data") as (first, _):
        message = await _refusal(app_dir, tmp_path / "data")
        assert (
            message
            == f"another host uses {tmp_path / 'data'}: stop it, or choose another --data-dir\n"
        )
        first.kill()  # a host that dies without a word holds nothing
        await _end(first)
        async with _running(app_dir, tmp_path / "data") as (second, _):
            second.send_signal(signal.SIGINT)
            assert await _end(second) == (0, "")


async def test_a_taken_port_is_told_in_a_sentence(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), LOOPBACK, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        message = await _refusal(
            write_app(tmp_path / "app", ""), tmp_path / "data", "--port", str(port)
        )
    assert re.fullmatch(rf"cannot serve on port {port}: .*address already in use\n", message)


async def test_a_data_directory_that_cannot_be_is_not_blamed_on_the_port(tmp_path: Path) -> None:
    app_dir = write_app(tmp_path / "app", "")
    message = await _refusal(app_dir, app_dir / "host.json" / "data")
    assert "port" not in message
    assert str(app_dir / "host.json") in message


async def test_an_app_that_cannot_be_imported_is_shown_with_its_own_traceback(
    tmp_path: Path,
) -> None:
    app_dir = write_app(tmp_path / "app", "raise RuntimeError('out of order')\n")
    lines = (await _refusal(app_dir, tmp_path / "data")).splitlines()
    assert lines[:2] == [
        "function_app.py could not be imported",
        "Traceback (most recent call last):",
    ]
    assert lines[-1] == "RuntimeError: out of order"
