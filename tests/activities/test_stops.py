"""A run that stops keeps the answers that are on their way, and counts those that it doesn't."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest, RunningTeacher
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, plus_one, sums

STOPPING = {"runtimeStatus": "Running", "customStatus": {"stopping": True}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.generation.shard.STOP_CHECK_SECONDS", 0.05)


def no_idea(_: ChatRequest) -> str:
    return "no idea"


async def stopped(run: AppRun, teacher: RunningTeacher, after: int) -> dict[str, Any]:
    """Stop the run once so many requests were answered. Return the output of its second shard."""
    generation = asyncio.create_task(run.generate(1))
    async with asyncio.timeout(20):
        while len(teacher.records) < after:
            await asyncio.sleep(0.01)
        run.client.statuses[run.paths.run_id] = STOPPING
        return await generation


async def test_answers_that_are_on_their_way_when_a_run_stops_are_kept(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=200, teacher={"concurrency": 16})
    await run.begin(sums(220))
    async with teach(plus_one, latency_ms=200) as teacher:
        output = await stopped(run, teacher, after=16)
    assert output["status"] == "stopped"
    counts = (await run.progress())["train"]
    assert 16 < counts["accepted"] == len(teacher.records) < 200
    assert (await run.report("cancelled"))["other"]["unrecorded"]["requests"] == 0


async def test_requests_whose_answers_are_not_awaited_are_counted(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(
        rows_per_shard=200,
        teacher={"concurrency": 16, "stop_seconds": 0, "max_tokens": 100},
        budget={"max_tokens": 1_000_000},
    )
    await run.begin(sums(220))
    async with teach(plus_one, latency_ms=1000, hang_rate=0.3) as teacher:
        output = await stopped(run, teacher, after=1)
    assert output["status"] == "stopped"
    recorded = (await run.progress())["train"]["requests"]
    unrecorded = (await run.report("cancelled"))["other"]["unrecorded"]
    assert 1 <= unrecorded["requests"] <= 16
    assert recorded + unrecorded["requests"] >= len(teacher.records)
    assert unrecorded["tokens"] > unrecorded["requests"] * 100


async def test_nothing_is_asked_again_once_the_success_ratio_is_out_of_reach(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=200, teacher={"concurrency": 16})
    await run.begin(sums(220))
    async with teach(no_idea, latency_ms=20) as teacher:
        output = await run.generate(1, max_rejected=3)
    assert output["error"]["code"] == "success_ratio"
    counts = (await run.progress())["train"]
    unrecorded = (await run.report("failed"))["other"]["unrecorded"]
    assert counts["requests"] + unrecorded["requests"] == len(teacher.records)
    assert counts["rejected"]["no_number"] >= 4
