"""The small parts that orchestrators are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from orchestrators.durable.waiting import RunFailed, activity_error, event_data, successful
from shared.runs.contracts import PREFLIGHT


@dataclass
class Arrived:
    """An event that has arrived."""

    result: Any
    is_completed: bool = True


@pytest.mark.parametrize(
    ("result", "data"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ("user", "user"),
        ('"user"', "user"),
        (None, None),
        (7, 7),
    ],
)
def test_an_events_data_is_read_however_often_it_was_encoded(result: Any, data: Any) -> None:
    assert event_data(Arrived(result)) == data


def test_a_result_that_is_a_failure_is_raised_with_all_its_problems() -> None:
    problems = [
        {"where": "train", "problem": "is missing"},
        {"where": "task", "problem": "is none"},
    ]
    error = {"code": "invalid_input", "message": "no", "details": problems}
    output = PREFLIGHT.parse({"status": "failed", "error": error})
    with pytest.raises(RunFailed, match="no") as failure:
        successful(output)
    assert failure.value.error == error


def test_any_other_result_is_passed_on() -> None:
    output = PREFLIGHT.parse({"status": "ok", "warnings": ["mind"]})
    assert successful(output).warnings == ["mind"]


def test_an_activity_that_keeps_raising_is_named_with_what_it_raised() -> None:
    assert (
        activity_error("preflight", ConnectionError("no route"))["message"]
        == "preflight kept failing: no route"
    )
