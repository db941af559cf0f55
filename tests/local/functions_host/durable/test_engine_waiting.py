"""Timers, external events and new beginnings under the engine."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.durable.events import Kind, Status
from tests.support.durable_hub import functions, output, running, until
from tests.support.durable_simulation import Steps

early = pytest.mark.filterwarnings("ignore:Potential duplicate Task completion")
FOREVER = timedelta(hours=1)


def after(context: Any, time: timedelta) -> Any:
    return context.create_timer(context.current_utc_datetime + time)


async def test_a_timer_wakes_its_orchestrator_no_sooner_than_it_should(tmp_path: Path) -> None:
    def nap(context: Any) -> Steps:
        begun = context.current_utc_datetime
        yield after(context, timedelta(milliseconds=50))
        return (context.current_utc_datetime - begun).total_seconds()

    async with running(tmp_path, {"nap": nap}) as hub:
        assert 0.05 <= output(await hub.run("nap")) < 5


async def test_a_timer_of_the_past_fires_at_once(tmp_path: Path) -> None:
    def late(context: Any) -> Steps:
        yield after(context, timedelta(days=-365 * 60))
        return "over"

    async with running(tmp_path, {"late": late}) as hub:
        assert output(await hub.run("late")) == "over"


async def test_an_orchestration_with_a_cancelled_timer_ends_before_the_timer_would(
    tmp_path: Path,
) -> None:
    def race(context: Any) -> Steps:
        timer = after(context, FOREVER)
        wait = context.wait_for_external_event("go")
        winner = yield context.task_any([timer, wait])
        timer.cancel()
        return winner.result

    async with running(tmp_path, {"race": race}) as hub:
        instance_id = hub.start("race")
        await hub.has(instance_id, Status.RUNNING)
        hub.raise_event(instance_id, "go", "won")
        assert output(await hub.ended(instance_id)) == "won"
        assert hub.store.next_due(0.0) is None, "its timer is gone"


async def test_an_event_goes_to_the_instance_that_waits_for_it(tmp_path: Path) -> None:
    def waits(context: Any) -> Steps:
        return (yield context.wait_for_external_event("go"))

    async with running(tmp_path, {"waits": waits}) as hub:
        ids = [hub.start("waits") for _ in range(2)]
        for instance_id in ids:
            await hub.has(instance_id, Status.RUNNING)
        hub.raise_event(ids[1], "go", {"approved": True})
        assert output(await hub.ended(ids[1])) == {"approved": True}
        assert hub.client.get(ids[0]).status is Status.RUNNING


@early
async def test_an_event_for_an_orchestration_that_has_not_begun_is_kept(tmp_path: Path) -> None:
    async def prepare(_: Any) -> str:
        return "prepared"

    def waits(context: Any) -> Steps:
        yield context.call_activity("prepare")
        return (yield context.wait_for_external_event("go"))

    async with running(tmp_path, {"waits": waits}, {"prepare": prepare}) as hub:
        instance_id = hub.start("waits")
        hub.raise_event(instance_id, "go", "early")
        assert output(await hub.ended(instance_id)) == "early"


def rounds(context: Any) -> Steps:
    """Count up to three, each in a new execution that leaves an endless timer behind."""
    number = context.get_input()
    context.set_custom_status({"round": number})
    timer = after(context, timedelta(milliseconds=30))
    wait = context.wait_for_external_event("never")
    yield context.task_any([after(context, FOREVER), timer, wait])
    if number < 3:
        context.continue_as_new(number + 1)
        return None
    return number


async def test_a_new_beginning_has_an_execution_and_a_history_of_its_own(tmp_path: Path) -> None:
    app_functions = functions({"rounds": rounds}, {})
    executions = dict[str, int]()

    async def noted(name: str, context: str) -> str:
        [begun] = [
            past
            for past in json.loads(context)["history"]
            if past["EventType"] == Kind.EXECUTION_STARTED
        ]
        executions[begun["OrchestrationInstance"]["ExecutionId"]] = json.loads(begun["Input"])
        return await app_functions.orchestrate(name, context)

    async with running(tmp_path, {"rounds": rounds}, orchestrate=noted) as hub:
        instance_id = hub.start("rounds", 1)
        created = hub.client.get(instance_id).created
        ended = await hub.ended(instance_id)
        assert output(ended) == 3
        assert list(executions.values()) == ["1", "2", "3"]
        assert (ended.input, ended.custom_status) == (json.dumps("3"), json.dumps({"round": 3}))
        assert ended.created == created
        kinds = [
            Kind.EXECUTION_STARTED,
            *[Kind.TIMER_CREATED] * 2,
            Kind.TIMER_FIRED,
            Kind.EXECUTION_COMPLETED,
        ]
        assert hub.kinds(instance_id) == kinds


async def test_timers_of_an_execution_that_is_over_do_not_fire(tmp_path: Path) -> None:
    def first_then_second(context: Any) -> Steps:
        wait = context.wait_for_external_event("go")
        if context.get_input() == "first":
            yield context.task_any([wait, after(context, timedelta(milliseconds=100))])
            context.continue_as_new("second")
            return None
        yield context.task_any([wait, after(context, FOREVER)])
        return "over"

    async with running(tmp_path, {"two": first_then_second}) as hub:
        instance_id = hub.start("two", "first")
        await hub.has(instance_id, Status.RUNNING)
        hub.raise_event(instance_id, "go")
        await until(
            lambda: (
                Kind.TIMER_CREATED in hub.kinds(instance_id)
                and "second" in (hub.client.get(instance_id).input or "")
            )
        )
        await asyncio.sleep(0.15)  # until well after the first execution's timer
        assert hub.client.get(instance_id).status is Status.RUNNING
        assert hub.kinds(instance_id) == [Kind.EXECUTION_STARTED, Kind.TIMER_CREATED]
        hub.raise_event(instance_id, "go")
        assert output(await hub.ended(instance_id)) == "over"


async def test_an_activity_of_an_execution_that_is_over_tells_nobody(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slow(number: int) -> int:
        await gate.wait()
        return number

    def two(context: Any) -> Steps:
        call = context.call_activity("slow", context.get_input())
        winner = yield context.task_any([call, context.wait_for_external_event("go")])
        if context.get_input() == 1:
            context.continue_as_new(2)
            return None
        return winner.result

    async with running(tmp_path, {"two": two}, {"slow": slow}) as hub:
        instance_id = hub.start("two", 1)
        await until(lambda: Kind.TASK_SCHEDULED in hub.kinds(instance_id))
        first = hub.client.get(instance_id).execution_id
        hub.raise_event(instance_id, "go")
        await until(lambda: hub.client.get(instance_id).execution_id != first)
        gate.set()
        assert output(await hub.ended(instance_id)) == 2


def collect(context: Any) -> Steps:
    """Two numbers, each in an execution of its own."""
    seen = [*context.get_input(), (yield context.wait_for_external_event("number"))]
    if len(seen) == 1:
        context.continue_as_new(seen)
        return None
    return seen


async def test_an_event_that_arrives_during_a_new_beginning_is_not_lost(tmp_path: Path) -> None:
    app_functions = functions({"collect": collect}, {})
    under_way = asyncio.Event()
    gate = asyncio.Event()

    async def slow(name: str, context: str) -> str:
        if '"Name": "number"' in context:
            under_way.set()
            await gate.wait()
        return await app_functions.orchestrate(name, context)

    async with running(tmp_path, {"collect": collect}, orchestrate=slow) as hub:
        instance_id = hub.start("collect", [])
        await hub.has(instance_id, Status.RUNNING)
        hub.raise_event(instance_id, "number", 1)
        await under_way.wait()
        hub.raise_event(instance_id, "number", 2)
        gate.set()
        assert output(await hub.ended(instance_id)) == [1, 2]


@early
async def test_an_event_that_was_taken_in_too_early_does_not_outlive_its_execution(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, {"collect": collect}) as hub:
        instance_id = hub.start("collect", [])
        for number in (1, 2):
            hub.raise_event(instance_id, "number", number)
        await until(lambda: "1" in (hub.client.get(instance_id).input or ""))
        await hub.has(instance_id, Status.RUNNING)
        hub.raise_event(instance_id, "number", 3)
        assert output(await hub.ended(instance_id)) == [1, 3]
