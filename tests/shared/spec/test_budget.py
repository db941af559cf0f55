"""What a run is expected to use and what it costs: grows with what is asked, and every limit is
named with its numbers.
"""

from __future__ import annotations

from typing import Any

from shared.core.paths import Split
from shared.dataset.rows import Message, Row
from shared.runs.gates import after_scan, expected_usage
from shared.scan.plan import ScanCounts
from shared.spec.budget import Usage, cost, over_budget, row_estimate
from shared.spec.models import BudgetSpec, RunSpec
from shared.spec.parse import parse_spec
from shared.tasks import TASKS

USED = Usage(requests=1200, prompt_tokens=2_000_000, completion_tokens=500_000)


def spec_of(task: str = "math", **fields: Any) -> RunSpec:
    return parse_spec({"task": task, "train": f"datasets/{task}/x/train.jsonl", **fields})


def row(*turns: str) -> Row:
    messages: list[Message] = []
    for position, turn in enumerate(turns):
        messages.append({"role": "assistant" if position % 2 else "user", "content": turn})
    return Row(tuple(messages))


def scan(valid: int, usage: Usage | None = None) -> ScanCounts:
    return ScanCounts(valid=valid, estimate=usage or Usage())


def test_every_sample_is_one_more_request() -> None:
    one, five = (
        row_estimate(row("What is 2 + 3?"), spec)
        for spec in (spec_of(), spec_of(quality={"samples": 5, "select": "majority"}))
    )
    assert one.requests == 1
    assert five.tokens == 5 * one.tokens
    assert (five.requests, five.prompt_tokens) == (5, 5 * one.prompt_tokens)


def test_each_turn_of_a_conversation_is_asked_with_the_history_before_it() -> None:
    spec = spec_of("conversation")
    said = "word " * 50
    once, thrice = (
        row_estimate(row(*turns), spec) for turns in (("hello", said), ("hello", said) * 3)
    )
    assert (thrice.requests, thrice.completion_tokens) == (3, 3 * once.completion_tokens)
    assert thrice.prompt_tokens >= 3 * once.prompt_tokens + (1 + 2) * once.completion_tokens


def test_reasoning_takes_more_tokens_in_the_prompt_and_in_the_answer() -> None:
    plain, reasoned = (
        row_estimate(row("What is 2 + 3?"), spec_of(prompt={"chain_of_thought": chain}))
        for chain in (False, True)
    )
    assert reasoned.prompt_tokens > plain.prompt_tokens
    assert reasoned.completion_tokens > 10 * plain.completion_tokens


def test_every_task_expects_an_answer_for_each_row() -> None:
    for name, task in TASKS.items():
        estimate = row_estimate(row("What is it?"), spec_of(name))
        assert (estimate.requests, estimate.completion_tokens > 0) == (
            task.turns(row("What is it?")),
            True,
        )


def test_cost_is_known_where_both_prices_are() -> None:
    assert cost(USED, BudgetSpec(prompt_price=2.5, completion_price=10)) == 5 + 5
    assert cost(USED, BudgetSpec(prompt_price=2.5)) is None
    assert cost(USED, BudgetSpec(completion_price=10)) is None


def test_every_limit_that_is_exceeded_is_named_with_its_numbers() -> None:
    budget = BudgetSpec(
        max_requests=1000, max_tokens=2_000_000, max_cost=9.5, prompt_price=2.5, completion_price=10
    )
    problems = {
        problem["where"]: problem["problem"]
        for problem in over_budget(USED, budget, estimated=False)
    }
    assert problems == {
        "budget.max_requests": "1,200 were used, but the limit is 1,000: raise it",
        "budget.max_tokens": "2,500,000 were used, but the limit is 2,000,000: raise it",
        "budget.max_cost": "10 were used, but the limit is 9.5: raise it",
    }


def test_what_is_within_every_limit_is_no_problem() -> None:
    budget = BudgetSpec(
        max_requests=1200, max_tokens=2_500_000, max_cost=10, prompt_price=2.5, completion_price=10
    )
    assert over_budget(USED, budget, estimated=True) == []
    assert over_budget(USED, BudgetSpec(), estimated=True) == []


def test_a_run_that_would_exceed_its_budget_ends_before_the_teacher_is_asked() -> None:
    scans: dict[Split, ScanCounts] = {"train": scan(100, USED), "validation": scan(10, USED)}
    budget = {"max_requests": 2399, "max_tokens": 5_000_000}
    error = after_scan(spec_of(budget=budget), scans)
    assert error is not None
    assert error["code"] == "budget"
    assert error["details"] == [
        {
            "where": "budget.max_requests",
            "problem": "2,400 are expected, but the limit is 2,399: raise it",
        }
    ]
    assert expected_usage(scans, spec_of()).tokens == 5_000_000
    assert after_scan(spec_of(budget={"max_requests": 2400}), scans) is None


def test_a_dataset_that_cannot_be_used_is_told_before_its_budget() -> None:
    error = after_scan(spec_of(budget={"max_requests": 1}), {"train": scan(1, USED)})
    assert error is not None
    assert error["code"] == "dataset"
