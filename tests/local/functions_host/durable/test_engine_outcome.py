"""What becomes of orchestrators that fail, report, or are no longer what they were."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest

from local.functions_host.durable.events import Kind, Status
from tests.support.durable_hub import failure, output, running
from tests.support.durable_simulation import Orchestrator, Steps


async def nothing(_: Any) -> None:
    return None


def calling(*names: str) -> Orchestrator:
    def orchestrator(context: Any) -> Steps:
        for name in names:
            yield context.call_activity(name)
        yield context.wait_for_external_event("go")

    return orchestrator


async def test_an_exception_fails_the_orchestration_with_its_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(context: Any) -> Steps:
        yield context.call_activity("nothing")
        raise ValueError("shard 3 has no rows")

    async with running(tmp_path, {"broken": broken}, {"nothing": nothing}) as hub:
        ended = await hub.run("broken", instance_id="its-id")
        assert failure(ended) == "Orchestrator function 'broken' failed: shard 3 has no rows"
        completed = hub.history("its-id")[-1]
    assert (completed["EventType"], completed["OrchestrationStatus"]) == (
        Kind.EXECUTION_COMPLETED,
        3,
    )
    assert "Orchestrator function 'broken' failed: shard 3 has no rows (its-id)" in caplog.text


async def test_the_custom_status_can_be_read_while_it_runs_and_when_it_has_failed(
    tmp_path: Path,
) -> None:
    def staged(context: Any) -> Steps:
        context.set_custom_status({"stage": "waiting"})
        yield context.wait_for_external_event("go")
        context.set_custom_status({"stage": "failing"})
        raise ValueError("no")

    async with running(tmp_path, {"staged": staged}) as hub:
        instance_id = hub.start("staged")
        await hub.has(instance_id, Status.RUNNING)
        assert json.loads(hub.client.get(instance_id).custom_status or "") == {"stage": "waiting"}
        hub.raise_event(instance_id, "go")
        ended = await hub.ended(instance_id)
    assert failure(ended)
    assert json.loads(ended.custom_status or "") == {"stage": "failing"}


async def test_an_orchestrator_that_is_no_generator_completes_at_once(tmp_path: Path) -> None:
    def plain(context: Any) -> str:
        return f"hello {context.get_input()}"

    async with running(tmp_path, {"plain": plain}) as hub:
        assert output(await hub.run("plain", "you")) == "hello you"


async def test_an_orchestrator_that_cannot_be_run_at_all_has_failed(tmp_path: Path) -> None:
    async def unreachable(name: str, context: str) -> str:
        raise OSError("the function's module is gone")

    async with running(tmp_path, {"one": nothing_at_all}, orchestrate=unreachable) as hub:
        message = failure(await hub.run("one"))
    assert message == "Orchestrator function 'one' failed: OSError: the function's module is gone"


async def test_an_answer_that_is_no_answer_is_a_failure_too(tmp_path: Path) -> None:
    async def mute(name: str, context: str) -> str:
        return "None"

    async with running(tmp_path, {"one": nothing_at_all}, orchestrate=mute) as hub:
        assert "JSONDecodeError" in failure(await hub.run("one"))


def nothing_at_all(context: Any) -> Steps:
    yield from ()


async def test_an_orchestrator_that_was_renamed_fails_clearly_where_it_is_under_way(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, {"old": calling("nothing")}, {"nothing": nothing}) as hub:
        hub.start("old", instance_id="its-id")
        await hub.has("its-id", Status.RUNNING)
    async with running(tmp_path, {"new": calling("nothing")}, {"nothing": nothing}) as hub:
        hub.raise_event("its-id", "go")
        message = failure(await hub.ended("its-id"))
    assert (
        "Orchestrator function 'old' failed: the function 'old' doesn't exist, is disabled"
        in message
    )


async def test_an_orchestrator_that_was_changed_under_way_fails_and_says_how(
    tmp_path: Path,
) -> None:
    async def hangs(_: Any) -> None:
        await asyncio.Event().wait()

    async with running(tmp_path, {"one": calling("nothing")}, {"nothing": hangs}) as hub:
        hub.start("one", instance_id="its-id")
        await hub.has("its-id", Status.RUNNING)
    async with running(tmp_path, {"one": calling("check", "nothing")}, {"nothing": nothing}) as hub:
        message = failure(await hub.ended("its-id"))
    assert (
        "not deterministic: history has TaskScheduled nothing with id 0,"
        " now it is TaskScheduled check" in message
    )


async def test_what_this_host_does_not_do_fails_the_orchestration_by_name(tmp_path: Path) -> None:
    def counts(context: Any) -> Steps:
        yield context.call_entity(df.EntityId("counter", "one"), "add", 1)

    async with running(tmp_path, {"counts": counts}) as hub:
        message = failure(await hub.run("counts"))
    assert (
        message
        == "Orchestrator function 'counts' failed: call_entity is not supported by this host"
    )
