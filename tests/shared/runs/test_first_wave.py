"""Decisions after the first wave."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.counters import Counters
from shared.core.paths import Split
from shared.generation.first_wave import FirstRows
from shared.runs.first_wave import after_first_wave, forecast
from shared.scan.plan import SplitScan
from shared.spec.budget import Usage
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec

TOOK = FirstRows(
    usable=10,
    taken=Usage(requests=30, prompt_tokens=100, completion_tokens=900),
    estimated=Usage(requests=10, prompt_tokens=100, completion_tokens=300),
)


def spec_of(**quality: Any) -> RunSpec:
    return parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl", "quality": quality})


@pytest.mark.parametrize(
    ("usable", "unusable", "min_success_ratio", "goes_on"),
    [
        (20, 0, 0.7, True),
        (10, 10, 0.7, True),
        (9, 11, 0.7, False),
        (0, 3, 0.7, False),
        # nothing was asked: no row says anything
        (0, 0, 0.7, True),
        # a run that may lose more of its rows may lose more of the first ones
        (4, 16, 0.2, True),
        (3, 17, 0.2, False),
        (1, 19, 0, True),
        (0, 20, 0, False),
    ],
)
def test_a_run_stops_if_fewer_of_its_first_rows_are_usable_than_half_or_the_ratio(
    usable: int, unusable: int, min_success_ratio: float, goes_on: bool
) -> None:
    rows = FirstRows(usable=usable, unusable=unusable)
    error = after_first_wave(spec_of(min_success_ratio=min_success_ratio), rows)
    assert (error is None) is goes_on


def scan_of(rows: int) -> SplitScan:
    estimate = Usage(requests=rows, prompt_tokens=10 * rows, completion_tokens=30 * rows)
    return SplitScan(rows=rows, valid=rows, estimate=estimate)


def test_a_forecast_adds_what_was_used_and_what_the_other_rows_will_take() -> None:
    counters: dict[Split, Counters] = {
        "train": Counters(rows=100, done=10, accepted=10, requests=30, completion_tokens=900),
        "validation": Counters(rows=50),
    }
    expected = forecast(
        spec_of(), {"train": scan_of(100), "validation": scan_of(50)}, counters, TOOK, 0
    )
    assert expected == Usage(
        requests=30 + 3 * 140, prompt_tokens=1400, completion_tokens=900 + 3 * 30 * 140
    )


def test_rows_that_failed_in_earlier_rounds_are_forecast_again_and_reused_ones_are_not() -> None:
    counters: dict[Split, Counters] = {
        "train": Counters(rows=100, done=80, accepted=60, reused=50, failed={0: 15, 1: 5})
    }
    resumed = scan_of(50).model_copy(update={"rows": 100})
    expected = forecast(spec_of(), {"train": resumed}, counters, TOOK, 1)
    assert expected is not None
    # 20 rows without an outcome and 15 to be asked again, of 50 that the estimate is for
    assert expected.requests == 3 * 35


@pytest.mark.parametrize(("target", "asked"), [(None, 10 + 60), (50, 50 - (90 - 60))])
def test_accepted_rows_that_changed_settings_ask_again_are_forecast_by_the_first_rows(
    target: int | None, asked: int
) -> None:
    counters: dict[Split, Counters] = {
        "train": Counters(rows=100, done=90, accepted=90, requests=90)
    }
    rows = TOOK.model_copy(update={"accepted_before": 8, "asked_again": 6})
    limited = spec_of(target_rows=target, min_rows=10)
    expected = forecast(limited, {"train": scan_of(100)}, counters, rows, 1)
    assert expected is not None
    # three quarters of the 80 accepted rows after the first ones
    assert expected.requests == 90 + 3 * asked


def test_nothing_is_forecast_from_rows_that_asked_nothing() -> None:
    counters: dict[Split, Counters] = {"train": Counters(rows=100, done=10)}
    assert forecast(spec_of(), {"train": scan_of(100)}, counters, FirstRows(usable=10), 0) is None


def test_nothing_is_forecast_while_the_counters_cannot_be_read() -> None:
    assert forecast(spec_of(), {"train": scan_of(100)}, {}, TOOK, 0) is None


@pytest.mark.parametrize(("usable", "remaining"), [(10, 40), (5, 80)])
def test_a_forecast_ends_with_the_target_at_the_acceptance_of_the_first_rows(
    usable: int, remaining: int
) -> None:
    counters: dict[Split, Counters] = {
        "train": Counters(rows=1000, done=10, accepted=usable, requests=30)
    }
    rows = TOOK.model_copy(update={"usable": usable, "unusable": 10 - usable})
    limited = spec_of(target_rows=40 + usable, min_rows=10)
    expected = forecast(limited, {"train": scan_of(1000)}, counters, rows, 0)
    assert expected is not None
    assert expected.requests == 30 + 3 * remaining


def test_a_forecast_has_no_more_rows_than_there_are() -> None:
    counters: dict[Split, Counters] = {"train": Counters(rows=100, done=10, accepted=10)}
    limited = spec_of(target_rows=500)
    expected = forecast(limited, {"train": scan_of(100)}, counters, TOOK, 0)
    assert expected is not None
    assert expected.requests == 3 * 90
