"""One shard, from byte range to staged blocks.

Rows are asked for concurrently, and each answer is in the journal before it counts. A repeated
execution reads the journal and asks only for the rows without an answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from shared.core.backoff import ABANDON_SECONDS, WORK_SECONDS
from shared.core.counters import Counters
from shared.core.errors import ErrorCode, PermanentError, TransientError, Unfinished
from shared.core.paths import RunPaths, Split
from shared.dataset.lines import Line
from shared.dataset.rejection import Rejection
from shared.dataset.rows import Row
from shared.generation.answer_size import AnswerSize
from shared.generation.ask_row import ask_row
from shared.generation.ask_turn import AsksTeacher
from shared.generation.blocks import Staging, holdout, read_lines
from shared.generation.cache_key import CacheKeys
from shared.generation.journal import Journal
from shared.generation.needed_rows import NeededRows
from shared.generation.provided_record import provided_record
from shared.generation.recheck import Recheck, rule_of
from shared.generation.record import Record, rejected_record
from shared.generation.stored_samples import StoredSamples, stored_samples
from shared.generation.success_ratio import out_of_reach
from shared.generation.worker_pool import WorkerPool
from shared.scan.plan import Shard
from shared.scan.row_checks import RowChecks
from shared.spec.models import RunSpec
from shared.teacher.rate.process_ceiling import run_ceiling
from shared.teacher.stopping import NotSent

if TYPE_CHECKING:
    from shared.core.storage import Storage

STOP_CHECK_SECONDS = 2.0


class TooManyRejected(PermanentError):
    code = ErrorCode.SUCCESS_RATIO


class Stopped(Exception):
    """The run was cancelled or ended; the answers so far are in the journal."""


class NothingAnswered(TransientError):
    """An execution answered no row in all of its time. It is retried a few times."""


@dataclass
class ShardRun:
    """One execution of one shard.

    `unusable` counts the failed rows of each shard of the split that this process works on. More
    than `max_rejected` of them make the split's success ratio unreachable. Rows that failed in a
    round before `round` are asked for again, unless `keeps_failed`. A shard that has to contribute
    no more than `needed` rows ends when it has them: its other rows aren't needed.
    """

    storage: Storage
    teacher: AsksTeacher
    spec: RunSpec
    paths: RunPaths
    split: Split
    index: int
    shard: Shard
    shards: int  # of the split
    max_rejected: int
    is_stopped: Callable[[], Awaitable[bool]]
    redact: Callable[[str], str]
    unusable: dict[int, int] = field(default_factory=dict[int, int])
    round: int = 0
    needed: int | None = None
    keeps_failed: bool = False
    answer_size: AnswerSize = field(default_factory=AnswerSize)
    _checks: RowChecks = field(init=False)
    _keys: CacheKeys = field(init=False)
    _rows: dict[int, Row] = field(default_factory=dict[int, Row], init=False)  # by line
    _started_at: float = field(default=0.0, init=False)
    _answered_rows: int = field(default=0, init=False)
    _has_unfinished_rows: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._checks = RowChecks(self.spec)
        self._keys = CacheKeys(self.spec)

    async def run(self) -> Counters:
        """Answer the shard's missing rows, stage its blocks, and seal its journal.

        Raises Stopped, Unfinished, TooManyRejected, OverBudget and TeacherDown (permanent), or
        ShardContended and NothingAnswered (transient).
        """
        self._started_at = time.monotonic()
        name = self.paths.journal(self.split, self.index)
        held_out = holdout(self.spec, self.split)
        journal = await Journal.open(self.storage, name, self.shard.rows, held_out)
        rule = rule_of(self.spec)
        if self.round and not await journal.is_sealed_by(rule):
            await self._recheck(journal)
        missing = self._count_missing(journal)
        if missing:
            await self._answer_missing(journal, missing)
        staging = Staging(self.storage, self.spec, self.paths, self.split, self.shards)
        if self.needed is not None:
            journal.limit(self.needed)
        await staging.stage(self.index, self.shard, journal.needed_records, self._rows)
        await journal.seal(rule)
        return journal.counters()

    async def _recheck(self, journal: Journal) -> None:
        """Check the replies of earlier rounds by this round's settings. It costs no request."""
        lines: dict[int, Line] = {}
        async for batch in read_lines(self.storage, self.paths, self.split, self.shard):
            lines.update({line.number: line for line in batch})
        recheck = Recheck(self.spec, self.round)
        async for number, records in journal.histories():
            current = journal.records[number]
            line = lines.pop(number)
            if self.round not in (current.round, current.checked):
                record = self._rechecked(recheck, current, line, records)
                if record is not None:
                    journal.add(record)
            await asyncio.sleep(0)  # other shards go on meanwhile
        await journal.flush()

    def _rechecked(
        self, recheck: Recheck, current: Record, line: Line, records: list[Record]
    ) -> Record | None:
        """Return a row's new record, None if it stays as it is."""
        row = self._checks.usable(line, self.shard)
        key = self._keys.of(row) if isinstance(row, Row) else ""
        record = recheck.record(current, row, key, records)
        if isinstance(row, Row) and (record or current).status == "accepted":
            self._rows[line.number] = row
        return record

    def _count_missing(self, journal: Journal) -> int:
        """Return how many rows need an answer, and count those that have failed for good.

        Where some rows may not be needed, those that have failed count as they are passed.
        """
        missing = self.shard.rows - len(journal.records)
        failed = 0
        for record in journal.records.values():
            if self._needs_answer(journal, record.line):
                missing += 1
            elif record.has_failed and self.needed is None:
                failed += 1
        self.unusable[self.index] = failed
        return missing

    async def _answer_missing(self, journal: Journal, missing: int) -> None:
        """Answer rows until all are answered, or raise why the execution ends before.

        Nothing is sent once it has to end. Answers that are on their way are awaited for
        `teacher.stop_seconds`, unless they can't be kept.
        """
        pool = self._worker_pool(journal, min(run_ceiling(self.spec.teacher.concurrency), missing))
        answering = asyncio.create_task(self._answer_rows(pool))
        flushing = asyncio.create_task(journal.keep_flushing())
        watchers = [self._watch_stop(), self._watch_time()]
        tasks = [answering, flushing, *(asyncio.create_task(watcher) for watcher in watchers)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            pool.stop()
            await asyncio.wait([answering, flushing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
            # the counts of a finished shard are published when its journal is sealed
            is_complete = not failures and answering.done() and not answering.cancelled()
            await journal.flush(publish=self._has_unfinished_rows or not is_complete)
        if failures:
            raise _decisive_failure(failures)
        if self._has_unfinished_rows:
            raise Unfinished

    def _worker_pool(self, journal: Journal, max_workers: int) -> WorkerPool[Line]:
        async def answer(line: Line) -> None:
            await self._answer_line(line, journal)

        rows = self._read_missing(journal)
        process = answer
        if self.needed is not None:
            needed_rows = NeededRows(
                journal,
                self.needed,
                lambda line: self._needs_answer(journal, line),
                self._count_failure,
            )
            rows = needed_rows.select(self._read_lines())
            process = needed_rows.deciding(answer)
        stop_seconds = self.spec.teacher.stop_seconds
        return WorkerPool(rows, process, max_workers, stop_seconds, on_stop=self.teacher.stop)

    async def _answer_rows(self, pool: WorkerPool[Line]) -> None:
        self.teacher.when_none_waits(pool.add_worker)
        try:
            await pool.run()
        finally:
            # a reference cycle would keep the shard's rows in memory for long
            self.teacher.when_none_waits(_do_nothing)

    async def _answer_line(self, line: Line, journal: Journal) -> None:
        if time.monotonic() - self._started_at > WORK_SECONDS:
            self._has_unfinished_rows = True
            return
        try:
            record = await self._answer_row(line, journal)
        except NotSent:
            return  # the execution is ending: the row is left to another one
        journal.add(record)
        self._answered_rows += 1
        if record.has_failed:
            self._count_failure(record)

    async def _read_missing(self, journal: Journal) -> AsyncIterator[list[Line]]:
        async for lines in self._read_lines():
            yield [line for line in lines if self._needs_answer(journal, line.number)]

    def _read_lines(self) -> AsyncIterator[list[Line]]:
        return read_lines(self.storage, self.paths, self.split, self.shard)

    def _needs_answer(self, journal: Journal, line: int) -> bool:
        return journal.needs_answer(line, self.round, keeps_failed=self.keeps_failed)

    async def _answer_row(self, line: Line, journal: Journal) -> Record:
        row = self._checks.usable(line, self.shard)
        if isinstance(row, Rejection):
            record = rejected_record(line.number, row)
        elif row.provided_answer is not None:
            record = provided_record(line.number, row, self.spec)
            self._rows[line.number] = row
        else:
            key = self._keys.of(row)
            earlier = await self._earlier_samples(journal, line.number, key)
            record = await ask_row(
                line.number, row, self.spec, self.teacher, earlier, self.answer_size
            )
            record.key = key
            self._rows[line.number] = row
        record.redact(self.redact)
        record.round = self.round
        return record

    async def _earlier_samples(self, journal: Journal, line: int, key: str) -> StoredSamples | None:
        """Return the samples of a row that further ones may follow: replies to its question."""
        if not self.round or self.spec.quality.select == "first":
            return None
        latest = stored_samples(await journal.history(line))[:1]
        return latest[0] if latest and latest[0].key == key else None

    def _count_failure(self, record: Record) -> None:
        """Count a failed row. Raises TooManyRejected if the success ratio is now unreachable."""
        self.unusable[self.index] += 1
        failed = sum(self.unusable.values())
        if failed > self.max_rejected:
            last = f"line {record.line}: {record.reason}: {record.detail}"
            raise TooManyRejected(f"{out_of_reach(failed, self.split)}; the last one: {last}")

    async def _watch_stop(self) -> None:
        while True:
            await asyncio.sleep(STOP_CHECK_SECONDS)
            if await self.is_stopped():
                raise Stopped

    async def _watch_time(self) -> None:
        await asyncio.sleep(ABANDON_SECONDS)
        if self._answered_rows:
            raise Unfinished
        minutes = ABANDON_SECONDS / 60
        raise NothingAnswered(f"no row of the shard was answered in {minutes:g} minutes")


def _do_nothing() -> None:
    pass


def _decisive_failure(failures: Sequence[Exception]) -> Exception:
    """Return the failure that says how the shard ended: a permanent one, else a stop, else any."""
    leaves = [leaf for failure in failures for leaf in _leaves(failure)]
    for kind in (PermanentError, Stopped, Unfinished):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def _leaves(failure: Exception) -> Iterator[Exception]:
    if isinstance(failure, ExceptionGroup):
        for part in cast("ExceptionGroup[Exception]", failure).exceptions:
            yield from _leaves(part)
    else:
        yield failure
