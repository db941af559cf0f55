"""What kills excuse, from the teacher's log."""

from __future__ import annotations

from typing import Any

from benchmarks.kills import analysed, broken


def record(request: str, time: float, status: int = 200) -> dict[str, Any]:
    return {"request": request, "time": time, "status": status}


def test_what_was_answered_in_the_last_second_or_in_flight_is_excused() -> None:
    early, unflushed, in_flight = record("a", 8.0), record("b", 9.5), record("c", 10.2, status=0)
    found = analysed([early, unflushed, in_flight, record("b", 12.0), record("c", 12.0)], [10.0])
    assert found == {"requests": 5, "asked_twice": 2, "paid_twice": 1, "excused": 2}


def test_without_a_kill_nothing_may_be_asked_twice() -> None:
    found = analysed([record("a", 1.0), record("a", 2.0)], [])
    good = {"lost": 0, "in_order": True, "kills": 0}
    assert broken({**good, **found}, kills=0) == ["1 requests were repeated, the kills excuse 0"]
    assert broken({**good, **analysed([record("a", 1.0)], [])}, kills=0) == []


def test_lost_rows_wrong_order_and_missing_kills_are_told() -> None:
    found = {"asked_twice": 0, "excused": 0, "kills": 3}
    assert "2 rows were lost" in broken({**found, "lost": 2, "in_order": False}, kills=3)[0]
    assert "another order" in broken({**found, "lost": 0, "in_order": False}, kills=3)[0]
    assert "after 3 kills" in broken({**found, "lost": 0, "in_order": True}, kills=4)[0]
