"""One shard, from byte range to staged blocks: rows asked concurrently, each answer in the journal before it counts.

A repeated execution reads the journal and asks only for what is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from shared.core.backoff import ABANDON_SECONDS, WORK_SECONDS
from shared.core.counters import Counters
from shared.core.errors import ErrorCode, PermanentError, TransientError, Unfinished
from shared.core.paths import SPLITS, RunPaths, Split
from shared.dataset.lines import Line
from shared.dataset.rejection import Rejection
from shared.dataset.rows import Row
from shared.generation.answering import AsksTeacher, Record, answer_row, rejected
from shared.generation.blocks import Staging, holdout, lines_of
from shared.generation.journal import Journal
from shared.generation.request_keys import RequestKeys
from shared.generation.success_ratio import out_of_reach
from shared.generation.worker_pool import Crew
from shared.scan.plan import Shard
from shared.scan.row_checks import RowChecks
from shared.spec.budget import Usage, over_budget
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

STOP_CHECK_SECONDS = 2.0
BUDGET_CHECK_SECONDS = 5.0  # and as much again for each page of the list of journals
PAGE_SHARDS = 5000


class TooManyRejected(PermanentError):
    code = ErrorCode.SUCCESS_RATIO


class OverBudget(PermanentError):
    code = ErrorCode.BUDGET


class Stopped(Exception):
    """The run was cancelled or ended; what was answered is in the journal."""


class NothingAnswered(TransientError):
    """Not a single row was answered in an execution's whole time. Transient: it is tried again, a few times."""


@dataclass
class ShardRun:
    """One execution of one shard."""

    storage: Storage
    teacher: AsksTeacher
    spec: RunSpec
    paths: RunPaths
    split: Split
    index: int
    shard: Shard
    shards: int  # of the split
    max_rejected: int  # of the split's rows; more can never meet the success ratio
    is_stopped: Callable[[], Awaitable[bool]]
    unusable: dict[int, int] = field(
        default_factory=dict[int, int]
    )  # rows by shard, of those this process works at
    round: int = 0  # of the run: rows that the teacher was asked for in vain in an earlier one are asked for again
    _checks: RowChecks = field(init=False)
    _rows: dict[int, Row] = field(default_factory=dict[int, Row], init=False)  # asked now, by line
    _keys: RequestKeys = field(init=False)
    _began: float = field(default=0.0, init=False)
    _answered: int = field(default=0, init=False)  # rows, by this execution
    _late: bool = field(default=False, init=False)  # whether a row was left to another execution

    def __post_init__(self) -> None:
        self._checks, self._keys = RowChecks(self.spec), RequestKeys(self.spec)

    async def run(self) -> Counters:
        """Answer what is missing, seal the journal, stage the blocks. Returns the shard's counters.

        Raises Stopped, Unfinished, TooManyRejected, TeacherDown (permanent), ShardContended and NothingAnswered (transient).
        """
        self._began = time.monotonic()
        name = self.paths.journal(self.split, self.index)
        journal = await Journal.open(
            self.storage, name, self.shard.rows, holdout(self.spec, self.split)
        )
        known = journal.records.values()
        missing = (
            self.shard.rows
            - len(known)
            + sum(journal.lacks(record.line, self.round) for record in known)
        )
        self.unusable[self.index] = sum(
            record.was_asked_in_vain
            for record in known
            if not journal.lacks(record.line, self.round)
        )
        if missing:
            await self._answer_missing(journal, missing)
        staging = Staging(self.storage, self.spec, self.paths, self.split, self.shards)
        await staging.stage(self.index, self.shard, journal.records, self._rows)
        await journal.seal()
        return journal.counters()

    async def _answer_missing(self, journal: Journal, missing: int) -> None:
        workers = min(self.spec.teacher.concurrency, missing)
        try:
            async with asyncio.TaskGroup() as group:
                watched = (journal.keep_flushing(), self._watch_stop(), self._watch_time())
                keepers = [group.create_task(watching) for watching in watched]
                if self.spec.budget.is_set:
                    keepers.append(group.create_task(self._watch_budget()))
                await self._ask_all(self._missing(journal), journal, workers)
                for keeper in keepers:
                    keeper.cancel()
        except BaseExceptionGroup as failures:
            await journal.flush()
            raise _decisive(failures) from None
        except BaseException:
            await journal.flush()
            raise
        await journal.flush(
            publish=self._late
        )  # or its counters is published when the journal is sealed
        if self._late:
            raise Unfinished

    async def _ask_all(self, lines: AsyncIterator[list[Line]], journal: Journal, most: int) -> None:
        async def ask(line: Line) -> None:
            if time.monotonic() - self._began > WORK_SECONDS:
                self._late = True
                return
            record = await self._answer(line)
            journal.add(record)
            self._answered += 1
            if record.was_asked_in_vain:
                self._count_unusable(record)

        crew = Crew(lines, ask, most)
        self.teacher.when_none_waits(crew.hire)
        try:
            await crew.work()
        finally:
            self.teacher.when_none_waits(
                _nothing
            )  # no circle of references, which would keep the shard's rows for long

    def _count_unusable(self, record: Record) -> None:
        self.unusable[self.index] += 1
        count = sum(self.unusable.values())
        if count > self.max_rejected:
            last = f"line {record.line}: {record.reason}: {record.detail}"
            raise TooManyRejected(f"{out_of_reach(count, self.split)}; the last one, {last}")

    async def _answer(self, line: Line) -> Record:
        row = self._checks.usable(line, self.shard)
        if isinstance(row, Rejection):
            record = rejected(line.number, row)
        else:
            record = await answer_row(line.number, row, self.spec, self.teacher)
            self._rows[line.number] = row
            record.key = self._keys.of(row)
        record.round = self.round
        return record

    async def _watch_stop(self) -> None:
        while True:
            await asyncio.sleep(STOP_CHECK_SECONDS)
            if await self.is_stopped():
                raise Stopped

    async def _watch_time(self) -> None:
        await asyncio.sleep(ABANDON_SECONDS)
        if self._answered:
            raise Unfinished
        raise NothingAnswered(
            f"no row of the shard was answered in {ABANDON_SECONDS / 60:g} minutes"
        )

    async def _watch_budget(self) -> None:
        """Look now and then what all shards of the run have used, as their journals say."""
        pages = 1 + self.shards // PAGE_SHARDS
        while True:
            await asyncio.sleep(BUDGET_CHECK_SECONDS * pages)
            used = Usage()
            for split in SPLITS:
                async for _, metadata in self.storage.metadata_under(self.paths.journals(split)):
                    used.add(
                        Usage.model_validate(Counters.from_metadata(metadata), from_attributes=True)
                    )
            if problems := over_budget(used, self.spec.budget, estimated=False):
                raise OverBudget("the run's budget is used up", details=problems)

    async def _missing(self, journal: Journal) -> AsyncIterator[list[Line]]:
        async for lines in lines_of(self.storage, self.paths, self.split, self.shard):
            yield [line for line in lines if journal.lacks(line.number, self.round)]


def _nothing() -> None:
    pass


def _decisive(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure that says how the shard ended: a permanent one before a stop, a stop before the rest."""
    leaves = list(_leaves(failures))
    for kind in (PermanentError, Stopped, Unfinished):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def _leaves(failures: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for failure in failures.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _leaves(cast(BaseExceptionGroup[BaseException], failure))
        else:
            yield failure
