"""What faults cost, from the teacher's log."""

from __future__ import annotations

from typing import Any

from benchmarks.faults import (
    SCENARIOS,
    analysed,
    broken,
    expected_seconds,
    faults_of,
    teacher_options,
)


def record(
    request: str, attempt: int, status: int, time: float = 0.0, fault: str = ""
) -> dict[str, Any]:
    return {"request": request, "attempt": attempt, "status": status, "time": time, "fault": fault}


def test_a_request_that_was_reset_or_left_hanging_is_no_answer() -> None:
    found = analysed(
        [record("a", 1, 0, 1.0, "reset"), record("a", 2, 200, 2.0), record("b", 1, 200, 1.5)]
    )
    assert (found["requests"], found["extra_requests"], found["answered"]) == (3, 1, 2)
    assert (found["asked_again"], found["paid_twice"], found["faults"]) == (0, 0, {"reset": 1})
    assert found["last_rows_seconds"] == 0.5


def test_what_is_asked_for_after_its_answer_is_counted() -> None:
    found = analysed(
        [record("a", 1, 200), record("a", 2, 429, fault="throttle"), record("a", 3, 200)]
    )
    assert (found["asked_again"], found["paid_twice"]) == (2, 1)


def test_all_requests_of_the_rejected_row_count() -> None:
    found = analysed([record("a", 1, 400, fault="reject"), record("a", 2, 400, fault="reject")])
    assert (found["rejected"], found["rejected_requests"]) == (1, 2)


def test_broken_promises_are_told() -> None:
    good = {"scenario": "500", "rows": 10, "delivered": 9, "asked_again": 0, "rejected_requests": 1}
    good |= {"counted": 12, "requests": 12}
    assert broken(good) == []
    for wrong in ({"delivered": 8}, {"asked_again": 1}, {"rejected_requests": 2}, {"counted": 11}):
        assert len(broken({**good, **wrong})) == 1


def test_hanging_requests_are_expected_to_cost_their_time_out_shared_by_the_places() -> None:
    fault_free = {"seconds": 10.0, "requests": 1000}
    assert expected_seconds({"requests": 1200, "faults": {"error": 200}}, fault_free) == 12.0
    assert expected_seconds({"requests": 1064, "faults": {"hang": 64}}, fault_free) == 12.0


def test_one_row_is_rejected_in_every_scenario_with_faults() -> None:
    for scenario in SCENARIOS:
        options = teacher_options(scenario, 100)
        assert ("Problem 50:" in options) is bool(SCENARIOS[scenario])
    assert faults_of("mixed") == "5 % throttle, 5 % error, 5 % reset, 5 % hang"
