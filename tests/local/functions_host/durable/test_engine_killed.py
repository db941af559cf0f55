"""A host that is cut off at any moment redoes what was under way, and only that."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.functions_host.durable.events import Kind, Status
from tests.support.durable_hub import functions, output, running, until
from tests.support.durable_simulation import Steps


def fan_out(context: Any) -> Steps:
    numbers = yield context.task_all(
        [context.call_activity("work", number) for number in range(context.get_input())]
    )
    return sum(numbers)


async def test_an_activity_that_was_cut_off_is_run_again_and_the_others_are_not(
    tmp_path: Path,
) -> None:
    ran: Counter[int] = Counter()
    is_cut_off = True

    async def work(number: int) -> int:
        ran[number] += 1
        if is_cut_off and number % 2:
            await asyncio.Event().wait()
        return number

    async with running(tmp_path, {"fan_out": fan_out}, {"work": work}) as hub:
        hub.start("fan_out", 6, "its-id")
        await until(lambda: hub.kinds("its-id").count(Kind.TASK_COMPLETED) == 3 and len(ran) == 6)
    is_cut_off = False
    async with running(tmp_path, {"fan_out": fan_out}, {"work": work}) as hub:
        assert output(await hub.ended("its-id")) == 15
        assert hub.kinds("its-id").count(Kind.TASK_COMPLETED) == 6
        assert hub.kinds("its-id").count(Kind.EXECUTION_COMPLETED) == 1
    assert ran == {number: 1 + number % 2 for number in range(6)}


async def test_an_episode_that_was_cut_off_is_taken_up_with_the_same_messages(
    tmp_path: Path,
) -> None:
    def waits(context: Any) -> Steps:
        return (yield context.wait_for_external_event("go"))

    begun = asyncio.Event()
    app_functions = functions({"waits": waits}, {})

    async def hangs(name: str, context: str) -> str:
        if '"Name": "go"' in context:
            begun.set()
            await asyncio.Event().wait()
        return await app_functions.orchestrate(name, context)

    async with running(tmp_path, {"waits": waits}, orchestrate=hangs) as hub:
        hub.start("waits", None, "its-id")
        await hub.has("its-id", Status.RUNNING)
        hub.raise_event("its-id", "go", "once")
        await begun.wait()
    async with running(tmp_path, {"waits": waits}) as hub:
        assert output(await hub.ended("its-id")) == "once"
        assert hub.kinds("its-id").count(Kind.EVENT_RAISED) == 1


async def test_a_timer_that_fell_due_meanwhile_fires_at_the_next_start(tmp_path: Path) -> None:
    def nap(context: Any) -> Steps:
        yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=100))
        return "rested"

    async with running(tmp_path, {"nap": nap}) as hub:
        hub.start("nap", None, "its-id")
        await hub.has("its-id", Status.RUNNING)
    await asyncio.sleep(0.12)
    async with running(tmp_path, {"nap": nap}) as hub:
        assert output(await hub.ended("its-id")) == "rested"


async def test_parent_and_child_go_on_together(tmp_path: Path) -> None:
    def parent(context: Any) -> Steps:
        return (yield context.call_sub_orchestrator("fan_out", 3, "child"))

    orchestrators = {"parent": parent, "fan_out": fan_out}

    async def hangs(_: Any) -> None:
        await asyncio.Event().wait()

    async def work(number: int) -> int:
        return number

    async with running(tmp_path, orchestrators, {"work": hangs}) as hub:
        hub.start("parent", None, "its-id")
        await hub.has("child", Status.RUNNING)
    async with running(tmp_path, orchestrators, {"work": work}) as hub:
        assert output(await hub.ended("its-id")) == 3
        assert hub.client.get("child").status is Status.COMPLETED


async def test_orchestrations_that_are_cut_off_again_and_again_still_end(tmp_path: Path) -> None:
    done: Counter[int] = Counter()

    async def work(number: int) -> int:
        await asyncio.sleep(0.002)
        done[number] += 1
        return number

    async with running(tmp_path, {"fan_out": fan_out}, {"work": work}) as hub:
        hub.start("fan_out", 60, "its-id")
    for _ in range(50):
        async with running(tmp_path, {"fan_out": fan_out}, {"work": work}) as hub:
            await asyncio.sleep(0.01)  # a host's life
            if hub.client.get("its-id").status.is_terminal:
                break
    async with running(tmp_path, {"fan_out": fan_out}, {"work": work}) as hub:
        assert output(await hub.ended("its-id")) == sum(range(60))
        assert hub.kinds("its-id").count(Kind.TASK_COMPLETED) == 60
    assert set(done) == set(range(60))
