"""What a dry run says of MONTHLY_BUDGET: whether the run is expected to keep to it. Pure."""

from __future__ import annotations

from shared.core.errors import ErrorCode, ErrorData, Problem
from shared.core.settings import MONTHLY_BUDGET
from shared.spec.budget import Usage
from shared.spec.teacher_prices import TeacherPrices
from shared.teacher.budget import MonthlySpend


def month_error(month: MonthlySpend, lowest: Usage, prices: TeacherPrices) -> ErrorData | None:
    """Return why a run would fail whose lowest cost exceeds the budget of a whole month."""
    cost = _cost(lowest, prices)
    if cost <= month.limit:
        return None
    problem = (
        f"at least {_amount(cost)} are expected, but the limit of a whole month is "
        f"{_amount(month.limit)}: raise it, or start the run with fewer rows"
    )
    details: list[Problem] = [{"where": MONTHLY_BUDGET, "problem": problem}]
    message = "the run would exceed the app's budget for a month"
    return {"code": ErrorCode.BUDGET, "message": message, "details": details}


def month_warnings(month: MonthlySpend, expected: Usage, prices: TeacherPrices) -> list[str]:
    """Return a warning if less is left of the month than the run is expected to cost."""
    cost = _cost(expected, prices)
    if cost <= month.remaining:
        return []
    return [
        f"{MONTHLY_BUDGET}: {_amount(cost)} are expected, but {_amount(month.remaining)} of "
        f"{_amount(month.limit)} are left in {month.month}: raise it, or the run stops there and "
        "can be resumed next month"
    ]


def _cost(usage: Usage, prices: TeacherPrices) -> float:
    return prices.cost(usage.prompt_tokens, usage.completion_tokens)


def _amount(amount: float) -> str:
    return f"{amount:,.4g}"
