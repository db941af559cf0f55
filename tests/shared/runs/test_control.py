"""How running activities learn that their run is cancelled, paused or steered."""

from __future__ import annotations

from typing import Any

import pytest

from shared.runs.control import RunWatch
from tests.support.activities import DurableClient


async def stopped(*statuses: dict[str, Any]) -> bool:
    """Whether work for orchestrations `0`, `1`, … with these statuses should end."""
    client: Any = DurableClient({str(number): status for number, status in enumerate(statuses)})
    run_id, *parts = map(str, range(len(statuses)))
    return await RunWatch(client, run_id, parts).is_stopped()


@pytest.mark.parametrize("runtime", ["Completed", "Failed", "Terminated", "Canceled"])
async def test_an_orchestration_that_has_ended_stops_the_work(runtime: str) -> None:
    assert await stopped({"runtimeStatus": "Running"}, {"runtimeStatus": runtime})


@pytest.mark.parametrize("runtime", ["Running", "Pending", "Suspended", "ContinuedAsNew"])
async def test_one_that_goes_on_does_not(runtime: str) -> None:
    assert not await stopped(
        {"runtimeStatus": runtime, "customStatus": {"stopping": False, "stage": "generate"}}
    )


async def test_one_that_announces_its_stop_stops_the_work() -> None:
    assert await stopped({"runtimeStatus": "Running", "customStatus": {"stopping": True}})


@pytest.mark.parametrize("custom", [None, "stopping", ["stopping"], 7])
async def test_a_custom_status_of_another_form_means_nothing(custom: Any) -> None:
    assert not await stopped({"runtimeStatus": "Running", "customStatus": custom})


async def test_an_orchestration_that_does_not_exist_yet_does_not_stop_the_work() -> None:
    assert not await stopped({})


async def test_a_hub_that_cannot_be_reached_does_not_stop_the_work() -> None:
    client: Any = DurableClient(breaks=ConnectionError("no hub"))
    assert not await RunWatch(client, "any").is_stopped()


async def test_a_paused_run_ends_the_work_for_now_but_is_not_stopped() -> None:
    client: Any = DurableClient({"run": {"runtimeStatus": "Suspended"}})
    watch = RunWatch(client, "run")
    assert await watch.must_end()
    assert watch.is_paused
    assert not await watch.is_stopped()


async def test_the_number_of_shards_that_the_user_wants_is_remembered() -> None:
    client: Any = DurableClient({"run": {"customStatus": {"parallel_shards": 3}}})
    watch = RunWatch(client, "run")
    assert not await watch.must_end()
    client.statuses = {}
    assert not await watch.must_end()
    assert watch.parallel == 3
