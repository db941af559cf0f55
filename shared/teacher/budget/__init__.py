"""The budgets of a run and of a month: every request reserves what it may use, and settles what it
has used.
"""

from __future__ import annotations

from shared.teacher.budget.lease import BudgetLease, open_budget
from shared.teacher.budget.ledger import OtherRequests, Unrecorded, other_requests, read_ledger
from shared.teacher.budget.month import (
    MonthEnded,
    MonthlySpend,
    open_monthly_budget,
    read_monthly_spend,
    this_month,
)
from shared.teacher.budget.reservation import Budget, NoBudget, OverBudget, Tokens

__all__ = [
    "Budget",
    "BudgetLease",
    "MonthEnded",
    "MonthlySpend",
    "NoBudget",
    "OtherRequests",
    "OverBudget",
    "Tokens",
    "Unrecorded",
    "open_budget",
    "open_monthly_budget",
    "other_requests",
    "read_ledger",
    "read_monthly_spend",
    "this_month",
]
