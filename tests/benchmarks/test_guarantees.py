"""The table of promises says no where a bound is broken."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import guarantees, teachers


def quota(**changes: Any) -> dict[str, Any]:
    usual = {"who": "ours", "scenario": "300 requests a minute", "workers": 3}
    return {**usual, "used": 0.99, "refused": 0.025, **changes}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"workers": 1}, False),
        ({"scenario": "3,000 requests a minute"}, False),
        ({"used": 0.96}, False),
        ({"refused": None}, False),
    ],
)
def test_a_quota_has_the_bounds_of_its_workers(changes: dict[str, Any], holds: bool) -> None:
    [line] = guarantees.of_quotas([quota(**changes)])
    assert line.holds is holds


def test_one_run_above_its_budget_breaks_the_promise() -> None:
    runs = [{"limit": "max_requests", "used": used, "allowed": 500} for used in (500, 501)]
    assert [line.holds for line in guarantees.of_budgets(runs)] == [False]
    assert [line.holds for line in guarantees.of_budgets(runs[:1])] == [True]


def test_a_run_slowed_down_by_stray_refusals_breaks_the_promise() -> None:
    seconds = {"none": 10.0, "429 0.5%": 12.0, "429 2%": 15.0, "429 10%": 19.0}
    runs = [{"scenario": name, "rows": 100, "seconds": took} for name, took in seconds.items()]
    assert [line.holds for line in guarantees.of_strays(runs)] == [True, False, True]


def test_a_forecast_off_by_more_than_a_quarter_breaks_the_promise() -> None:
    sample = {"used": 100, "probe": 126, "first_wave": 80, "low": 10, "high": 99}
    assert [line.holds for line in guarantees.of_forecasts([sample])] == [False, True, False]


def test_lost_rows_and_wasted_requests_break_the_promise() -> None:
    result = {"what": "rows", "of": 9, "did": 9, "needed": 9, "most": 4}
    for changes, holds in (({"besides": 4}, True), ({"besides": 5}, False), ({"did": 8}, False)):
        result |= {"did": 9, "besides": 0, "besides_what": "refused", **changes}
        [line] = guarantees.of_teachers([result])
        assert line.holds is holds
        assert bool(teachers.broken(result)) is not holds
