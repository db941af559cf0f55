"""A shard that has to contribute so many rows asks the first ones that make them up, no other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dataset.lines import Line
from shared.dataset.rejection import RejectionReason
from shared.generation.journal import Journal
from shared.generation.needed_rows import NeededRows
from shared.generation.record import Record
from shared.generation.worker_pool import WorkerPool

WORKERS = 7


def line(number: int) -> Line:
    return Line(number=number, start=0, end=0, content=b"")


def record(number: int, *, is_accepted: bool, round_: int = 0) -> Record:
    if is_accepted:
        return Record(line=number, status="accepted", round=round_)
    return Record(
        line=number,
        status="rejected",
        reason=RejectionReason.UNREADABLE,
        requests=1,
        round=round_,
    )


class Shard:
    """Lines 1 to `rows`, of which some are acceptable, in a journal in memory."""

    def __init__(
        self, rows: int, acceptable: set[int], *, held_out: set[int] | None = None, round_: int = 0
    ) -> None:
        self.rows = rows
        self.acceptable = acceptable
        self.round = round_
        held = held_out or set()
        storage = cast(Any, None)  # nothing is flushed
        self.journal = Journal(storage, "journal", rows, 0, held.__contains__)
        self.asked: list[int] = []
        self.failures: list[int] = []
        self.most_in_flight = 0
        self.keeps_failed = False

    async def run(self, needed: int, order: random.Random) -> None:
        in_flight = 0

        async def answer(row: Line) -> None:
            nonlocal in_flight
            self.asked.append(row.number)
            in_flight += 1
            self.most_in_flight = max(self.most_in_flight, in_flight)
            pool.add_worker()
            for _ in range(order.randint(0, 12)):
                await asyncio.sleep(0)
            in_flight -= 1
            is_accepted = row.number in self.acceptable
            self.journal.add(record(row.number, is_accepted=is_accepted, round_=self.round))

        def needs_answer(number: int) -> bool:
            return self.journal.needs_answer(number, self.round, keeps_failed=self.keeps_failed)

        selected = NeededRows(
            self.journal, needed, needs_answer, lambda failed: self.failures.append(failed.line)
        )
        pool = WorkerPool(selected.select(self._lines()), selected.deciding(answer), WORKERS)
        async with asyncio.timeout(10):
            await pool.run()
        self.journal.limit(needed)

    @property
    def contributed(self) -> list[int]:
        """The lines that count, in input order."""
        records = self.journal.needed_records
        return sorted(number for number in records if self.journal.counts(records[number]))

    async def _lines(self) -> AsyncIterator[list[Line]]:
        for first in range(1, self.rows + 1, 5):
            yield [line(number) for number in range(first, min(first + 5, self.rows + 1))]


@settings(max_examples=150, deadline=None)
@given(
    outcomes=st.lists(st.booleans(), max_size=40),
    held_out=st.sets(st.integers(1, 40), max_size=12),
    stored=st.sets(st.integers(1, 40), max_size=20),
    needed=st.integers(0, 45),
    seed=st.integers(),
)
def test_the_first_acceptable_rows_are_the_result_and_no_needless_row_is_asked(
    outcomes: list[bool], held_out: set[int], stored: set[int], needed: int, seed: int
) -> None:
    rows = len(outcomes)
    acceptable = {number for number, is_accepted in enumerate(outcomes, 1) if is_accepted}
    counting = sorted(acceptable - held_out)
    shard = Shard(rows, acceptable, held_out=held_out)
    for number in stored & set(range(1, rows + 1)):
        shard.journal.add(record(number, is_accepted=number in acceptable))
    asyncio.run(shard.run(needed, random.Random(seed)))
    last = rows
    if needed <= len(counting):
        last = counting[needed - 1] if needed else 0
    assert shard.contributed == counting[:needed]
    assert sorted(shard.asked) == [number for number in range(1, last + 1) if number not in stored]
    assert shard.asked == sorted(shard.asked)
    counters = shard.journal.counters()
    assert counters.adds_up
    assert counters.not_needed == rows - last
    assert counters.spare == len(
        [number for number in counting if number > last and number in stored]
    )


async def test_rows_are_asked_side_by_side_while_each_of_them_is_needed() -> None:
    shard = Shard(100, set(range(1, 101)))
    await shard.run(50, random.Random(1))
    assert (len(shard.asked), shard.most_in_flight) == (50, WORKERS)


@pytest.mark.parametrize(("keeps_failed", "asked"), [(False, [2, 4, 6]), (True, [6, 7])])
async def test_failures_of_an_earlier_round_are_asked_again_unless_enough_rows_were_accepted(
    keeps_failed: bool, asked: list[int]
) -> None:
    shard = Shard(20, set(range(1, 21)), round_=1)
    for number in range(1, 6):
        shard.journal.add(record(number, is_accepted=number % 2 == 1))
    shard.keeps_failed = keeps_failed
    needed = 6 if not keeps_failed else 5
    await shard.run(needed, random.Random(2))
    assert shard.asked == asked
    assert shard.failures == ([2, 4] if keeps_failed else [])


async def test_a_row_that_stays_without_an_outcome_ends_the_asking() -> None:
    shard = Shard(20, set(range(1, 21)))
    asked: list[int] = []

    async def give_up(row: Line) -> None:
        asked.append(row.number)

    selected = NeededRows(
        shard.journal, 3, lambda number: shard.journal.needs_answer(number, 0), lambda _: None
    )
    lines = selected.select(shard._lines())  # pyright: ignore[reportPrivateUsage]
    await WorkerPool(lines, selected.deciding(give_up), WORKERS).run()
    assert asked == [1]
