"""Which rows of a shard are asked, if it has to contribute so many and no more.

Rows are read in input order. One is asked only while the rows before it can't reach the number by
themselves: those that are accepted, and those whose answer is awaited. So no row is asked that
isn't needed, and which rows are asked doesn't depend on the order in which answers come.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from shared.dataset.lines import Line
from shared.generation.journal import Journal
from shared.generation.record import Record

Answer = Callable[[Line], Awaitable[None]]


class NeededRows:
    """The rows of a shard that are asked until `needed` of them are accepted.

    Accepted rows that are held out don't count. `count_failure` is called for each failed row that
    is needed but isn't asked again.
    """

    def __init__(
        self,
        journal: Journal,
        needed: int,
        needs_answer: Callable[[int], bool],
        count_failure: Callable[[Record], None],
    ) -> None:
        self._journal = journal
        self._needs_answer = needs_answer
        self._count_failure = count_failure
        # rows that are missing, should all awaited ones be accepted
        self._missing = needed
        self._awaited = 0
        self._is_over = False
        self._changed = asyncio.Event()

    async def select(self, batches: AsyncIterator[list[Line]]) -> AsyncIterator[list[Line]]:
        """Yield the lines to ask, each as soon as it is certain that it is needed."""
        async for lines in batches:
            for line in lines:
                if not await self._is_next_needed():
                    break
                if self._needs_answer(line.number):
                    self._await(line.number)
                    yield [line]
                else:
                    self._pass(self._journal.records[line.number])

    def deciding(self, answer: Answer) -> Answer:
        """Return a function that does the same as `answer`, which adds a line's record."""

        async def answer_and_decide(line: Line) -> None:
            await answer(line)
            self._decide(line.number)

        return answer_and_decide

    async def _is_next_needed(self) -> bool:
        while self._missing <= 0 and self._awaited and not self._is_over:
            self._changed.clear()
            await self._changed.wait()
        return self._missing > 0 and not self._is_over

    def _pass(self, record: Record) -> None:
        """Pass a row that has been decided before."""
        if self._journal.counts(record):
            self._missing -= 1
        elif record.has_failed:
            self._count_failure(record)

    def _await(self, line: int) -> None:
        if not self._journal.is_held_out(line):
            self._missing -= 1
            self._awaited += 1

    def _decide(self, line: int) -> None:
        """Take over the outcome of an awaited row. One without an outcome ends the asking."""
        self._changed.set()
        if self._needs_answer(line):
            self._is_over = True
        if self._journal.is_held_out(line):
            return
        self._awaited -= 1
        record = self._journal.records.get(line)
        if record is None or not self._journal.counts(record):
            self._missing += 1
