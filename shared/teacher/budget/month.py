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

from pydantic import BaseModel, Field, computed_field

from shared.core.errors import Problem, TransientError
from shared.core.paths import monthly_spend
from shared.core.settings import MONTHLY_BUDGET, Settings
from shared.core.shared_document import SharedDocument
from shared.core.shared_resources import shared
from shared.spec.budget import MILLION, Usage
from shared.spec.models import BudgetSpec, RunSpec
from shared.spec.teacher_prices import TeacherPrices, teacher_prices
from shared.teacher.budget.lease import BudgetLease
from shared.teacher.budget.ledger import COST_UNITS, Amounts, Ledger
from shared.teacher.budget.reservation import Budget, OverBudget, Tokens

if TYPE_CHECKING:
    from shared.core.storage import Storage

PRICE_OF_A_MILLION = 1.0
"""Of a million "tokens", each of which is a millionth of the currency."""


class MonthEnded(TransientError):
    """The next request belongs to the next month, whose budget is another one: open it again."""


class MonthlySpend(BaseModel):
    """How much of the month's budget is used, in the currency of the prices."""

    month: str = Field(description="calendar month in UTC, `YYYY-MM`")
    limit: float = Field(description="MONTHLY_BUDGET")
    spent: float = Field(description="by requests that were answered or failed")
    reserved: float = Field(
        description="for requests in flight and the next ones, and by workers that were killed: "
        "what they had reserved counts as spent, an upper bound"
    )

    @computed_field(description="what further requests may spend")
    @property
    def remaining(self) -> float:
        return round(max(0.0, self.limit - self.spent - self.reserved), 6)


def this_month() -> str:
    """Return the calendar month in UTC, `YYYY-MM`."""
    return datetime.now(UTC).strftime("%Y-%m")


class MonthlyBudget:
    """A `Budget` that keeps to another one, such as the run's, and to the month's.

    Once the month is over, nothing more is reserved of it.
    """

    counts_tokens = True

    def __init__(self, run: Budget, app: BudgetLease, prices: TeacherPrices, month: str) -> None:
        self._run = run
        self._app = app
        self._prices = prices
        self._month = month

    def try_reserve(self, most: Tokens) -> bool:
        """Reserve, unless that has to wait."""
        if self._has_ended or not self._run.try_reserve(most):
            return False
        if self._app.try_reserve(self._money(most)):
            return True
        self._run.release(most)
        return False

    async def reserve(self, most: Tokens, *, is_further: bool = False) -> None:
        """Wait for a reservation. Raises OverBudget, MonthEnded, and errors of the storage.

        A request holds its part of the run's budget while it waits for the month's. While it waits
        for the run's it holds nothing, so no two requests wait for each other.
        """
        self._check_month()
        await self._run.reserve(most, is_further=is_further)
        try:
            await self._app.reserve(self._money(most), is_further=is_further)
        except BaseException as error:
            self._run.release(most)
            if isinstance(error, OverBudget):
                self._check_month()
                raise self._used_up(error) from None
            raise
        if self._has_ended:
            self.release(most)
            self._check_month()

    def release(self, most: Tokens) -> None:
        """Give back a reservation whose request wasn't sent."""
        self._run.release(most)
        self._app.release(self._money(most))

    def settle(self, most: Tokens, used: Tokens) -> None:
        """Replace a reservation by what was used."""
        self._run.settle(most, used)
        self._app.settle(self._money(most), self._money(used))

    @property
    def _has_ended(self) -> bool:
        return this_month() != self._month

    def _check_month(self) -> None:
        if self._has_ended:
            raise MonthEnded(f"{self._month} is over: the budget of the next month counts now")

    def _money(self, tokens: Tokens) -> Tokens:
        """Return what tokens cost, in millionths of the currency."""
        return Tokens(prompt=math.ceil(self._prices.cost(*tokens) * MILLION))

    def _used_up(self, error: OverBudget) -> OverBudget:
        details: list[Problem] = []
        for entry in error.details:
            problem = f"{entry['problem']}, or resume the run next month"
            details.append({"where": MONTHLY_BUDGET, "problem": problem})
        message = f"the app's budget for {self._month} allows no further request"
        return OverBudget(message, details=details)


@asynccontextmanager
async def open_monthly_budget(
    storage: Storage, spec: RunSpec, settings: Settings, run: Budget
) -> AsyncGenerator[Budget]:
    """Keep to the month's budget besides the run's, if the app has one.

    Raises InvalidInput if the run's teacher has no price: the setting may be newer than the run.
    """
    limit = settings.monthly_budget
    if limit is None or spec.answers.are_provided:
        yield run
        return
    prices = teacher_prices(spec, settings)
    if prices.are_zero:
        yield run
        return
    month = this_month()
    # runs in one process share a lease, as the requests of a run do
    async with shared(("month", month), lambda: _open_lease(storage, month, limit)) as app:
        yield MonthlyBudget(run, app, prices, month)


@asynccontextmanager
async def _open_lease(storage: Storage, month: str, limit: float) -> AsyncGenerator[BudgetLease]:
    budget = BudgetSpec(max_cost=limit, prompt_price=PRICE_OF_A_MILLION, completion_price=0)
    lease = BudgetLease(_ledger(storage, month), budget)
    try:
        yield lease
    finally:
        await lease.close()


async def read_monthly_spend(storage: Storage, settings: Settings) -> MonthlySpend | None:
    """Return how much of this month's budget is used, None if the app has no such budget."""
    if settings.monthly_budget is None:
        return None
    month = this_month()
    ledger = await _ledger(storage, month).read()
    used = Usage()
    reserved = Amounts()
    used.add(ledger.rows)
    for entry in ledger.workers.values():
        used.add(entry.used)
        reserved += entry.lease
    return MonthlySpend(
        month=month,
        limit=settings.monthly_budget,
        spent=used.prompt_tokens / MILLION,
        reserved=reserved.cost / COST_UNITS,
    )


def _ledger(storage: Storage, month: str) -> SharedDocument[Ledger]:
    return SharedDocument(storage, monthly_spend(month), Ledger)
