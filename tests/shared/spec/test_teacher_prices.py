"""A monthly budget counts stated prices, and refuses a run whose teacher has none."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.errors import InvalidInput
from shared.core.settings import STORAGE, Settings, load
from shared.spec.parse import parse_spec
from shared.spec.resolution import check_services, resolve
from shared.spec.teacher_prices import TeacherPrices, teacher_prices

TRAIN = "datasets/math/x/train.jsonl"


def settings_of(**values: str) -> Settings:
    complete = {
        STORAGE: "AccountName=a",
        "TEACHER_BASE_URL": "https://teacher/v1",
        "TEACHER_MODEL": "gpt-4.1",
    }
    return load({**complete, **values})


def problems_of(settings: Settings, **fields: Any) -> dict[str, str]:
    """What refuses a run, by place."""
    spec = parse_spec({"task": "math", "train": TRAIN, "student": None, **fields})
    with pytest.raises(InvalidInput) as refused:
        check_services(spec, settings)
    return {problem["where"]: problem["problem"] for problem in refused.value.details}


def test_a_run_whose_teacher_has_a_list_price_alone_is_refused_under_a_monthly_budget() -> None:
    problems = problems_of(settings_of(MONTHLY_BUDGET="10", TEACHER_COMPLETION_PRICE="2"))
    assert list(problems) == ["budget.prompt_price"]
    assert "or TEACHER_PROMPT_PRICE for the app (0 if it costs nothing)" in next(
        iter(problems.values())
    )


def test_the_apps_prices_are_of_its_own_teacher_alone() -> None:
    settings = settings_of(
        MONTHLY_BUDGET="10", TEACHER_PROMPT_PRICE="1", TEACHER_COMPLETION_PRICE="2"
    )
    problems = problems_of(settings, teacher={"model": "other"})
    assert list(problems) == ["budget.prompt_price", "budget.completion_price"]
    assert "TEACHER_PROMPT_PRICE" not in problems["budget.prompt_price"]


def test_a_run_cannot_lower_the_price_of_the_apps_teacher() -> None:
    settings = settings_of(TEACHER_PROMPT_PRICE="1")
    budget = {"prompt_price": 0, "completion_price": 0}
    spec = parse_spec({"task": "math", "train": TRAIN, "budget": budget})
    assert teacher_prices(spec, settings) == TeacherPrices(1, 0)


@pytest.mark.parametrize(
    ("monthly_budget", "fields"),
    [
        ("10", {"budget": {"prompt_price": 0, "completion_price": 0}}),
        ("10", {"answers": {"source": "provided"}}),
        ("", {}),
    ],
)
def test_a_teacher_may_cost_nothing_and_needs_no_price_without_such_a_budget(
    monthly_budget: str, fields: dict[str, Any]
) -> None:
    spec = parse_spec({"task": "math", "train": TRAIN, "student": None, **fields})
    resolve(spec, settings_of(MONTHLY_BUDGET=monthly_budget), "math-x")
