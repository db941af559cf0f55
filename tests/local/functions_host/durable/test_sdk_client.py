"""The SDK's own client against the host, through the data of its binding."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

import azure.durable_functions as df
import azure.functions as func
import pytest
from azure.durable_functions.models.utils import http_utils

from tests.support.durable_host import Api, HostProcess

# aiohttp warns the SDK that newer versions of Python need no clean-up of closed connections
pytestmark = pytest.mark.filterwarnings("ignore:enable_cleanup_closed")
State = df.OrchestrationRuntimeStatus


@pytest.fixture
async def client(api: Api, host: HostProcess) -> AsyncIterator[Any]:
    binding = await api.plain("GET", f"{host.url}/api/binding")
    yield df.DurableOrchestrationClient(binding.body)
    await cast(Any, http_utils)._close_session()  # the SDK keeps one for the life of the process


async def ended(api: Api, client: Any, name: str, input_: Any = None) -> str:
    """Id of an instance that was started by the SDK, and has ended."""
    instance_id = await client.start_new(name, client_input=input_)
    await api.wait(instance_id)
    return instance_id


async def test_an_input_of_any_kind_arrives_as_it_was_given(api: Api, client: Any) -> None:
    for value in (["Ann", "Bob"], {"a": {"b": None}}, "text", 5, True):
        status = await client.get_status(await ended(api, client, "echo", value))
        assert status.output == value
    assert (await client.get_status(await ended(api, client, "echo"))).output is None


async def test_a_status_has_its_fields(api: Api, client: Any) -> None:
    instance_id = await client.start_new("waits", "sdk status", {"a": 1})
    await api.wait(instance_id, "Running")
    status = await client.get_status(instance_id, show_input=True)
    assert status
    assert (status.name, status.instance_id, status.runtime_status) == (
        "waits",
        "sdk status",
        State.Running,
    )
    assert (json.loads(status.input_), status.output) == ({"a": 1}, None)
    assert status.custom_status == {"waiting for": "go"}
    assert abs((datetime.now(UTC) - status.created_time).total_seconds()) < 60
    assert status.last_updated_time >= status.created_time


async def test_a_status_of_nothing_is_empty(client: Any) -> None:
    status = await client.get_status("nobody")
    assert not status
    assert status.runtime_status is None


async def test_a_history_has_results_where_they_are_asked_for(api: Api, client: Any) -> None:
    instance_id = await ended(api, client, "greet", ["Ann"])
    status = await client.get_status(instance_id, show_history=True, show_history_output=True)
    assert [entry["EventType"] for entry in status.historyEvents] == [
        "ExecutionStarted",
        "TaskCompleted",
        "ExecutionCompleted",
    ]
    assert status.historyEvents[1]["Result"] == "Hello Ann!"


async def test_what_cannot_start_raises_with_the_reason(client: Any) -> None:
    with pytest.raises(
        Exception,
        match="The function 'great' doesn't exist, is disabled, or is not an orchestrator",
    ):
        await client.start_new("great")
    with pytest.raises(Exception, match="must not contain"):
        await client.start_new("echo", "a%5Cb")
    await client.start_new("waits", "sdk-runs")
    with pytest.raises(Exception, match="already exists"):
        await client.start_new("waits", "sdk-runs")


async def test_an_event_carries_its_data(api: Api, client: Any) -> None:
    instance_id = await client.start_new("waits")
    await client.raise_event(instance_id, "go", {"approved": True})
    # encoded twice: by the SDK, then by its HTTP client (Azure/azure-functions-durable-python#295)
    assert json.loads((await api.wait(instance_id))["output"]) == {"approved": True}
    with pytest.raises(Exception, match="is gone"):
        await client.raise_event(instance_id, "go")
    with pytest.raises(Exception, match="No instance"):
        await client.raise_event("nobody", "go")


async def test_orders_are_obeyed(api: Api, client: Any) -> None:
    instance_id = await client.start_new("waits")
    await client.suspend(instance_id, "a reason")
    await api.wait(instance_id, "Suspended")
    await client.resume(instance_id, "another")
    await api.wait(instance_id, "Running")
    await client.terminate(instance_id, "no longer & not now")
    assert (await api.wait(instance_id))["output"] == "no longer & not now"
    for order in (client.suspend, client.resume, client.terminate):
        await order(instance_id, "it has ended")  # which the SDK takes for done
        with pytest.raises(Exception, match="No instance"):
            await order("nobody", "")


async def test_links_for_people_are_not_the_secret_ones_of_the_app(
    api: Api, host: HostProcess, client: Any
) -> None:
    instance_id = await client.start_new("waits")
    links = client.create_http_management_payload(instance_id)
    assert links["id"] == instance_id
    assert all(
        url.startswith(f"{host.url}/runtime/webhooks/")
        for name, url in links.items()
        if name != "id"
    )
    assert (await api.plain("GET", links["statusQueryGetUri"])).status == 202
    elsewhere = func.HttpRequest("POST", "https://functions.example/api/start", body=b"")
    seen_from_there = client.get_client_response_links(elsewhere, instance_id)
    assert urlsplit(str(seen_from_there["terminatePostUri"])).netloc == "functions.example"
