"""Workers share a budget through its ledger: none exceeds it, and nothing sent is forgotten."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import cast

import pytest

from shared.core.counters import Counters
from shared.core.paths import RunPaths
from shared.core.storage import Storage, Version
from shared.spec.budget import cost
from shared.spec.models import BudgetSpec
from shared.teacher.budget import (
    BudgetLease,
    OverBudget,
    Tokens,
    open_budget,
    other_requests,
    read_ledger,
)
from shared.teacher.budget import lease as module
from shared.teacher.budget.ledger import ledger_document
from shared.teacher.budget.reservation import used_tokens
from shared.teacher.completion import Completion
from tests.support.http_teacher import HELLO
from tests.support.memory_storage import MemoryStorage

PATHS = RunPaths("test")
MOST = Tokens(30, 100)


@pytest.fixture
def memory() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def storage(memory: MemoryStorage) -> Storage:
    return cast(Storage, memory)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)


class Requests:
    """What was sent, and how many requests were in flight at most when so much had been sent."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.sent = 0
        self.tokens = 0
        self.in_flight = 0
        self.most_in_flight: list[int] = []

    async def send(self, budget: BudgetLease) -> None:
        """Send one request. Raises OverBudget."""
        if not budget.try_reserve(MOST):
            await budget.reserve(MOST)
        self.sent += 1
        self.in_flight += 1
        self.most_in_flight.append(self.in_flight)
        await asyncio.sleep(self.random.uniform(0, 0.004))
        used = Tokens(self.random.randint(5, 30), self.random.randint(1, 100))
        self.in_flight -= 1
        self.tokens += sum(used)
        budget.settle(MOST, used)

    async def send_all(self, budget: BudgetLease, at_once: int = 16) -> list[OverBudget]:
        """Send requests until the budget is used up."""

        async def work() -> None:
            while True:
                await self.send(budget)

        ends = await asyncio.gather(*(work() for _ in range(at_once)), return_exceptions=True)
        assert all(isinstance(end, OverBudget) for end in ends), ends
        return cast(list[OverBudget], ends)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("workers", [1, 4])
async def test_workers_send_exactly_the_requests_that_the_budget_allows(
    storage: Storage, workers: int, seed: int
) -> None:
    requests = Requests(seed)
    async with AsyncExitStack() as opened:
        budgets = [
            await opened.enter_async_context(
                open_budget(storage, PATHS, BudgetSpec(max_requests=203))
            )
            for _ in range(workers)
        ]
        await asyncio.gather(*(requests.send_all(budget) for budget in budgets))
    ledger = await read_ledger(storage, PATHS)
    assert requests.sent == ledger.rows.requests == 203
    assert ledger.rows.tokens == requests.tokens
    assert not ledger.workers


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("workers", [1, 4])
async def test_tokens_stay_below_their_limit_and_fewer_requests_are_in_flight_near_it(
    storage: Storage, workers: int, seed: int
) -> None:
    requests = Requests(seed)
    limit = BudgetSpec(max_tokens=20_000)
    async with AsyncExitStack() as opened:
        budgets = [
            await opened.enter_async_context(open_budget(storage, PATHS, limit))
            for _ in range(workers)
        ]
        ends = await asyncio.gather(*(requests.send_all(budget) for budget in budgets))
    assert 20_000 - sum(MOST) < requests.tokens <= 20_000
    assert 8 < max(requests.most_in_flight) > 2 * requests.most_in_flight[-1]
    [problem] = ends[0][0].details
    assert problem["where"] == "budget.max_tokens"
    assert "the next request may use 130, but the limit is 20,000" in problem["problem"]


@pytest.mark.parametrize("seed", range(2))
async def test_cost_stays_below_its_limit_also_where_prices_are_no_round_numbers(
    storage: Storage, seed: int
) -> None:
    requests = Requests(seed)
    limit = BudgetSpec(max_cost=0.0301, prompt_price=0.137, completion_price=2.913)
    async with (
        open_budget(storage, PATHS, limit) as one,
        open_budget(storage, PATHS, limit) as other,
    ):
        async with asyncio.timeout(30):
            await asyncio.gather(requests.send_all(one), requests.send_all(other))
    ledger = await read_ledger(storage, PATHS)
    spent = cost(ledger.rows, limit)
    assert spent is not None
    assert 0.0301 - (30 * 0.137 + 100 * 2.913) / 1e6 < spent <= 0.0301


