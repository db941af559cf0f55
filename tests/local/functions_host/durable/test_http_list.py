"""`GET` and `DELETE …/instances`: filters, pages, and purging by filter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from local.functions_host.durable.webhooks import CONTINUATION
from tests.support.durable_host import Answer, Api


async def listed(api: Api, **params: str) -> list[str]:
    answer = await api.ask("GET", "instances", params=params)
    assert answer.status == 200
    return ids(answer)


def ids(answer: Answer) -> list[str]:
    return [status["instanceId"] for status in answer.body]


def now() -> str:
    return datetime.now(UTC).isoformat()


async def test_a_listing_has_the_fields_of_a_status(api: Api) -> None:
    done = await api.run("echo", 1, "listing-one")
    answer = await api.ask("GET", "instances", params={"instanceIdPrefix": "listing-"})
    assert answer.body == [done]


async def test_a_listing_leaves_inputs_out_where_they_are_declined(api: Api) -> None:
    await api.run("echo", 1, "declined-one")
    answer = await api.ask(
        "GET", "instances/", params={"instanceIdPrefix": "declined-", "showInput": "false"}
    )
    assert [(status["input"], status["output"]) for status in answer.body] == [(None, 1)]


async def test_a_listing_finds_by_status(api: Api) -> None:
    await api.run("echo", 1, "by-status-done")
    await api.run("fails", None, "by-status-failed")
    await api.start("waits", None, "by-status-waits")
    await api.wait("by-status-waits", "Running")
    prefix = {"instanceIdPrefix": "by-status-"}
    assert await listed(api, **prefix) == ["by-status-done", "by-status-failed", "by-status-waits"]
    assert await listed(api, **prefix, runtimeStatus="Running") == ["by-status-waits"]
    assert await listed(api, **prefix, runtimeStatus="Completed,Failed") == [
        "by-status-done",
        "by-status-failed",
    ]
    assert await listed(api, **prefix, runtimeStatus="Terminated") == []
    assert len(await listed(api, **prefix, runtimeStatus="Nonsense")) == 3
    repeated: Any = [*prefix.items(), ("runtimeStatus", "Running"), ("runtimeStatus", "Failed")]
    answer = await api.ask("GET", "instances", params=repeated)
    assert ids(answer) == ["by-status-failed", "by-status-waits"]


async def test_a_listing_finds_by_the_time_of_creation(api: Api) -> None:
    prefix = {"instanceIdPrefix": "by-time-"}
    before = now()
    await api.run("echo", 1, "by-time-1")
    between = now()
    await api.run("echo", 1, "by-time-2")
    after = now()
    assert await listed(api, **prefix, createdTimeFrom=before, createdTimeTo=after) == [
        "by-time-1",
        "by-time-2",
    ]
    assert await listed(api, **prefix, createdTimeFrom=between) == ["by-time-2"]
    assert await listed(api, **prefix, createdTimeTo=between.replace("+00:00", "Z")) == [
        "by-time-1"
    ]
    assert await listed(api, **prefix, createdTimeFrom=after) == []
    assert len(await listed(api, **prefix, createdTimeFrom="yesterday")) == 2


async def test_pages_follow_each_other_by_their_tokens(api: Api) -> None:
    names = [f"page-{number} ü" for number in range(5)]
    for name in names:
        await api.run("echo", 1, name)
    listed: list[str] = []
    token = ""
    for _ in range(3):
        params = {"instanceIdPrefix": "page-", "top": "2"}
        answer = await api.ask("GET", "instances", params=params, headers={CONTINUATION: token})
        listed += ids(answer)
        token = answer.headers[CONTINUATION]
    assert listed == names
    assert token == "", "there is no further page"


@pytest.mark.parametrize("top", ["", "0", "x", "nan", "inf", "-3", "2.5", "9" * 30])
async def test_a_page_size_that_is_none_is_ignored(api: Api, top: str) -> None:
    await api.run("echo", 1, "size-one")
    assert await listed(api, instanceIdPrefix="size-", top=top) == ["size-one"]


async def test_purging_by_filter_deletes_what_has_ended_since(api: Api) -> None:
    await api.run("echo", 1, "purged-before")
    since = now()
    await api.run("echo", 1, "purged-done")
    await api.run("fails", None, "purged-failed")
    await api.start("waits", None, "purged-waits")
    failed = await api.ask(
        "DELETE", "instances", params={"createdTimeFrom": since, "runtimeStatus": "Failed"}
    )
    assert (failed.status, failed.body) == (200, {"instancesDeleted": 1})
    rest = await api.ask("DELETE", "instances", params={"createdTimeFrom": since})
    assert (rest.status, rest.body) == (200, {"instancesDeleted": 1})
    assert await listed(api, instanceIdPrefix="purged-") == ["purged-before", "purged-waits"]


async def test_purging_nothing_answers_404(api: Api) -> None:
    answer = await api.ask("DELETE", "instances", params={"createdTimeFrom": now()})
    assert answer.status == 404
    running = {"createdTimeFrom": "2020-01-01T00:00:00Z", "runtimeStatus": "Running"}
    assert (await api.ask("DELETE", "instances", params=running)).status == 404


async def test_purging_needs_a_time_to_begin_with(api: Api) -> None:
    answer = await api.ask("DELETE", "instances", params={"runtimeStatus": "Completed"})
    assert answer.status == 400
    assert "createdTimeFrom" in answer.body
