"""Activities under the engine: fan-out, retries, failures, how many at a time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest

from local.functions_host.durable.events import Kind
from local.functions_host.durable.functions import Limits
from local.functions_host.errors import FunctionTimeout
from tests.support.durable_hub import Gauge, failure, output, running
from tests.support.durable_simulation import Orchestrator, Steps

SOON = df.RetryOptions(first_retry_interval_in_milliseconds=10, max_number_of_attempts=3)


def fan_out(context: Any) -> Steps:
    numbers = range(context.get_input())
    results = yield context.task_all(
        [context.call_activity("double", number) for number in numbers]
    )
    return (yield context.call_activity("add_up", results))


async def double(number: int) -> int:
    return 2 * number


async def add_up(numbers: list[int]) -> int:
    return sum(numbers)


def calling(activity: str, payload: Any = None) -> Orchestrator:
    """An orchestrator that calls one activity, with retries, and returns its result."""

    def orchestrator(context: Any) -> Steps:
        return (yield context.call_activity_with_retry(activity, SOON, payload))

    return orchestrator


async def test_results_of_a_fan_out_come_together(tmp_path: Path) -> None:
    async with running(tmp_path, {"fan_out": fan_out}, {"double": double, "add_up": add_up}) as hub:
        assert output(await hub.run("fan_out", 5)) == 20


async def test_two_hundred_activities_are_no_problem(tmp_path: Path) -> None:
    ran: Counter[int] = Counter()

    async def counted(number: int) -> int:
        ran[number] += 1
        return 2 * number

    async with running(
        tmp_path, {"fan_out": fan_out}, {"double": counted, "add_up": add_up}
    ) as hub:
        assert output(await hub.run("fan_out", 200)) == 2 * sum(range(200))
    assert ran == Counter(range(200))


async def test_an_activity_that_fails_is_tried_again_until_it_succeeds(tmp_path: Path) -> None:
    inputs: list[Any] = []

    async def flaky(value: Any) -> str:
        inputs.append(value)
        if len(inputs) < 3:
            raise ConnectionError("not yet")
        return "at last"

    async with running(tmp_path, {"one": calling("flaky", {"shard": 7})}, {"flaky": flaky}) as hub:
        assert output(await hub.run("one")) == "at last"
    assert inputs == [{"shard": 7}] * 3


async def test_when_every_attempt_fails_the_orchestration_does_with_the_last_message(
    tmp_path: Path,
) -> None:
    attempts: list[int] = []

    async def broken(_: Any) -> None:
        attempts.append(len(attempts))
        raise ConnectionError(f"attempt {len(attempts)}")

    async with running(tmp_path, {"one": calling("broken")}, {"broken": broken}) as hub:
        message = failure(await hub.run("one"))
    assert message.startswith("Orchestrator function 'one' failed: ")
    assert "Activity function 'broken' failed:  ConnectionError: attempt 3" in message
    assert len(attempts) == 3


async def test_an_activity_that_runs_out_of_time_has_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow(_: Any) -> None:
        raise FunctionTimeout("slow", 0.5)

    async with running(tmp_path, {"one": calling("slow")}, {"slow": slow}) as hub:
        assert "ran longer than functionTimeout" in failure(
            await hub.run("one", instance_id="its-id")
        )
    assert "activity slow of its-id failed" in caplog.text


async def test_an_unknown_activity_is_a_failure_that_the_orchestrator_can_take(
    tmp_path: Path,
) -> None:
    def orchestrator(context: Any) -> Steps:
        try:
            yield context.call_activity("dubble")
        except Exception as error:
            return str(error)

    async with running(tmp_path, {"one": orchestrator}, {"double": double}) as hub:
        assert "the function 'dubble' doesn't exist" in output(await hub.run("one"))


async def test_completions_that_come_together_are_taken_in_together(tmp_path: Path) -> None:
    both = asyncio.Barrier(2)

    async def meet(number: int) -> int:
        await both.wait()
        return number

    def orchestrator(context: Any) -> Steps:
        return (
            yield context.task_all([context.call_activity("meet", number) for number in range(2)])
        )

    async with running(tmp_path, {"one": orchestrator}, {"meet": meet}) as hub:
        ended = await hub.run("one")
        assert output(ended) == [0, 1]
        episodes = [past["EventType"] for past in hub.client.history(ended.instance_id)].count(
            Kind.ORCHESTRATOR_STARTED
        )
        assert episodes == 2


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_activities_run_at_a_time_than_host_json_allows(
    tmp_path: Path, limit: int
) -> None:
    gauge = Gauge()

    async def counted(number: int) -> int:
        async with gauge:
            return number

    activities = {"double": counted, "add_up": add_up}
    async with running(tmp_path, {"fan_out": fan_out}, activities, Limits(activities=limit)) as hub:
        both = [hub.start("fan_out", 6), hub.start("fan_out", 6)]
        assert [output(await hub.ended(instance_id)) for instance_id in both] == [15, 15]
    assert gauge.most == limit


async def test_activities_run_in_the_order_in_which_they_were_scheduled(tmp_path: Path) -> None:
    order: list[int] = []

    async def note(number: int) -> int:
        order.append(number)
        return number

    activities = {"double": note, "add_up": add_up}
    async with running(tmp_path, {"fan_out": fan_out}, activities, Limits(activities=1)) as hub:
        await hub.run("fan_out", 20)
    assert order == list(range(20))


async def test_history_tells_of_each_activity_what_went_in_and_came_out(tmp_path: Path) -> None:
    async with running(tmp_path, {"one": calling("double", 21)}, {"double": double}) as hub:
        ended = await hub.run("one")
        started, scheduled, done, completed = hub.history(ended.instance_id)
    assert (started["EventType"], started["Name"], started["Input"]) == (
        Kind.EXECUTION_STARTED,
        "one",
        ended.input,
    )
    assert (scheduled["EventId"], scheduled["Name"], json.loads(scheduled["Input"])) == (
        0,
        "double",
        ["21"],
    )
    assert (done["TaskScheduledId"], done["Result"]) == (0, "42")
    assert (completed["EventType"], completed["Result"]) == (Kind.EXECUTION_COMPLETED, "42")
