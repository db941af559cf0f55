"""generate_shard with a real teacher: rows are paid for once, and it stops when it should."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from local.emulators.teacher import ChatRequest
from shared.core.ids import generation_id
from tests.activities.conftest import Configure, NewRun, Teach
from tests.support.activity_runs import answered, plus_one, sums
from tests.support.http_teacher import completion, serving


def no_number(_: ChatRequest) -> str:
    return "many"


async def test_a_shard_is_answered_and_sealed(new_run: NewRun, teach: Teach) -> None:
    run = new_run(teacher={"concurrency": 3})
    await run.begin(sums(5))
    async with teach(plus_one) as teacher:
        assert await run.generate() == answered(accepted=5, rejected=0, failed=0)
    assert [record.status for record in teacher.records] == [200] * 5
    records = await run.rows(run.paths.journal("train", 0))
    assert {record["line"]: record["replies"][0]["text"] for record in records} == {
        n + 1: str(n + 1) for n in range(5)
    }
    assert (await run.progress())["train"]["shards_done"] == 1


async def test_one_shard_with_nothing_set_has_as_many_requests_in_flight_as_it_can_use(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=400)
    await run.begin(sums(320))
    async with teach(plus_one, latency_ms=300) as teacher:
        await run.generate(1)  # the first one has 20 rows
    ends = sorted(record.time for record in teacher.records)
    in_flight = [sum(end - 0.3 < other <= end for other in ends) for end in ends]
    assert len(ends) == 300
    assert max(in_flight) > 40


@pytest.mark.parametrize("runtime", ["Completed", "Failed", "Terminated", "Canceled"])
async def test_a_run_that_has_ended_asks_nobody(
    new_run: NewRun, teach: Teach, runtime: str
) -> None:
    run = new_run()
    await run.begin(sums(5))
    run.client.statuses[run.paths.run_id] = {"runtimeStatus": runtime}
    async with teach(plus_one) as teacher:
        assert (await run.generate())["status"] == "stopped"
    assert teacher.records == []


@pytest.mark.parametrize("where", ["run", "split"])
async def test_a_run_that_is_stopped_meanwhile_stops_asking(
    new_run: NewRun, teach: Teach, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr("shared.generation.shard.STOP_CHECK_SECONDS", 0.05)
    run = new_run(teacher={"concurrency": 1, "stop_seconds": 0})
    await run.begin(sums(5))
    stopping = {"runtimeStatus": "Running", "customStatus": {"stopping": True}}
    async with teach(plus_one, hang_rate=1.0) as teacher:
        generation = asyncio.create_task(run.generate())
        async with asyncio.timeout(10):
            while not teacher.records:
                await asyncio.sleep(0.01)
        run_id = run.paths.run_id
        run.client.statuses[run_id if where == "run" else generation_id(run_id, "train")] = stopping
        async with asyncio.timeout(10):
            assert (await generation)["status"] == "stopped"
    assert len(teacher.records) == 1


async def test_a_run_that_is_paused_asks_nobody_and_keeps_what_was_answered(
    new_run: NewRun, teach: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.generation.shard.STOP_CHECK_SECONDS", 0.1)
    run = new_run(rows_per_shard=100, teacher={"concurrency": 1})
    await run.begin(sums(120))
    async with teach(plus_one, latency_ms=50) as teacher:
        generation = asyncio.create_task(run.generate(1))
        async with asyncio.timeout(10):
            while len(teacher.records) < 2:
                await asyncio.sleep(0.01)
        run.client.statuses[run.paths.run_id] = {"runtimeStatus": "Suspended"}
        assert (await generation)["status"] == "paused"
        requests = len(teacher.records)
        assert (await run.generate(1))["status"] == "paused"
        assert len(teacher.records) == requests
    run.client.statuses[run.paths.run_id] = {"runtimeStatus": "Running"}
    async with teach(plus_one):
        assert (await run.generate(1))["accepted"] == 100


async def test_a_shard_tells_how_many_at_a_time_the_user_wants(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(5))
    run.client.statuses[run.paths.run_id] = {
        "runtimeStatus": "Running",
        "customStatus": {"parallel_shards": 3},
    }
    async with teach(plus_one):
        assert (await run.generate())["parallel"] == 3


async def test_a_hub_that_cannot_be_reached_does_not_end_the_work(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(5))
    run.client.breaks = ConnectionError("the hub does not answer")
    async with teach(plus_one):
        assert (await run.generate())["accepted"] == 5


async def test_shards_that_a_process_works_at_together_may_lose_no_more_rows_than_the_split(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=50, teacher={"concurrency": 2})
    await run.begin(sums(200))
    async with teach(no_number, latency_ms=20) as teacher:
        ended = await asyncio.gather(*[run.generate(index, max_rejected=10) for index in range(4)])
    assert {generated["error"]["code"] for generated in ended} == {"success_ratio"}
    assert (
        len(teacher.records) < 70
    )  # three times for each row; 4 shards on their own would ask 132 times


async def test_a_teacher_that_refuses_every_request_ends_the_run_in_its_own_words(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(teacher={"model": "another-model"})
    await run.begin(sums(5))
    async with teach(plus_one) as teacher:
        generated = await run.generate()
    assert generated["status"] == "failed"
    assert "'another-model' does not exist here" in generated["error"]["message"]
    assert len(teacher.records) <= 5


async def test_faults_cost_requests_and_no_rows(new_run: NewRun, teach: Teach) -> None:
    run = new_run(rows_per_shard=60)
    await run.begin(sums(80))
    rates: dict[str, Any] = {
        "error_rate": 0.15,
        "throttle_rate": 0.1,
        "reset_rate": 0.1,
        "malformed_rate": 0.1,
    }
    async with teach(plus_one, seed=3, **rates) as teacher:
        assert await run.generate(1) == answered(accepted=60, rejected=0, failed=0)
    assert {record.fault for record in teacher.records} >= {
        "error",
        "throttle",
        "reset",
        "malformed",
    }
    counters = (await run.progress())["train"]
    assert counters["requests"] == len(teacher.records) > 60


class _Reasoning:
    """A teacher whose reasoning takes 300 tokens. The row `held` is answered once it is let go."""

    def __init__(self, held: int) -> None:
        self.limits: dict[int, list[int]] = {}
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()
        self._held = held

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        number = int(body["messages"][-1]["content"].split()[2])
        self.limits.setdefault(number, []).append(body["max_tokens"])
        if number == self._held:
            self.reached.set()
            await self.let_go.wait()
        reply = completion(str(number + 1))
        if body["max_tokens"] < 300:
            reply["choices"] = [{"finish_reason": "length", "message": {"content": ""}}]
        return web.json_response(reply)


async def test_the_tokens_that_reasoning_needs_are_learned_by_shards_that_run_together(
    new_run: NewRun, app: Configure
) -> None:
    teacher = _Reasoning(held=4)
    run = new_run(teacher={"concurrency": 2, "max_tokens": 100})
    async with serving(teacher.answer) as base_url:
        app(TEACHER_BASE_URL=base_url)
        await run.begin(sums(10))
        first = asyncio.create_task(run.generate(0))
        await teacher.reached.wait()
        assert await run.generate(1) == answered(accepted=5)
        teacher.let_go.set()
        assert await first == answered(accepted=5)
    assert (teacher.limits[0][0], teacher.limits[0][-1]) == (100, 400)
    assert [teacher.limits[number] for number in range(5, 10)] == [[400]] * 5
    requests = sum(map(len, teacher.limits.values()))
    assert (await run.progress())["train"]["requests"] == requests


async def test_a_shard_of_a_run_that_was_never_prepared_is_a_permanent_failure(
    new_run: NewRun,
) -> None:
    run = new_run()
    generated = await run.generate()
    assert (generated["status"], generated["error"]["code"]) == ("failed", "not_found")
