"""`python -m local.functions_host`: what it announces, how it ends, why it cannot start."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from local.functions_host.__main__ import main
from local.functions_host.errors import DataDirectoryInUse
from local.functions_host.host import serve
from local.functions_host.keys import Keys
from local.functions_host.worker.worker import choose_worker
from local.runtime.ports import LOOPBACK
from tests.support.functions_host import PATIENCE, process_restored, write_app

LIMIT = aiohttp.ClientTimeout(PATIENCE)
REPOSITORY = Path(__file__).parents[3]
APP = """
    import logging
    import time

    @app.route("hello/%PLACE%", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    def hello(req: func.HttpRequest) -> str:
        logging.getLogger("app").info("somebody greets")
        return "hello"

    @app.route("stuck")
    def stuck(req: func.HttpRequest) -> str:
        time.sleep(600)
        return ""
    """
SETTINGS = {"PLACE": "world"}


@asynccontextmanager
async def _running(app_dir: Path, data_dir: Path) -> AsyncGenerator[Process]:
    """A host process; its standard output is its log."""
    flags = ["--app-dir", app_dir, "--data-dir", data_dir, "--port", "0", "--lifeline"]
    command = ["-m", "local.functions_host", *map(str, flags)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=REPOSITORY,
        env={**os.environ, **SETTINGS},
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _line(process: Process, pattern: str) -> re.Match[str]:
    """The next line of the log that matches."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while line := (await process.stdout.readline()).decode().rstrip():
            if match := re.fullmatch(pattern, line):
                return match
    raise AssertionError(f"the host ended without a line like {pattern}")


async def _end(process: Process) -> tuple[int | None, str]:
    """Exit code, and the rest of the log."""
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


def _refusal(capsys: pytest.CaptureFixture[str], app_dir: Path, data_dir: Path, port: int) -> str:
    """What a host says that must not start."""
    flags = ["--app-dir", app_dir, "--data-dir", data_dir, "--port", port]
    with process_restored():
        assert main([str(flag) for flag in flags]) == 1
    return capsys.readouterr().err


async def test_a_host_announces_itself_serves_and_holds_its_data_directory_until_it_ends(
    tmp_path: Path,
) -> None:
    app_dir = write_app(tmp_path / "app", APP, host_json={"functionTimeout": "00:00:00.1"})
    data_dir = tmp_path / "deep" / "data"
    async with _running(app_dir, data_dir) as process:
        await _line(process, f"Functions are run by {re.escape(choose_worker().description)}")
        announced = await _line(process, r"Functions host at (\S+), keys in (.+)")
        assert Path(announced[2]) == data_dir / "keys.json"
        await _line(process, re.escape("  [GET] /api/hello/world"))
        key = Keys.load_or_create(data_dir).function_key
        async with aiohttp.ClientSession(announced[1], timeout=LIMIT) as session:
            async with session.get(f"/api/hello/world?code={key}") as answer:
                assert (answer.status, await answer.text()) == (200, "hello")
            await _line(process, r".* INFO    app: somebody greets \[invocation [0-9a-f-]{36}\]")
            # the thread of a function that timed out must not keep the host from ending
            async with session.get("/api/stuck") as answer:
                assert answer.status == 500
        with pytest.raises(DataDirectoryInUse, match="stop it, or choose another --data-dir"):
            async with serve(app_dir=app_dir, data_dir=data_dir, port=0, environment={}):
                raise AssertionError("it serves")
        process.send_signal(signal.SIGTERM)
        code, rest = await _end(process)
        assert code == 0
        assert "Functions host" not in rest


def test_a_port_in_use_is_reported_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app_dir = write_app(tmp_path / "app", "")
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        message = _refusal(capsys, app_dir, tmp_path / "data", port)
    assert re.fullmatch(rf"cannot serve on port {port}: .*address already in use\n", message)


def test_an_impossible_data_directory_is_not_blamed_on_the_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app_dir = write_app(tmp_path / "app", "")
    message = _refusal(capsys, app_dir, app_dir / "host.json" / "data", 0)
    assert "port" not in message
    assert str(app_dir / "host.json") in message


def test_an_app_that_cannot_be_imported_is_shown_with_its_own_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app_dir = write_app(tmp_path / "app", "raise RuntimeError('out of order')\n")
    lines = _refusal(capsys, app_dir, tmp_path / "data", 0).splitlines()
    assert lines[:2] == [
        "function_app.py could not be imported",
        "Traceback (most recent call last):",
    ]
    assert lines[-1] == "RuntimeError: out of order"
