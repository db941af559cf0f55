"""How functions run: in threads or on the loop, within functionTimeout, with their log."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from pathlib import Path

import pytest

from local.functions_host import invocation
from tests.support.functions_host import served, until

THREADS = """
    import threading

    @app.route("blocking")
    def blocking(req: func.HttpRequest) -> str:
        CALLS.append(threading.current_thread())
        GATE.wait(10)
        return "unblocked"

    @app.route("release")
    async def release(req: func.HttpRequest) -> str:
        CALLS.append(threading.current_thread())
        GATE.set()
        return "released"

    GATE = threading.Event()
    """

SLOW = """
    import asyncio
    import time

    @app.route("coroutine")
    async def coroutine(req: func.HttpRequest) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            CALLS.append("cancelled")
            raise
        return "late"

    @app.route("thread")
    def thread(req: func.HttpRequest) -> str:
        time.sleep(0.3)
        return "late"

    @app.route("quick")
    async def quick(req: func.HttpRequest) -> str:
        return "in time"
    """

LOGGING = """
    import logging

    log = logging.getLogger("app")

    @app.route("on-a-thread")
    def on_a_thread(req: func.HttpRequest) -> str:
        log.warning("of a function")
        return ""

    @app.route("on-the-loop")
    async def on_the_loop(req: func.HttpRequest) -> str:
        log.warning("of a function")
        return ""
    """


async def test_a_function_that_blocks_keeps_no_other_from_running(tmp_path: Path) -> None:
    async with served(tmp_path, THREADS) as app:
        blocked = asyncio.create_task(app.get("/api/blocking"))
        await until(lambda: app.calls)
        assert await app.get("/api/release") == (200, "released")
        assert await blocked == (200, "unblocked")
        in_thread, on_loop = app.calls
        assert on_loop is threading.current_thread()
        assert in_thread is not on_loop


async def test_as_many_functions_run_at_a_time_as_azures_setting_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_THREADPOOL_THREAD_COUNT", "2")
    async with served(tmp_path, THREADS) as app:
        blocked = [asyncio.create_task(app.get("/api/blocking")) for _ in range(4)]
        await until(lambda: len(app.calls) == 2)
        await app.get("/api/release")
        await asyncio.gather(*blocked)
        assert (
            len({thread.name for thread in app.calls if thread is not threading.current_thread()})
            == 2
        )


@pytest.mark.parametrize("name", ["coroutine", "thread"])
async def test_a_function_that_takes_too_long_is_given_up(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path, SLOW, host_json={"functionTimeout": "00:00:00.1"}) as app:
        assert await app.get(f"/api/{name}") == (500, "")
        assert await app.get("/api/quick") == (200, "in time")
        assert f"function {name} ran longer than functionTimeout (0.1 s)" in caplog.text
        assert app.calls == (["cancelled"] if name == "coroutine" else [])


async def test_an_invocation_is_logged_with_its_outcome(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", invocation.log.name)
    async with served(tmp_path, THREADS.replace("GATE.wait(10)", "1 / 0")) as app:
        await app.get("/api/release")
        await app.get("/api/blocking")
    lines = [record.getMessage() for record in caplog.records if record.name == invocation.log.name]
    assert lines[0].startswith("executing release (GET /api/release, id ")
    assert lines[1].startswith("executed release (succeeded, ")
    assert lines[3].startswith("executed blocking (failed: ZeroDivisionError, ")


@pytest.mark.parametrize("name", ["on-a-thread", "on-the-loop"])
async def test_a_log_record_of_a_function_carries_its_invocation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    async with served(tmp_path, LOGGING) as app:
        for _ in range(2):
            await app.get(f"/api/{name}")
        logging.getLogger("app").warning("of nobody")
    logged = caplog.records[-3:]
    first, second, last = (str(getattr(record, "invocation", None)) for record in logged)
    assert re.fullmatch(r" \[invocation [0-9a-f-]{36}\]", first)
    assert first != second
    assert last == ""


async def test_the_app_sees_its_settings_and_runs_in_its_folder(tmp_path: Path) -> None:
    code = """
        import os

        CALLS.append((os.environ["PLACE"], os.getcwd()))

        @app.route("place")
        def place(req: func.HttpRequest) -> str:
            CALLS.append((os.environ["PLACE"], os.getcwd()))
            return ""
        """
    async with served(tmp_path, code, {"PLACE": "here"}) as app:
        await app.get("/api/place")
    (place, _), in_function = app.calls
    assert place == "here"
    assert in_function == ("here", str(tmp_path / "app"))
