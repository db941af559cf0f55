"""What the teacher's log says of a budget."""

from __future__ import annotations

from typing import Any

from benchmarks.budgets import analysed, broken
from shared.spec.models import BudgetSpec


def record(arrived: float, time: float) -> dict[str, Any]:
    return {"arrived": arrived, "time": 100 + time, "prompt_tokens": 10, "completion_tokens": 5}


def test_an_overshoot_and_requests_in_no_count_are_told() -> None:
    records = [record(0, 1), record(0.5, 2), record(0.6, 0.6)]
    result = analysed(records, BudgetSpec(max_requests=2))
    result |= {"limit": "max_requests", "seed": 0, "ends": ["budget"]}
    assert (result["used"], result["most_in_flight"], result["last_in_flight"]) == (3, 2, 2)
    assert broken({**result, "recorded": 2, "unrecorded": 0}) == [
        "max_requests, seed 0: 3 used of 2",
        "max_requests, seed 0: 1 requests are in no count",
    ]
    kept = {**result, "allowed": 3, "recorded": 2, "unrecorded": 1}
    assert broken(kept) == []


def test_tokens_are_counted_by_the_teacher() -> None:
    result = analysed([record(0, 1)] * 4, BudgetSpec(max_tokens=60))
    assert (result["allowed"], result["used"]) == (60, 60)
