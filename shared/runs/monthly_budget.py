"""Whether a run is expected to keep to MONTHLY_BUDGET, before its teacher is asked. Pure."""

from __future__ import annotations

from pydantic import BaseModel

from shared.core.errors import ErrorCode, ErrorData, Problem
from shared.core.settings import MONTHLY_BUDGET, Settings
from shared.spec.budget import Usage
from shared.spec.models import RunSpec
from shared.spec.teacher_prices import TeacherPrices, teacher_prices
from shared.teacher.budget import MonthlySpend


class MonthLimit(BaseModel):
    """The budget of a whole month, and the prices of the run's teacher in it."""

    limit: float
    prices: TeacherPrices


def month_limit(spec: RunSpec, settings: Settings) -> MonthLimit | None:
    """Return the limit on what the run asks, None if it has none.

    Raises InvalidInput if the run's teacher has no price.
    """
    if settings.monthly_budget is None or spec.answers.are_provided:
        return None
    return MonthLimit(limit=settings.monthly_budget, prices=teacher_prices(spec, settings))


def month_error(month: MonthLimit, lowest: Usage) -> ErrorData | None:
    """Return why a run fails whose lowest cost exceeds the budget of a whole month."""
    cost = _cost(lowest, month.prices)
    if cost <= month.limit:
        return None
    problem = (
        f"at least {_amount(cost)} are expected, but the limit of a whole month is "
        f"{_amount(month.limit)}: raise it, start a run with fewer rows, or resume this one as "
        "it is, which spends several months' budgets"
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
