"""Runs share the month's budget through its ledger: together they never exceed it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest

from shared.core.process import Process, use
from shared.core.settings import STORAGE, load
from shared.core.storage import Storage
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.spec.teacher_prices import TeacherPrices
from shared.teacher import Budget, NoBudget
from shared.teacher.budget import (
    MonthEnded,
    OverBudget,
    Tokens,
    open_monthly_budget,
    read_monthly_spend,
)
from shared.teacher.budget import lease as lease_module
from shared.teacher.budget import month as module
from tests.support.memory_storage import MemoryStorage

MOST = Tokens(30, 100)
LIMIT = 0.05
SETTINGS = load(
    {
        STORAGE: "AccountName=a",
        "TEACHER_BASE_URL": "https://teacher/v1",
        "TEACHER_MODEL": "m",
        "MONTHLY_BUDGET": str(LIMIT),
    }
)
CHEAP = TeacherPrices(0.137, 2.913)
DEAR = TeacherPrices(2.5, 10)


def run_with(prices: TeacherPrices) -> RunSpec:
    budget = {"prompt_price": prices.prompt, "completion_price": prices.completion}
    return parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl", "budget": budget})


@pytest.fixture
def storage() -> Storage:
    return cast(Storage, MemoryStorage())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(lease_module, "POLL_SECONDS", 0.02)
    before = use(Process())
    yield
    use(before)


@asynccontextmanager
async def open_month(
    storage: Storage, prices: TeacherPrices, process: Process
) -> AsyncGenerator[Budget]:
    """Open the month's budget in a process. Runs in the same one share a lease."""
    use(process)
    async with open_monthly_budget(storage, run_with(prices), SETTINGS, NoBudget()) as budget:
        yield budget


class Spending:
    """Requests of runs with different prices, and what they cost together."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cost = 0.0

    async def send_until_it_is_used_up(self, budget: Budget, prices: TeacherPrices) -> OverBudget:
        async def send() -> None:
            while True:
                if not budget.try_reserve(MOST):
                    await budget.reserve(MOST)
                await asyncio.sleep(self.random.uniform(0, 0.004))
                used = Tokens(self.random.randint(5, 30), self.random.randint(1, 100))
                self.cost += prices.cost(*used)
                assert self.cost <= LIMIT
                budget.settle(MOST, used)

        ends = await asyncio.gather(*(send() for _ in range(8)), return_exceptions=True)
        for end in ends:
            assert isinstance(end, OverBudget), end
        return cast(OverBudget, ends[0])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("processes", [1, 3])
async def test_runs_with_different_prices_never_exceed_the_month_together(
    storage: Storage, processes: int, seed: int
) -> None:
    spending = Spending(seed)
    runs = [CHEAP, DEAR, DEAR]
    workers = [Process() for _ in range(processes)]
    async with AsyncExitStack() as opened:
        budgets = [
            await opened.enter_async_context(
                open_month(storage, prices, workers[number % processes])
            )
            for number, prices in enumerate(runs)
        ]
        async with asyncio.timeout(30):
            ends = await asyncio.gather(
                *map(spending.send_until_it_is_used_up, budgets, runs),
            )
    rounded_up = 1e-6 * 1000  # requests
    assert LIMIT - CHEAP.cost(*MOST) - rounded_up < spending.cost <= LIMIT
    month = await read_monthly_spend(storage, SETTINGS)
    assert month is not None
    assert spending.cost <= month.spent <= LIMIT
    assert month.reserved == 0
    [problem] = ends[0].details
    assert problem["where"] == "MONTHLY_BUDGET"
    assert problem["problem"].endswith("or resume the run next month")


async def test_a_teacher_that_costs_nothing_needs_nothing_of_the_month(storage: Storage) -> None:
    run = NoBudget()
    async with open_monthly_budget(storage, run_with(TeacherPrices(0, 0)), SETTINGS, run) as budget:
        assert budget is run


async def test_what_the_month_refuses_is_given_back_to_the_run(storage: Storage) -> None:
    class Run(NoBudget):
        reserved = 0

        def try_reserve(self, most: Tokens) -> bool:
            self.reserved += 1
            return True

        async def reserve(self, most: Tokens, *, is_further: bool = False) -> None:
            self.reserved += 1

        def release(self, most: Tokens) -> None:
            self.reserved -= 1

    run = Run()
    async with open_monthly_budget(storage, run_with(DEAR), SETTINGS, run) as budget:
        too_much = Tokens(0, 5001)
        assert not budget.try_reserve(too_much)
        with pytest.raises(OverBudget):
            await budget.reserve(too_much)
    assert run.reserved == 0


async def test_requests_of_the_next_month_are_in_its_ledger(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "this_month", lambda: "2026-11")
    async with open_monthly_budget(storage, run_with(DEAR), SETTINGS, NoBudget()) as november:
        await november.reserve(MOST)
        in_flight = await read_monthly_spend(storage, SETTINGS)
        assert in_flight is not None
        assert (in_flight.spent, in_flight.remaining) == (0, LIMIT - in_flight.reserved)
        assert in_flight.reserved >= DEAR.cost(*MOST)

        monkeypatch.setattr(module, "this_month", lambda: "2026-12")
        assert not november.try_reserve(MOST)
        with pytest.raises(MonthEnded):
            await november.reserve(MOST)
        async with open_monthly_budget(storage, run_with(DEAR), SETTINGS, NoBudget()) as december:
            await december.reserve(MOST)
            december.settle(MOST, Tokens(2, 1))
        november.settle(MOST, Tokens(0, 100))

    month = await read_monthly_spend(storage, SETTINGS)
    assert month is not None
    assert (month.month, month.spent) == ("2026-12", 15e-6)
    monkeypatch.setattr(module, "this_month", lambda: "2026-11")
    month = await read_monthly_spend(storage, SETTINGS)
    assert month is not None
    assert (month.spent, month.reserved) == (0.001, 0)
