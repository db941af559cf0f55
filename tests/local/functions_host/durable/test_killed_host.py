"""A host process that is killed and started again on the same data directory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.durable_host import Api, host_process

STEPS = 6


def begun(folder: Path) -> Counter[int]:
    """How often each step was begun, each time by another process."""
    return Counter(
        int(mark.name.partition(".")[0]) for mark in folder.iterdir() if mark.name != "open"
    )


async def test_a_fan_out_survives_kill_9_and_the_host_ends_with_its_lifeline(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    folder = tmp_path / "steps"
    folder.mkdir()
    with host_process(data) as host:
        async with aiohttp.ClientSession() as session:
            api = Api(session, host.url, host.keys["system_key"])
            await api.start("walk", {"folder": str(folder), "steps": STEPS}, "its-id")
            await api.start("waits", None, "waits")
            await api.wait("waits", "Running")
            while await completed(api) < STEPS // 2 or len(begun(folder)) < STEPS:
                await api.wait("its-id", "Pending", "Running")
        host.kill()
    (folder / "open").touch()
    with host_process(data) as host:
        async with aiohttp.ClientSession() as session:
            api = Api(session, host.url, host.keys["system_key"])
            assert (await api.wait("its-id"))["output"] == list(range(STEPS))
            assert await completed(api) == STEPS
            await api.ask("POST", "instances/waits/raiseEvent/go", json="still here")
            assert (await api.wait("waits"))["output"] == "still here"
        assert host.stop() == 0
        assert "Traceback" not in host.log()
    assert begun(folder) == {number: 1 + number % 2 for number in range(STEPS)}


async def completed(api: Api) -> int:
    answer = await api.ask("GET", "instances/its-id", params={"showHistory": "true"})
    events: list[dict[str, Any]] = answer.body["historyEvents"] or []
    return [entry["EventType"] for entry in events].count("TaskCompleted")
