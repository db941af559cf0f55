"""MONTHLY_BUDGET: what all runs of the app together may spend on their teachers in a month (UTC).

A ledger beside those of the runs, `_app/spend/<month>.json`, which is kept in the same way. Runs
have teachers of different prices, so it counts money alone: what it calls prompt tokens are
millionths of the currency.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.core.errors import Problem
from shared.core.paths import RunPaths, monthly_spend
from shared.core.settings import MONTHLY_BUDGET, Settings
from shared.core.shared_document import SharedDocument
from shared.core.shared_resources import shared
from shared.spec.models import BudgetSpec, RunSpec
from shared.spec.quote import TeacherPrices, teacher_prices
from shared.teacher.budget.lease import BudgetLease, open_budget
from shared.teacher.budget.ledger import Ledger
from shared.teacher.budget.reservation import Budget, OverBudget, Tokens

if TYPE_CHECKING:
    from shared.core.storage import Storage

PRICE_OF_A_MILLIONTH = 1.0
"""Of a million "tokens", each of which is a millionth of the currency."""


def this_month() -> str:
    """Return the calendar month in UTC, `YYYY-MM`."""
    return datetime.now(UTC).strftime("%Y-%m")


class MonthlyBudget:
    """A `Budget` that keeps to the run's and to the month's."""

    counts_tokens = True

    def __init__(
        self, run: BudgetLease, app: BudgetLease, prices: TeacherPrices, month: str
    ) -> None:
        self._run = run
        self._app = app
        self._prices = prices
        self._month = month

    def try_reserve(self, most: Tokens) -> bool:
        """Reserve, unless that has to wait."""
        if not self._run.try_reserve(most):
            return False
        if self._app.try_reserve(self._money(most)):
            return True
        self._run.release(most)
        return False

    async def reserve(self, most: Tokens, *, is_further: bool = False) -> None:
        """Wait for a reservation. Raises OverBudget, and errors of the storage.

        A request holds its part of the run's budget while it waits for the month's. The other way
        round nothing is held, so no two requests wait for each other.
        """
        await self._run.reserve(most, is_further=is_further)
        try:
            await self._app.reserve(self._money(most), is_further=is_further)
        except BaseException as error:
            self._run.release(most)
            if isinstance(error, OverBudget):
                raise self._used_up(error) from None
            raise

    def release(self, most: Tokens) -> None:
        """Give back a reservation whose request wasn't sent."""
        self._run.release(most)
        self._app.release(self._money(most))

    def settle(self, most: Tokens, used: Tokens) -> None:
        """Replace a reservation by what was used."""
        self._run.settle(most, used)
        self._app.settle(self._money(most), self._money(used))

    def _money(self, tokens: Tokens) -> Tokens:
        """Return what tokens cost, in millionths of the currency."""
        prompt = tokens.prompt * (self._prices.prompt or 0)
        return Tokens(prompt=math.ceil(prompt + tokens.completion * (self._prices.completion or 0)))

    def _used_up(self, error: OverBudget) -> OverBudget:
        details: list[Problem] = [
            {
                "where": MONTHLY_BUDGET,
                "problem": f"{entry['problem']}, or resume the run next month",
            }
            for entry in error.details
        ]
        message = f"the app's budget for {self._month} is used up"
        return OverBudget(message, details=details)


@asynccontextmanager
async def open_budgets(
    storage: Storage,
    paths: RunPaths,
    spec: RunSpec,
    settings: Settings,
    *,
    is_preflight: bool = False,
) -> AsyncGenerator[Budget]:
    """Open a lease of a run's budget and, if the app has one, of the month's."""
    limit = settings.monthly_budget
    async with open_budget(storage, paths, spec.budget, is_preflight=is_preflight) as run:
        if limit is None:
            yield run
            return
        month = this_month()
        async with shared(("month", month), lambda: _open_month(storage, month, limit)) as app:
            yield MonthlyBudget(run, app, teacher_prices(spec, settings), month)


@asynccontextmanager
async def _open_month(storage: Storage, month: str, limit: float) -> AsyncGenerator[BudgetLease]:
    document = SharedDocument(storage, monthly_spend(month), Ledger)
    spec = BudgetSpec(max_cost=limit, prompt_price=PRICE_OF_A_MILLIONTH, completion_price=0)
    lease = BudgetLease(document, spec)
    try:
        yield lease
    finally:
        await lease.close()
