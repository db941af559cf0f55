"""The generation benchmark's table: medians, not means, and nobody's lost rows hidden."""

from __future__ import annotations

from typing import Any

from benchmarks.generate import summary


def run(contender: str = "ours", concurrency: int = 64, **measured: Any) -> dict[str, Any]:
    usual = {
        "rows": 1000,
        "answered": 1000,
        "seconds": 2.0,
        "cpu_seconds": 1.0,
        "peak_mb": 90.0,
        "teacher_busy": 0.25,
    }
    return {"contender": contender, "concurrency": concurrency, **usual, **measured}


def lines(*runs: dict[str, Any]) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in summary(list(runs)).splitlines()[2:]
    ]


def test_one_slow_round_does_not_move_the_numbers() -> None:
    slow = run(seconds=100.0, cpu_seconds=50.0, peak_mb=900.0, teacher_busy=0.9)
    assert lines(run(), slow, run()) == [["64", "ours", "500", "1,000", "90", "0", "25%"]]


def test_the_rate_counts_answers_and_not_rows_that_were_given_up() -> None:
    assert lines(run(answered=600))[0][2] == "300"


def test_rows_lost_are_those_of_all_rounds() -> None:
    assert lines(run(), run(answered=990), run(answered=995))[0][5] == "15"


def test_contenders_with_other_numbers_of_rows_are_compared_by_the_row() -> None:
    ours, curator = lines(
        run(), run("curator", rows=200, answered=200, seconds=0.4, cpu_seconds=0.2)
    )
    assert ours[2:4] == curator[2:4]


def test_runs_are_grouped_by_concurrency_and_then_by_contender() -> None:
    runs = [
        run("distilabel", 256),
        run("ours", 256),
        run("bare", 64),
        run("ours", 64),
        run("ours", 64),
    ]
    found = [line[:2] for line in lines(*runs)]
    assert found == [["64", "ours"], ["64", "bare"], ["256", "ours"], ["256", "distilabel"]]
