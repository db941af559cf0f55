"""A budget holds while shards run: answers are kept, and a higher budget resumes the run."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest

from local.emulators.teacher import ChatRequest
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import answered, sums


def plus_one(request: ChatRequest) -> str:
    return str(int(request.messages[-1].text.split()[2]) + 1)


def no_idea(_: ChatRequest) -> str:
    return "no idea"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.generation.budget_watch.CHECK_SECONDS", 0.05)
    monkeypatch.setattr("shared.generation.journal.FLUSH_SECONDS", 0.05)
    monkeypatch.setattr("shared.generation.journal.PUBLISH_SECONDS", 0.05)


async def test_a_run_that_has_used_up_its_budget_stops_and_goes_on_with_a_higher_one(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=500, teacher={"concurrency": 2}, budget={"max_requests": 10})
    await run.begin(sums(520))
    async with teach(plus_one, latency_ms=20) as first:
        generated = await run.generate(1)
    assert (generated["status"], generated["error"]["code"]) == ("failed", "budget")
    [problem] = generated["error"]["details"]
    assert problem["where"] == "budget.max_requests"
    assert "were used, but the limit is 10" in problem["problem"]
    answered_rows = (await run.progress())["train"]["done"]
    assert 10 < answered_rows <= len(first.records) < 500
    await run.resume(budget={"max_requests": 1000})
    async with teach(plus_one) as second:
        assert await run.generate(1) == answered(accepted=500, rejected=0, failed=0)
    assert len(second.records) == 500 - answered_rows


async def test_a_budget_that_ends_between_a_rows_samples_leaves_no_part_of_the_row(
    new_run: NewRun, teach: Teach
) -> None:
    quality = {"samples": 3, "select": "majority", "keep": 3, "min_rows": 10}
    run = new_run(
        rows_per_shard=100,
        prompt={"chain_of_thought": True, "student_learns": "reasoning"},
        quality=quality,
        teacher={"concurrency": 2},
        budget={"max_requests": 10},
    )
    await run.begin(sums(100))
    ways = itertools.count()

    def reasoned(request: ChatRequest) -> str:
        return json.dumps({"reasoning": f"way {next(ways)}", "answer": plus_one(request)})

    async with teach(reasoned, latency_ms=20) as first:
        generated = await run.generate()
    assert generated["error"]["code"] == "budget"
    counts = (await run.progress())["train"]
    assert 0 < counts["accepted"] < 100
    assert counts["examples"] == 3 * counts["accepted"]
    assert counts["requests"] == counts["examples"] <= len(first.records)
    await run.resume(budget={"max_requests": 1000})
    async with teach(reasoned):
        await run.finish()
    assert (await run.progress())["train"]["examples"] == 300
    lines = [origin["line"] for origin in await run.rows(run.paths.provenance("train"))]
    assert lines == [line for line in range(1, 101) for _ in range(3)]


async def test_what_other_shards_have_used_counts(new_run: NewRun, teach: Teach) -> None:
    run = new_run(rows_per_shard=50, teacher={"concurrency": 1}, budget={"max_tokens": 100})
    await run.begin(sums(100))
    async with teach(plus_one):
        await run.generate(0)
    async with teach(plus_one) as teacher:
        generated = await run.generate(1)
    assert generated["error"]["code"] == "budget"
    assert len(teacher.records) == 0


async def test_a_shard_that_begins_with_nothing_left_of_the_budget_asks_no_row(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=5, budget={"max_requests": 10})
    await run.begin(sums(15))
    async with teach(plus_one):
        await run.generate(0)
        await run.generate(1)
    async with teach(plus_one) as teacher:
        generated = await run.generate(2)
    [problem] = generated["error"]["details"]
    assert problem["problem"] == "10 were used, but the limit is 10: raise it"
    assert len(teacher.records) == 0


async def test_rows_that_cost_nothing_need_no_budget(new_run: NewRun, teach: Teach) -> None:
    run = new_run(rows_per_shard=5, budget={"max_requests": 5})
    await run.begin(sums(5) + b"{\n" * 5)
    async with teach(plus_one):
        await run.generate(0)
        generated = await run.generate(1)
    assert generated == answered(accepted=0, rejected=5, failed=0)


async def test_a_resumed_run_whose_budget_is_used_up_asks_no_row(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(budget={"max_requests": 5})
    await run.begin(sums(5))
    async with teach(no_idea):
        await run.generate()
    await run.resume()
    async with teach(plus_one) as teacher:
        generated = await run.generate()
    assert generated["error"]["code"] == "budget"
    assert len(teacher.records) == 0


async def test_a_run_without_limits_looks_at_no_journals(
    new_run: NewRun, teach: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(budget={"prompt_price": 1, "completion_price": 1})
    await run.begin(sums(5))
    monkeypatch.setattr("shared.core.storage.Storage.metadata_under", None)
    async with teach(plus_one, latency_ms=100):
        async with asyncio.timeout(10):
            assert (await run.generate())["accepted"] == 5
