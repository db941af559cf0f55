"""Answers of an earlier run, copied into a new run's journals where both send the same request.

A group of shards at a time: first the keys of their rows, then every journal of the earlier run
once, then the records. Memory depends on the rows of a group, never on the size of either run. The
earlier run is only read; one that is still running contributes the answers that it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.core.errors import NotFound
from shared.core.paths import ASKED_SPLITS, RunPaths, Split
from shared.dataset.rows import Row
from shared.generation.blocks import holdout, read_lines
from shared.generation.cache_key import CacheKeys
from shared.generation.journal import Journal, split_counters
from shared.generation.recheck import record_again
from shared.generation.record import Record
from shared.generation.stored_samples import stored_samples
from shared.scan.plan import PlanReader, Shard
from shared.scan.row_checks import RowChecks
from shared.spec.budget import Usage, row_estimate
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

# of a group: about 10 MB of keys, and their answers with every reply
MAX_ROWS = 50_000
MAX_GROUP_BYTES = 64 * 1024 * 1024
JOURNALS_AT_ONCE = 16
# found in a journal's line without parsing it: within a string, the quotes would be escaped
KEY = re.compile(rb'"key":"([0-9a-f]+)"')


# the records of rows, in order, by the key of their request
Histories = dict[str, list[bytes]]


class EarlierAnswers:
    """The answers in the journals of an earlier run, of both splits, however it ended."""

    def __init__(self, storage: Storage, run_id: str) -> None:
        self.run_id = run_id
        self._storage = storage
        self._paths = RunPaths(run_id)

    async def histories(self, keys: Container[str] | None = None) -> Histories:
        """Return the records of all rows by their key, or only of those with these keys.

        Records are as their journal has them: parsed, they take several times the memory.
        """
        histories: Histories = {}
        async for record in self._lines():
            match = KEY.search(record)
            if match is None:  # a row that was never sent to the teacher
                continue
            key = match[1].decode()
            if keys is not None and key not in keys:
                continue
            history = histories.setdefault(key, [])
            if not history or _line_of(record) == _line_of(history[0]):
                history.append(record)
        return histories

    async def size(self) -> int:
        """Return the bytes of all journals."""
        size = 0
        for split in ASKED_SPLITS:
            size += await self._storage.size_under(self._paths.journals(split))
        return size

    async def bytes_per_row(self) -> float:
        """Return the average size of a record."""
        rows = 0
        for split in ASKED_SPLITS:
            rows += (await split_counters(self._storage, self._paths, split)).done
        return await self.size() / max(1, rows)

    async def _lines(self) -> AsyncIterator[bytes]:
        for split in ASKED_SPLITS:
            folder = self._paths.journals(split)
            names = [name async for name in self._storage.names_under(folder)]
            for first in range(0, len(names), JOURNALS_AT_ONCE):
                batch = names[first : first + JOURNALS_AT_ONCE]
                for content in await asyncio.gather(*map(self._read, batch)):
                    for line in content.split(b"\n"):
                        if line:
                            yield line

    async def _read(self, name: str) -> bytes:
        # the journal may be deleted meanwhile
        with contextlib.suppress(NotFound):
            return b"".join([chunk async for chunk in self._storage.stream(name)])
        return b""


@dataclass(frozen=True, slots=True)
class _Request:
    """The request for one row."""

    line: int
    row: Row
    key: str


@dataclass
class Seeded:
    """The result of seeding a group of shards.

    `estimate` is what the run is expected to use for them, including what it has used already.
    """

    next: int  # the first shard after the group
    reused: int = 0  # rows that have an earlier run's answer now
    estimate: Usage = field(default_factory=Usage)


@dataclass
class Seeding:
    """Copies an earlier run's answers into the journals of one split.

    A second execution finds them there and adds nothing.
    """

    storage: Storage
    spec: RunSpec
    paths: RunPaths
    split: Split
    round: int = 0  # of the run: rows that would be asked for in this round are looked up
    _checks: RowChecks = field(init=False)
    _keys: CacheKeys = field(init=False)

    def __post_init__(self) -> None:
        self._checks = RowChecks(self.spec)
        self._keys = CacheKeys(self.spec)

    async def run(self, first: int) -> Seeded:
        """Seed the shards from `first` on, as many as fit in memory together.

        Raises ShardContended (transient).
        """
        earlier = EarlierAnswers(self.storage, self.spec.reuse or "")
        max_rows = min(MAX_ROWS, int(MAX_GROUP_BYTES / max(1, await earlier.bytes_per_row())))
        plan = PlanReader(self.storage, self.paths, self.split)
        shards = await _group(plan, first, max_rows)
        keys: set[str] = set()
        for shard in shards:
            async for request in self._requests(shard):
                keys.add(request.key)
        histories = await earlier.histories(keys)
        seeded = Seeded(next=first + len(shards))
        for index, shard in enumerate(shards, first):
            await self._seed(index, shard, histories, seeded)
        return seeded

    async def _seed(self, index: int, shard: Shard, histories: Histories, seeded: Seeded) -> None:
        """Copy the answers for one shard, and add its counts to `seeded`."""
        name = self.paths.journal(self.split, index)
        journal = await Journal.open(self.storage, name, shard.rows, holdout(self.spec, self.split))
        async for request in self._requests(shard):
            if not journal.needs_answer(request.line, self.round):
                continue
            history = histories.get(request.key, [])
            record = _reused_record(request.line, request.row, self.spec, history)
            if record is None:
                seeded.estimate.add(row_estimate(request.row, self.spec))
            else:
                record.key = request.key
                record.round = self.round
                journal.add(record)
        await journal.flush()
        seeded.reused += sum(record.reused for record in journal.records.values())
        seeded.estimate.add(Usage.model_validate(journal.counters(), from_attributes=True))

    async def _requests(self, shard: Shard) -> AsyncIterator[_Request]:
        """Yield the requests for the shard's rows that may be sent to the teacher."""
        async for lines in read_lines(self.storage, self.paths, self.split, shard):
            for line in lines:
                row = self._checks.usable(line, shard)
                if isinstance(row, Row):
                    yield _Request(line.number, row, self._keys.of(row))


