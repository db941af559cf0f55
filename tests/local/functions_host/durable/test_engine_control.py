"""Terminate, suspend, resume: orders that an orchestrator has no say in."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.durable.client import InstanceOver, NoInstance
from local.functions_host.durable.events import Kind, Status
from tests.support.durable_hub import Hub, functions, output, running, until
from tests.support.durable_simulation import Steps


def waits(context: Any) -> Steps:
    first = yield context.wait_for_external_event("first")
    second = yield context.wait_for_external_event("second")
    return [first, second]


async def waiting(hub: Hub, instance_id: str = "its-id", name: str = "waits") -> None:
    """An instance that has begun, and waits."""
    hub.start(name, None, instance_id)
    await hub.has(instance_id, Status.RUNNING)


async def test_a_terminated_orchestration_ends_with_the_reason(tmp_path: Path) -> None:
    async with running(tmp_path, {"waits": waits}) as hub:
        await waiting(hub)
        hub.client.terminate("its-id", "not needed")
        ended = await hub.ended("its-id")
        assert (ended.status, ended.output) == (Status.TERMINATED, "not needed")
        assert hub.kinds("its-id")[-1] is Kind.EXECUTION_TERMINATED
        with pytest.raises(InstanceOver):
            hub.raise_event("its-id", "first")


async def test_an_orchestration_may_be_terminated_before_it_begins(tmp_path: Path) -> None:
    async with running(tmp_path, {"waits": waits}) as hub:
        hub.start("waits", None, "its-id")
        hub.client.terminate("its-id", "")
        assert (await hub.ended("its-id")).status is Status.TERMINATED
        assert hub.kinds("its-id") == [Kind.EXECUTION_TERMINATED]


async def test_an_activity_that_runs_during_a_termination_ends_and_changes_nothing(
    tmp_path: Path,
) -> None:
    begun = asyncio.Event()
    gate = asyncio.Event()
    ended = asyncio.Event()

    async def slow(_: Any) -> str:
        begun.set()
        await gate.wait()
        ended.set()
        return "too late"

    def calls(context: Any) -> Steps:
        return (yield context.call_activity("slow"))

    async with running(tmp_path, {"calls": calls}, {"slow": slow}) as hub:
        hub.start("calls", None, "its-id")
        await begun.wait()
        hub.client.terminate("its-id", "enough")
        assert (await hub.ended("its-id")).status is Status.TERMINATED
        gate.set()
        await ended.wait()
        await until(lambda: not hub.store.waiting(after=0, limit=1) and not hub.store.ready(0.0))
        assert (hub.client.get("its-id").status, hub.client.get("its-id").output) == (
            Status.TERMINATED,
            "enough",
        )
        assert Kind.TASK_COMPLETED not in hub.kinds("its-id")


async def test_a_termination_during_an_episode_comes_after_it(tmp_path: Path) -> None:
    begun = asyncio.Event()
    gate = asyncio.Event()

    async def slow(name: str, context: str) -> str:
        begun.set()
        await gate.wait()
        actions = '[[{"actionType": 6, "externalEventName": "go"}]]'
        return f'{{"isDone": false, "actions": {actions}, "schemaVersion": 2}}'

    async with running(tmp_path, {"waits": waits}, orchestrate=slow) as hub:
        hub.start("waits", None, "its-id")
        await begun.wait()
        hub.client.terminate("its-id", "enough")
        gate.set()
        assert (await hub.ended("its-id")).status is Status.TERMINATED
        assert hub.kinds("its-id") == [Kind.EXECUTION_STARTED, Kind.EXECUTION_TERMINATED]


async def test_nothing_moves_while_suspended_and_nothing_is_lost(tmp_path: Path) -> None:
    gate = asyncio.Event()
    ended = asyncio.Event()

    async def slow(_: Any) -> str:
        await gate.wait()
        ended.set()
        return "worked"

    def all_three(context: Any) -> Steps:
        soon = context.create_timer(context.current_utc_datetime + timedelta(milliseconds=50))
        results = yield context.task_all(
            [context.call_activity("slow"), soon, context.wait_for_external_event("first")]
        )
        return [results[0], results[2]]

    async with running(tmp_path, {"all": all_three}, {"slow": slow}) as hub:
        await waiting(hub, name="all")
        before = hub.kinds("its-id")
        hub.client.suspend("its-id", "hold on")
        await hub.has("its-id", Status.SUSPENDED)
        gate.set()
        hub.raise_event("its-id", "first", "raised")
        await ended.wait()
        await asyncio.sleep(0.1)  # the timer falls due
        assert hub.client.get("its-id").status is Status.SUSPENDED
        assert hub.kinds("its-id") == [*before, Kind.EXECUTION_SUSPENDED]
        hub.client.resume("its-id", "go on")
        assert output(await hub.ended("its-id")) == ["worked", "raised"]


async def test_one_resume_undoes_any_number_of_suspensions(tmp_path: Path) -> None:
    async with running(tmp_path, {"waits": waits}) as hub:
        await waiting(hub)
        for _ in range(2):
            hub.client.suspend("its-id", "")
            await hub.has("its-id", Status.SUSPENDED)
        hub.client.resume("its-id", "")
        for name in ("first", "second"):
            hub.raise_event("its-id", name, name)
            await until(
                lambda expected=name: any(
                    past.get("Name") == expected for past in hub.history("its-id")
                )
            )
        assert output(await hub.ended("its-id")) == ["first", "second"]


async def test_a_suspended_orchestration_can_be_terminated(tmp_path: Path) -> None:
    async with running(tmp_path, {"waits": waits}) as hub:
        await waiting(hub)
        hub.client.suspend("its-id", "")
        await hub.has("its-id", Status.SUSPENDED)
        hub.client.terminate("its-id", "never mind")
        assert (await hub.ended("its-id")).status is Status.TERMINATED


async def test_an_orchestration_that_is_suspended_before_it_begins_begins_when_resumed(
    tmp_path: Path,
) -> None:
    def plain(context: Any) -> str:
        return "begun"

    begun = asyncio.Event()
    gate = asyncio.Event()
    app_functions = functions({"plain": plain}, {})

    async def slow(name: str, context: str) -> str:
        begun.set()
        await gate.wait()
        return await app_functions.orchestrate(name, context)

    async with running(tmp_path, {"plain": plain}, orchestrate=slow) as hub:
        hub.start("plain", None, "its-id")
        hub.client.suspend("its-id", "")
        await hub.has("its-id", Status.SUSPENDED)
        assert hub.kinds("its-id") == [Kind.EXECUTION_SUSPENDED]
        hub.client.resume("its-id", "")
        await begun.wait()
        assert hub.client.get("its-id").status is Status.PENDING
        gate.set()
        assert output(await hub.ended("its-id")) == "begun"


async def test_a_suspension_outlives_the_host(tmp_path: Path) -> None:
    async with running(tmp_path, {"waits": waits}) as hub:
        await waiting(hub)
        hub.client.suspend("its-id", "")
        await hub.has("its-id", Status.SUSPENDED)
        hub.raise_event("its-id", "first", 1)
    async with running(tmp_path, {"waits": waits}) as hub:
        await asyncio.sleep(0.05)  # for what must not happen
        assert hub.client.get("its-id").status is Status.SUSPENDED
        hub.client.resume("its-id", "")
        await until(lambda: Kind.EVENT_RAISED in hub.kinds("its-id"))
        hub.raise_event("its-id", "second", 2)
        assert output(await hub.ended("its-id")) == [1, 2]


async def test_orders_to_what_does_not_exist_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path, {"waits": waits}) as hub:
        for order in (hub.client.terminate, hub.client.suspend, hub.client.resume):
            with pytest.raises(NoInstance):
                order("nobody", "")
