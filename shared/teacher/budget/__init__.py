"""The budget of a run: every request reserves what it may use, and settles what it has used."""

from __future__ import annotations

from shared.teacher.budget.lease import BudgetLease, open_budget
from shared.teacher.budget.ledger import OtherRequests, Unrecorded, other_requests, read_ledger
from shared.teacher.budget.month import open_budgets, this_month
from shared.teacher.budget.reservation import Budget, NoBudget, OverBudget, Tokens

__all__ = [
    "Budget",
    "BudgetLease",
    "NoBudget",
    "OtherRequests",
    "OverBudget",
    "Tokens",
    "Unrecorded",
    "open_budget",
    "open_budgets",
    "other_requests",
    "read_ledger",
    "this_month",
]