def _reused_record(line: int, row: Row, spec: RunSpec, history: Sequence[bytes]) -> Record | None:
    """Return a record with earlier replies, None if they have no answer by the settings of now.

    The row is rejected if its example is too long for this run's student.
    """
    for stored in stored_samples(map(Record.from_json, history)):
        record = record_again(line, row, spec, stored, all_examples=True)
        if isinstance(record, Record):
            record.reused = True
            return record
    return None


def _line_of(record: bytes) -> bytes:
    """Return the beginning of a record, which is its line."""
    return record.partition(b",")[0]


async def answered_earlier(spec: RunSpec, earlier: EarlierAnswers) -> Callable[[Row], bool]:
    """Return a function that says whether the earlier run has an answer to a row.

    It holds all records of the earlier run.
    """
    histories = await earlier.histories()
    keys = CacheKeys(spec)

    def is_answered(row: Row) -> bool:
        history = histories.get(keys.of(row), [])
        return _reused_record(0, row, spec, history) is not None

    return is_answered


def nothing_reused(run_id: str) -> str:
    """Return the warning that an earlier run's answers could not be reused."""
    return (
        f"no answer of run {run_id} could be reused: it answered none of this run's requests. "
        "The teacher's model, its parameters and the messages must be the same, and the answers "
        "must pass this run's settings of `quality`"
    )


async def _group(plan: PlanReader, first: int, max_rows: int) -> list[Shard]:
    """Return the shards from `first` on that have so many rows together, but at least one."""
    group: list[Shard] = []
    rows = 0
    async for _, shard in plan.shards(first):
        rows += shard.rows
        if group and rows > max_rows:
            break
        group.append(shard)
    return group
