"""A budget is never exceeded: answers are kept, and a higher budget resumes the run."""

from __future__ import annotations

import itertools
import json
from uuid import uuid4

import pytest

from local.emulators.teacher import ChatRequest
from shared.core.process import current
from shared.core.storage import Storage
from shared.runs.contracts import PREFLIGHT
from shared.teacher.budget import month, read_monthly_spend
from tests.activities.conftest import Configure, NewRun, Teach
from tests.support.activity_runs import answered, sums


def plus_one(request: ChatRequest) -> str:
    text = request.messages[-1].text
    return str(int(text.split()[2]) + 1) if text.startswith("What") else "ready"


def no_idea(_: ChatRequest) -> str:
    return "no idea"


async def test_a_run_that_has_used_up_its_budget_stops_and_goes_on_with_a_higher_one(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=500, teacher={"concurrency": 16}, budget={"max_requests": 40})
    await run.begin(sums(520))
    async with teach(plus_one, latency_ms=20) as first:
        generated = await run.generate(1)
    assert (generated["status"], generated["error"]["code"]) == ("failed", "budget")
    [problem] = generated["error"]["details"]
    assert problem == {
        "where": "budget.max_requests",
        "problem": "40 were used, but the limit is 40: raise it",
    }
    assert len(first.records) == (await run.progress())["train"]["done"] == 40
    await run.resume(budget={"max_requests": 1000})
    async with teach(plus_one) as second:
        assert await run.generate(1) == answered(accepted=500, rejected=0, failed=0)
    assert len(second.records) == 460


async def test_retries_and_second_requests_are_within_the_budget(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=500, teacher={"concurrency": 8}, budget={"max_requests": 50})
    await run.begin(sums(500))
    async with teach(no_idea, error_rate=0.3) as teacher:
        generated = await run.generate()
    assert generated["error"]["code"] == "budget"
    assert len(teacher.records) == 50
    report = await run.report("failed")
    recorded = report["counters"]["train"]["requests"]
    assert recorded + report["other"]["unrecorded"]["requests"] == 50


@pytest.mark.slow
@pytest.mark.parametrize(
    "budget",
    [
        {"max_tokens": 5_000},
        {"max_cost": 0.012, "prompt_price": 2, "completion_price": 10},
    ],
)
async def test_tokens_and_cost_stay_below_their_limits_and_the_rest_is_less_than_a_request(
    new_run: NewRun, teach: Teach, budget: dict[str, float]
) -> None:
    teacher_spec = {"concurrency": 16, "max_tokens": 300}
    run = new_run(rows_per_shard=500, teacher=teacher_spec, budget=budget)
    await run.begin(sums(520))
    async with teach(plus_one, latency_ms=5) as teacher:
        generated = await run.generate(1)
    [problem] = generated["error"]["details"]
    assert "the next request may use" in problem["problem"]
    prompt = sum(record.prompt_tokens for record in teacher.records)
    completion = sum(record.completion_tokens for record in teacher.records)
    used, most_of_a_request = prompt + completion, 350
    if "max_cost" in budget:
        used, most_of_a_request = prompt * 2 + completion * 10, 50 * 2 + 300 * 10
    limit = budget.get("max_tokens", budget.get("max_cost", 0) * 1_000_000)
    assert limit - most_of_a_request < used <= limit


async def test_preflight_is_part_of_the_budget_and_of_what_is_reported(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=50, budget={"max_requests": 10}, student=None)
    await run.begin(sums(50))
    async with teach(plus_one) as teacher:
        passed = await run.call(PREFLIGHT)
        generated = await run.generate()
    assert generated["error"]["code"] == "budget"
    assert len(teacher.records) == 10
    assert (await run.progress())["train"]["requests"] == 9
    assert passed["usage"]["requests"] == 1
    await run.report("failed")
    report = json.loads(await run.text(run.paths.report))
    assert report["preflight"] == passed["usage"]
    assert report["unrecorded"] == {"requests": 0, "tokens": 0}


