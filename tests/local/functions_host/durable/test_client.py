"""Operations on the task hub, without HTTP: ids, and replacing what has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.functions_host.durable.client import (
    InstanceExists,
    InvalidRequest,
    NoInstance,
)
from local.functions_host.durable.views import parsed
from tests.support.durable_hub import output, running
from tests.support.durable_simulation import Steps


def echo(context: Any) -> Any:
    return context.get_input()


def works(context: Any) -> Steps:
    return (yield context.call_activity("work", context.get_input()))


@pytest.mark.parametrize(
    "instance_id",
    ["", "@counter@one", "a/b", "a\\b", "a#b", "a?b", "a\nb", "a\x00b", "a\x7fb", "x" * 101],
)
async def test_an_id_that_azure_refuses_is_refused(tmp_path: Path, instance_id: str) -> None:
    async with running(tmp_path, {"echo": echo}) as hub:
        with pytest.raises(InvalidRequest):
            hub.start("echo", None, instance_id)
        with pytest.raises(NoInstance):
            hub.client.get(instance_id)


@pytest.mark.parametrize(
    "instance_id", ["a b", "a\u00a0b", "a\u200bb", "run@2026:01", "ünï-漢字", "%", "x" * 100]
)
async def test_an_id_that_azure_takes_is_taken(tmp_path: Path, instance_id: str) -> None:
    async with running(tmp_path, {"echo": echo}) as hub:
        assert output(await hub.run("echo", 1, instance_id)) == 1


async def test_a_running_instance_is_not_replaced(tmp_path: Path) -> None:
    async with running(tmp_path, {"works": works}) as hub:
        hub.start("works", 1, "its-id")
        before = hub.client.get("its-id").execution_id
        with pytest.raises(InstanceExists, match="Pending"):
            hub.start("works", 2, "its-id")
        assert hub.client.get("its-id").execution_id == before


async def test_an_instance_that_has_ended_is_replaced_history_and_all(tmp_path: Path) -> None:
    async with running(tmp_path, {"echo": echo}) as hub:
        first = await hub.run("echo", 1, "its-id")
        length = len(hub.client.history("its-id"))
        second = await hub.run("echo", 2, "its-id")
        assert (output(first), output(second)) == (1, 2)
        assert len(hub.client.history("its-id")) == length
        assert second.created > first.created


async def test_what_does_not_exist_has_no_status_and_no_purge(tmp_path: Path) -> None:
    async with running(tmp_path, {"echo": echo}) as hub:
        for ask in (hub.client.get, hub.client.purge):
            with pytest.raises(NoInstance):
                ask("nobody")


async def test_an_instance_whose_function_is_gone_cannot_be_restarted(tmp_path: Path) -> None:
    async with running(tmp_path, {"echo": echo}) as hub:
        await hub.run("echo", 1, "its-id")
    async with running(tmp_path, {"works": works}) as hub:
        with pytest.raises(InvalidRequest, match="known orchestrator functions: works"):
            hub.client.restart("its-id", new_id=True)


@pytest.mark.parametrize(
    ("text", "value"), [(None, None), ("[1]", [1]), ("", ""), ("no longer", "no longer")]
)
def test_text_that_is_no_json_stays_text(text: str | None, value: Any) -> None:
    assert parsed(text) == value
