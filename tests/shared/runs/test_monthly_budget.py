"""A dry run says whether the run is expected to keep to the app's budget of the month."""

from __future__ import annotations

from shared.runs.monthly_budget import MonthLimit, month_error, month_warnings
from shared.spec.budget import Usage
from shared.spec.teacher_prices import TeacherPrices
from shared.teacher.budget import MonthlySpend

MONTH = MonthlySpend(month="2026-11", limit=10, spent=6, reserved=1)
PRICES = TeacherPrices(1, 10)


def test_a_run_that_a_whole_month_cannot_pay_for_would_fail() -> None:
    whole = MonthLimit(limit=10, prices=PRICES)
    error = month_error(whole, Usage(prompt_tokens=11_000_000))
    assert error is not None
    assert error["code"] == "budget"
    [problem] = error["details"]
    assert problem["where"] == "MONTHLY_BUDGET"
    assert "at least 11 are expected" in problem["problem"]
    assert month_error(whole, Usage(completion_tokens=1_000_000)) is None


def test_a_run_that_the_rest_of_the_month_cannot_pay_for_is_warned_of() -> None:
    [warning] = month_warnings(MONTH, Usage(prompt_tokens=3_100_000), PRICES)
    assert "3.1 are expected, but 3 of 10 are left in 2026-11" in warning
    assert month_warnings(MONTH, Usage(prompt_tokens=3_000_000), PRICES) == []