async def test_a_run_without_rows_to_ask_can_be_resumed_when_its_budget_is_used_up(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(budget={"max_requests": 6}, student=None)
    await run.begin(sums(5))
    async with teach(plus_one):
        await run.call(PREFLIGHT)
        await run.finish()
    await run.resume()
    async with teach(plus_one) as teacher:
        passed = await run.call(PREFLIGHT)
        await run.finish()
    assert len(teacher.records) == 0
    [warning] = passed["warnings"]
    assert warning.startswith(
        "the teacher wasn't tried: the run's budget allows no further request: 6"
    )


@pytest.mark.slow
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
    assert counts["requests"] == counts["examples"] <= len(first.records) == 10
    await run.resume(budget={"max_requests": 1000})
    async with teach(reasoned):
        await run.finish()
    assert (await run.progress())["train"]["examples"] == 300
    lines = [origin["line"] for origin in await run.rows(run.paths.provenance("train"))]
    assert lines == [line for line in range(1, 101) for _ in range(3)]


@pytest.mark.slow
async def test_what_other_shards_have_used_counts(new_run: NewRun, teach: Teach) -> None:
    teacher_spec = {"concurrency": 1, "max_tokens": 100}
    run = new_run(rows_per_shard=100, teacher=teacher_spec, budget={"max_tokens": 1000})
    await run.begin(sums(220))
    async with teach(plus_one) as teacher:
        await run.generate(1)
        assert len(teacher.records) > 0
    async with teach(plus_one) as teacher:
        generated = await run.generate(2)
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


async def test_a_run_whose_ledger_is_lost_counts_what_its_journals_have(
    new_run: NewRun, teach: Teach, storage: Storage
) -> None:
    run = new_run(rows_per_shard=5, budget={"max_requests": 8})
    await run.begin(sums(15))
    async with teach(plus_one):
        await run.generate(0)
    await storage.delete(run.paths.budget)
    async with teach(plus_one) as teacher:
        generated = await run.generate(1)
    assert generated["error"]["code"] == "budget"
    assert len(teacher.records) == 3


@pytest.fixture
def no_other_spends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A month that no other test has."""
    name = uuid4().hex
    monkeypatch.setattr(month, "this_month", lambda: name)


@pytest.mark.usefixtures("no_other_spends")
async def test_runs_stop_when_the_month_is_used_up_and_go_on_with_a_higher_budget(
    new_run: NewRun, teach: Teach, app: Configure, storage: Storage
) -> None:
    prices = {"TEACHER_PROMPT_PRICE": "0", "TEACHER_COMPLETION_PRICE": "1000"}
    app(MONTHLY_BUDGET="0.15", **prices)  # 150 tokens
    fields = {"teacher": {"concurrency": 4, "max_tokens": 100}, "student": None}
    first, second = (new_run(rows_per_shard=80, **fields) for _ in range(2))
    await first.begin(sums(100))
    await second.begin(sums(10))
    async with teach(plus_one) as teacher:
        generated = await first.generate(1)
        answered_rows = len(teacher.records)
        spent = sum(record.completion_tokens for record in teacher.records)
    [problem] = generated["error"]["details"]
    assert (generated["error"]["code"], problem["where"]) == ("budget", "MONTHLY_BUDGET")
    assert 50 <= spent <= 150
    found = await read_monthly_spend(storage, current().settings)
    assert found is not None
    assert (found.spent, found.reserved) == (spent / 1000, 0)
    async with teach(plus_one) as teacher:
        passed = await second.call(PREFLIGHT)
        generated = await second.generate()
    assert len(teacher.records) == 0
    assert "the app's budget for" in passed["warnings"][0]
    assert generated["error"]["code"] == "budget"
    app(MONTHLY_BUDGET="100")
    await first.resume()
    async with teach(plus_one) as teacher:
        assert await first.generate(1) == answered(accepted=80)
    assert len(teacher.records) == 80 - answered_rows


async def test_a_shard_goes_on_with_the_next_months_budget(
    new_run: NewRun, teach: Teach, app: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = {"TEACHER_PROMPT_PRICE": "0", "TEACHER_COMPLETION_PRICE": "1000"}
    app(MONTHLY_BUDGET="1", **prices)
    months = [uuid4().hex, uuid4().hex]
    run = new_run(rows_per_shard=20, teacher={"concurrency": 2, "max_tokens": 100})
    await run.begin(sums(20))

    def answer(request: ChatRequest) -> str:
        if len(teacher.records) == 5:
            monkeypatch.setattr(month, "this_month", lambda: months[1])
        return plus_one(request)

    monkeypatch.setattr(month, "this_month", lambda: months[0])
    async with teach(answer) as teacher:
        assert (await run.generate())["status"] == "unfinished"
        assert 5 <= (await run.progress())["train"]["done"] < 20
        assert await run.generate() == answered(accepted=20)
        assert len(teacher.records) == 20
