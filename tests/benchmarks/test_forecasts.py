"""When a forecast counts as wrong."""

from __future__ import annotations

from benchmarks.forecasts import broken

GOOD = {"sample": "math", "used": 1000, "low": 500, "high": 9000, "probe": 760, "first_wave": 1240}


def test_a_forecast_off_by_more_than_a_quarter_and_a_range_without_the_actual_are_told() -> None:
    assert broken(GOOD) == []
    for wrong in ({"probe": 740}, {"first_wave": 1260}, {"low": 1001}, {"high": 999}):
        assert len(broken({**GOOD, **wrong})) == 1