async def test_what_is_too_little_for_one_request_is_used_by_smaller_ones(storage: Storage) -> None:
    async with open_budget(storage, PATHS, BudgetSpec(max_tokens=500)) as budget:
        await budget.reserve(Tokens(0, 300))
        large = asyncio.create_task(budget.reserve(Tokens(0, 400), is_further=True))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await budget.reserve(Tokens(0, 100))
            budget.settle(Tokens(0, 100), Tokens(0, 100))
            budget.settle(Tokens(0, 300), Tokens(0, 300))
            with pytest.raises(OverBudget):
                await large


async def test_a_limit_of_less_than_one_request_allows_none(storage: Storage) -> None:
    requests = Requests()
    async with open_budget(storage, PATHS, BudgetSpec(max_tokens=129)) as budget:
        await requests.send_all(budget)
    assert requests.sent == 0


async def test_the_budget_of_a_resumed_run_includes_what_earlier_rounds_used(
    storage: Storage,
) -> None:
    requests = Requests()
    for limit in (5, 5, 8):
        async with open_budget(storage, PATHS, BudgetSpec(max_requests=limit)) as budget:
            await requests.send_all(budget)
        assert requests.sent == limit


async def test_a_killed_worker_has_used_its_lease_and_others_go_on_without_it(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIN_LEASE_REQUESTS", 8)
    monkeypatch.setattr("shared.teacher.budget.ledger.SILENT_SECONDS", 0.3)
    limits = BudgetSpec(max_requests=40)
    killed = open_budget(storage, PATHS, limits)
    budget = await killed.__aenter__()
    requests = Requests()
    await requests.send(budget)
    assert (await read_ledger(storage, PATHS)).rows.requests == 0
    await _kill(budget)
    async with open_budget(storage, PATHS, limits) as other:
        await requests.send_all(other)
    ledger = await read_ledger(storage, PATHS)
    [entry] = ledger.workers.values()
    assert entry.used.requests + entry.lease.requests + ledger.rows.requests == 40
    recorded = [Counters(requests=requests.sent - 1)]
    lost = other_requests(ledger, recorded, limits).unrecorded
    assert (lost.requests, lost.tokens) == (8, None)
    monkeypatch.setattr(budget, "_document", None)
    monkeypatch.setattr(budget, "_is_registered", False)
    await killed.__aexit__(None, None, None)


async def _kill(budget: BudgetLease) -> None:
    keeper = budget._keeper  # pyright: ignore[reportPrivateUsage]
    assert keeper is not None
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)


async def test_a_request_waits_for_what_another_worker_gives_back(storage: Storage) -> None:
    limits = BudgetSpec(max_tokens=300)
    async with (
        open_budget(storage, PATHS, limits) as other,
        open_budget(storage, PATHS, limits) as budget,
    ):
        await other.reserve(Tokens(0, 250))
        waiting = asyncio.create_task(budget.reserve(MOST))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        other.settle(Tokens(0, 250), Tokens(10, 10))
        await other.close()
        async with asyncio.timeout(5):
            await waiting
        budget.settle(MOST, MOST)


async def test_a_reservation_of_a_cancelled_wait_is_given_back(storage: Storage) -> None:
    async with open_budget(storage, PATHS, BudgetSpec(max_tokens=200)) as budget:
        await budget.reserve(MOST)
        waiting = asyncio.create_task(budget.reserve(MOST))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        budget.release(MOST)
        assert budget.try_reserve(MOST)
        budget.settle(MOST, MOST)
    assert (await read_ledger(storage, PATHS)).rows.tokens == sum(MOST)


async def test_a_write_that_is_confirmed_too_late_counts_once(
    memory: MemoryStorage, storage: Storage
) -> None:
    memory.lose = lambda: memory.writes % 2 == 1
    requests = Requests()
    async with open_budget(storage, PATHS, BudgetSpec(max_requests=50)) as budget:
        await requests.send_all(budget)
    ledger = await read_ledger(storage, PATHS)
    assert requests.sent == ledger.rows.requests == 50


