"""How the engine dispatches: it misses no timer, ends when cancelled, survives a full disk."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.durable.engine import Engine
from local.functions_host.durable.events import Event
from local.functions_host.durable.functions import Limits
from local.functions_host.durable.records import Activity
from local.functions_host.durable.store import Store
from tests.support.durable_hub import PATIENCE, Gauge, functions, output, running, until
from tests.support.durable_simulation import Steps


def nap(context: Any) -> Steps:
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=20))
    return "rested"


class SlowStore(Store):
    """Time passes between looking for what is due and looking for what is due next."""

    def ready(self, now: float) -> list[str]:
        ready = super().ready(now)
        time.sleep(0.05)
        return ready


async def test_a_timer_that_falls_due_while_the_engine_looks_is_not_missed(tmp_path: Path) -> None:
    async with running(tmp_path, {"nap": nap}, store=SlowStore) as hub:
        assert output(await hub.run("nap")) == "rested"


@pytest.mark.parametrize("steps", range(5))
async def test_an_engine_ends_although_it_is_woken_at_that_moment(
    tmp_path: Path, steps: int
) -> None:
    store = Store(tmp_path / "hub.sqlite")
    engine = Engine(store, functions({}, {}))
    task = asyncio.create_task(engine.run())
    await asyncio.sleep(0)
    engine.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    ended, _ = await asyncio.wait([task], timeout=PATIENCE)
    store.close()
    assert ended


class FullDisk(Store):
    """The first episode cannot be written, nor the first end of an activity."""

    refused = 0

    def append_history(self, instance_id: str, position: int, events: Sequence[Event]) -> None:
        if position == 0:
            self._refuse_once(1)
        super().append_history(instance_id, position, events)

    def end_activity(self, activity: Activity, outcome: Event) -> None:
        self._refuse_once(2)
        super().end_activity(activity, outcome)

    def _refuse_once(self, number: int) -> None:
        if self.refused < number:
            self.refused = number
            raise sqlite3.OperationalError("database or disk is full")


async def test_what_cannot_be_written_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("local.functions_host.durable.engine.BROKEN_SECONDS", 0.01)
    ran: list[int] = []

    async def work(number: int) -> int:
        ran.append(number)
        return number

    def works(context: Any) -> Steps:
        return (yield context.call_activity("work", 5))

    async with running(tmp_path, {"works": works}, {"work": work}, store=FullDisk) as hub:
        assert output(await hub.run("works", instance_id="its-id")) == 5
    assert ran == [5]
    assert "an episode of its-id broke" in caplog.text
    assert "the end of activity work of its-id could not be written" in caplog.text


async def test_no_more_orchestrators_run_at_a_time_than_host_json_allows(tmp_path: Path) -> None:
    gauge = Gauge()
    app_functions = functions({"nap": nap}, {})

    async def counted(name: str, context: str) -> str:
        async with gauge:
            return await app_functions.orchestrate(name, context)

    async with running(
        tmp_path, {"nap": nap}, limits=Limits(orchestrators=2), orchestrate=counted
    ) as hub:
        ids = [hub.start("nap") for _ in range(8)]
        assert [output(await hub.ended(instance_id)) for instance_id in ids] == ["rested"] * 8
    assert gauge.most == 2


async def test_an_instance_has_one_episode_at_a_time(tmp_path: Path) -> None:
    def collect(context: Any) -> Steps:
        return (
            yield context.task_all([context.wait_for_external_event("number") for _ in range(3)])
        )

    gauge = Gauge()
    app_functions = functions({"collect": collect}, {})

    async def counted(name: str, context: str) -> str:
        async with gauge:
            return await app_functions.orchestrate(name, context)

    async with running(tmp_path, {"collect": collect}, orchestrate=counted) as hub:
        instance_id = hub.start("collect")
        for number in range(3):
            await until(lambda: gauge.now)
            hub.raise_event(instance_id, "number", number)
        assert sorted(output(await hub.ended(instance_id))) == [0, 1, 2]
    assert gauge.most == 1
