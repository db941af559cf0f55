"""The look that working activities take at the orchestrations they work for."""

from __future__ import annotations

from typing import Any

import pytest

from activities.stopping import is_stopped
from tests.support.activities import DurableClient


async def stopped(*statuses: dict[str, Any]) -> bool:
    """Whether work for orchestrations `0`, `1`, … with these statuses should end."""
    client: Any = DurableClient({str(number): status for number, status in enumerate(statuses)})
    return await is_stopped(client, *map(str, range(len(statuses))))


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
    assert not await is_stopped(client, "any")
