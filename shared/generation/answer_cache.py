"""Answers of an earlier run, taken over into a new run's journals wherever both ask the teacher the same.

Some shards at a time: their rows' keys first, then every journal of the earlier run once, then the records. Memory depends on the
rows looked for at a time, never on the size of either run. The earlier run is read only; one that still runs gives what it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.core.errors import NotFound
from shared.core.paths import SPLITS, RunPaths, Split
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.generation.answering import Record, answers_of, length_problem
from shared.generation.blocks import holdout, lines_of
from shared.generation.journal import Journal
from shared.generation.request_keys import RequestKeys
from shared.scan.plan import PlanReader, Shard
from shared.scan.row_checks import RowChecks
from shared.spec.budget import Usage, row_estimate
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_ROWS = 50_000  # looked for at a time: some 10 MB of keys, and their answers
JOURNALS_AT_ONCE = 16  # read side by side
# of a journal's line, without parsing it: within a text, its quotes would be escaped
KEY = re.compile(rb'"key":"([0-9a-f]+)"')
ACCEPTED = b'"status":"accepted"'


class EarlierAnswers:
    """What the journals of an earlier run hold, of both splits, however it ended."""

    def __init__(self, storage: Storage, run_id: str) -> None:
        self._storage, self.run_id, self._paths = storage, run_id, RunPaths(run_id)
        self.keyless = 0  # accepted rows of a version that wrote no keys

    async def records(
        self, wanted: Container[str] | None = None
    ) -> AsyncIterator[tuple[str, Record]]:
        """Key and record of every row that has answers and whose key is wanted; None: of every one."""
        async for line in self._lines():
            key = KEY.search(line)
            if key is None:
                self.keyless += ACCEPTED in line
            elif wanted is None or key[1].decode() in wanted:
                record = Record.from_json(line)
                if record.answers:
                    yield key[1].decode(), record

    async def size(self) -> int:
        """Bytes of all journals."""
        return sum(
            [await self._storage.size_under(self._paths.journals(split)) for split in SPLITS]
        )

    async def _lines(self) -> AsyncIterator[bytes]:
        for split in SPLITS:
            names = [
                name async for name, _ in self._storage.metadata_under(self._paths.journals(split))
            ]
            for first in range(0, len(names), JOURNALS_AT_ONCE):
                batch = names[first : first + JOURNALS_AT_ONCE]
                for content in await asyncio.gather(*map(self._read, batch)):
                    for line in content.split(b"\n"):
                        if line:
                            yield line

    async def _read(self, name: str) -> bytes:
        with contextlib.suppress(NotFound):  # deleted meanwhile
            return b"".join([chunk async for chunk in self._storage.stream(name)])
        return b""


@dataclass
class Seeded:
    """What became of some shards. `estimate`: what the run is expected to use for them, with what it has used already."""

    next: int  # the first shard that was not looked at
    reused: int = 0  # rows that have an earlier run's answer now
    keyless: int = 0  # answers of the earlier run that could not be compared
    estimate: Usage = field(default_factory=Usage)


@dataclass
class Seeding:
    """Puts the earlier run's answers into the journals of one split. The same again finds them there and adds nothing."""

    storage: Storage
    spec: RunSpec
    paths: RunPaths
    split: Split
    round: int = 0  # of the run: what would be asked for again in this one is looked for again
    _checks: RowChecks = field(init=False)
    _keys: RequestKeys = field(init=False)

    def __post_init__(self) -> None:
        self._checks, self._keys = RowChecks(self.spec), RequestKeys(self.spec)

    async def run(self, first: int) -> Seeded:
        """Shards from `first` on, as many as have MAX_ROWS rows together. Raises ShardContended (transient)."""
        group = await _group(PlanReader(self.storage, self.paths, self.split), first)
        seeded = Seeded(next=first + len(group))
        wanted = {
            key for shard in group for key in [key async for _, _, key in self._requests(shard)]
        }
        earlier = EarlierAnswers(self.storage, self.spec.reuse or "")
        found: dict[str, Record] = {}
        async for key, record in earlier.records(wanted):
            found.setdefault(key, record)
        for index, shard in enumerate(group, first):
            await self._seed(index, shard, found, seeded)
        seeded.keyless = earlier.keyless
        return seeded

    async def _seed(
        self, index: int, shard: Shard, found: dict[str, Record], seeded: Seeded
    ) -> None:
        name = self.paths.journal(self.split, index)
        journal = await Journal.open(self.storage, name, shard.rows, holdout(self.spec, self.split))
        async for line, row, key in self._requests(shard):
            if not journal.lacks(line, self.round):
                continue
            if key in found:
                journal.add(self._taken_over(line, row, key, found[key]))
            else:
                seeded.estimate.add(row_estimate(row, self.spec))
        await journal.flush()
        seeded.reused += sum(record.reused for record in journal.records.values())
        seeded.estimate.add(Usage.model_validate(journal.counters(), from_attributes=True))

    def _taken_over(self, line: int, row: Row, key: str, earlier: Record) -> Record:
        """The new row's record: this run has asked for nothing, and its student may take in less."""
        record = Record(
            line=line,
            id=row.id,
            status="accepted",
            answers=earlier.answers,
            reasoning=earlier.reasoning,
            model=earlier.model,
            finish_reason=earlier.finish_reason,
            samples=earlier.samples,
            agreeing=earlier.agreeing,
            round=self.round,
            key=key,
            reused=True,
        )
        if too_long := length_problem(row, self.spec, answers_of(earlier)):
            record.status = "rejected"
            record.reason = RejectionReason.TOO_LONG
            record.detail = too_long
            record.samples = record.agreeing = 0
        return record

    async def _requests(self, shard: Shard) -> AsyncIterator[tuple[int, Row, str]]:
        """(line, row, key) of the shard's rows that the teacher may be asked for."""
        async for lines in lines_of(self.storage, self.paths, self.split, shard):
            for line in lines:
                row = self._checks.usable(line, shard)
                if isinstance(row, Row):
                    yield line.number, row, self._keys.of(row)


async def answered_earlier(spec: RunSpec, earlier: EarlierAnswers) -> Callable[[Row], bool]:
    """Tells of a row whether the earlier run has an answer to it. Holds all its keys: 100 bytes a row."""
    known, keys = {key async for key, _ in earlier.records()}, RequestKeys(spec)
    return lambda row: keys.of(row) in known


def nothing_reused(run_id: str, keyless: int) -> str:
    """A warning: the user expected to pay less."""
    if keyless:
        why = f"its {keyless:,} answers are of a version that did not write down what was asked for them"
    else:
        why = "it has no answer to a request of this run; the teacher's model and parameters and the messages must be the same"
    return f"nothing of run {run_id} could be reused: {why}"


async def _group(plan: PlanReader, first: int) -> list[Shard]:
    """Shards that are looked at together: at least one."""
    group, rows = list[Shard](), 0
    async for _, shard in plan.shards(first):
        rows += shard.rows
        if group and rows > MAX_ROWS:
            break
        group.append(shard)
    return group