async def test_without_limits_the_ledger_is_written_seldom_and_counts_all(
    memory: MemoryStorage, storage: Storage
) -> None:
    requests = Requests()
    async with open_budget(storage, PATHS, BudgetSpec()) as budget:
        for _ in range(20):
            await asyncio.gather(*(requests.send(budget) for _ in range(50)))
    ledger = await read_ledger(storage, PATHS)
    assert ledger.rows.requests == 1000
    assert memory.writes < 20
    recorded = [Counters(requests=990, prompt_tokens=requests.tokens - 7)]
    unrecorded = other_requests(ledger, recorded, BudgetSpec()).unrecorded
    assert (unrecorded.requests, unrecorded.tokens) == (10, 7)


async def test_a_request_that_comes_while_an_idle_worker_gives_back_its_lease_is_not_refused(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEWAL_SECONDS", 0.0)
    requests = Requests()
    async with open_budget(storage, PATHS, BudgetSpec(max_requests=1000)) as budget:
        for _ in range(100):
            await requests.send(budget)
            for _ in range(requests.random.randint(0, 8)):
                await asyncio.sleep(0)
    assert requests.sent == 100


async def test_a_ledger_that_cannot_be_written_fails_the_requests_that_wait(
    memory: MemoryStorage, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(name: str) -> Version | None:
        raise OSError("the storage is away")

    requests = Requests()
    async with open_budget(storage, PATHS, BudgetSpec(max_requests=10)) as budget:
        with monkeypatch.context() as away:
            away.setattr(memory, "read_version", broken)
            with pytest.raises(OSError, match="away"):
                await requests.send(budget)
        await requests.send_all(budget)
    assert requests.sent == 10


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
async def test_a_killed_worker_whose_clock_was_wrong_is_not_waited_for(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    limits = BudgetSpec(max_requests=40)
    killed = BudgetLease(ledger_document(storage, PATHS), limits)
    with monkeypatch.context() as wrong:
        now = module.time.time() + skew
        wrong.setattr(module.time, "time", lambda: now)
        await Requests().send(killed)
    await _kill(killed)
    async with asyncio.timeout(20), open_budget(storage, PATHS, limits) as other:
        await Requests().send_all(other)


async def test_workers_that_wait_for_another_write_nothing(
    memory: MemoryStorage, storage: Storage
) -> None:
    limits = BudgetSpec(max_requests=1)
    async with AsyncExitStack() as opened:
        leases = [
            await opened.enter_async_context(open_budget(storage, PATHS, limits)) for _ in range(9)
        ]
        await leases[0].reserve(MOST)
        waiting = [asyncio.create_task(lease.reserve(MOST)) for lease in leases[1:]]
        await asyncio.sleep(0.3)
        written = memory.writes
        await asyncio.sleep(0.2)
        assert memory.writes == written
        leases[0].settle(MOST, MOST)
        await leases[0].close()
        for ended in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(ended, OverBudget)


async def test_what_a_reply_took_beyond_its_reservation_is_missing_from_the_budget(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEWAL_SECONDS", 0.01)
    async with open_budget(storage, PATHS, BudgetSpec(max_tokens=100_000)) as budget:
        await budget.reserve(MOST)
        await budget.reserve(MOST)
        budget.settle(MOST, Tokens(30, 50_000))
        await asyncio.sleep(0.1)
        [entry] = (await read_ledger(storage, PATHS)).workers.values()
        assert entry.used.tokens + entry.lease.tokens >= 50_030 + sum(MOST)
        budget.settle(MOST, MOST)


@pytest.mark.parametrize(
    ("reported", "used"),
    [
        ((5, 2), Tokens(5, 2)),
        ((5, 0), Tokens(5, 3)),
        ((0, 2), Tokens(9, 2)),
        ((0, 0), Tokens(9, 3)),
    ],
)
def test_tokens_that_a_reply_does_not_report_are_estimated(
    reported: tuple[int, int], used: Tokens
) -> None:
    reply = Completion("one two six", "stop", None, None, *reported, model="m")
    assert used_tokens(reply, HELLO, None, 100) == used
