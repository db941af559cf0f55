"""Fan-in without moving rows: each shard stages its own block of an output under a deterministic id, a commit names them all.

Blocks are rebuilt from input and journal alone, so that they can be staged again at any time: by a second execution, or
by the commit itself when the service has dropped blocks that waited longer than its week.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.core.paths import RunPaths, Split
from shared.dataset.lines import Line
from shared.dataset.rows import Row, as_jsonl
from shared.generation.answering import Record, answers_of
from shared.generation.block_ids import block_id, home
from shared.generation.journal import Holdout, Journal, nothing_held_out
from shared.scan.plan import PlanReader, Shard, shard_lines
from shared.scan.row_checks import RowChecks
from shared.spec.models import RunSpec
from shared.tasks import TASKS

if TYPE_CHECKING:
    from shared.core.storage import Storage


def holdout(spec: RunSpec, split: Split) -> Holdout:
    """Which accepted rows of a split are set aside for validation: by a hash of seed and line, whatever the other rows are."""
    fraction, seed = spec.holdout.fraction, spec.holdout.seed
    if split != "train" or not fraction:
        return nothing_held_out

    def is_held_out(line: int) -> bool:
        drawn = hashlib.sha256(f"{seed}:{line}".encode()).digest()[:8]
        return int.from_bytes(drawn) < fraction * 2**64

    return is_held_out


@dataclass(frozen=True, slots=True)
class Staging:
    """Stages and commits blocks of one split, which has so many shards."""

    storage: Storage
    spec: RunSpec
    paths: RunPaths
    split: Split
    shards: int

    async def stage(
        self, index: int, shard: Shard, records: Mapping[int, Record], rows: Mapping[int, Row]
    ) -> None:
        """Stage a shard's blocks: of the student's datasets and of the rejected rows, all in input order.

        `rows` are those whose rows are known by line; the others are read from the input.
        """
        examples, is_held_out = Examples(self.spec), holdout(self.spec, self.split)
        blocks: dict[str, bytearray] = defaultdict(bytearray)
        unknown = {
            line
            for line, record in records.items()
            if record.status == "accepted" and line not in rows
        }
        read: dict[int, Row] = {}
        if unknown:
            async for lines in lines_of(self.storage, self.paths, self.split, shard):
                read.update(
                    {line.number: examples.parse(line) for line in lines if line.number in unknown}
                )
        for number in sorted(records):
            record = records[number]
            if record.status == "rejected":
                blocks[self.paths.rejected] += _rejected_row(self.split, record)
            else:
                row = rows.get(number) or read[number]
                dataset = self.paths.dataset("validation" if is_held_out(number) else self.split)
                blocks[dataset] += examples.row(row, record)
        for name, block in blocks.items():
            await self._stage(name, index, bytes(block))

    async def stage_again(self, index: int) -> None:
        """The blocks of a complete shard, rebuilt from its journal."""
        shard = await PlanReader(self.storage, self.paths, self.split).shard(index)
        journal = await Journal.open(
            self.storage, self.paths.journal(self.split, index), shard.rows
        )
        await self.stage(index, shard, journal.records, {})

    async def stage_incomplete(
        self, index: int, shard: Shard, scanned: list[dict[str, Any]]
    ) -> Counter[str]:
        """Stage what is known to be rejected of a shard that was not completed; how many rows that is, by reason."""
        records = await Journal.peek(self.storage, self.paths.journal(self.split, index))
        rejected = [record for record in records.values() if record.status == "rejected"]
        entries = {record.line: _entry(self.split, record) for record in rejected}
        for entry in scanned:
            if (
                shard.first_line <= entry["line"] <= shard.last_line
                and entry["line"] not in records
            ):
                entries[entry["line"]] = entry
        if entries:
            await self._stage(
                self.paths.rejected, index, as_jsonl([entries[line] for line in sorted(entries)])
            )
        return Counter(str(entry["reason"]) for entry in entries.values())

    async def _stage(self, name: str, index: int, block: bytes) -> None:
        blob = home(self.paths, name, self.split, index, self.shards)
        await self.storage.stage(blob, block_id(self.split, index), block)


def lines_of(
    storage: Storage, paths: RunPaths, split: Split, shard: Shard
) -> AsyncIterator[list[Line]]:
    """The rows of a shard's byte range, as lines: those of one chunk at a time."""
    return shard_lines(storage.stream(paths.input(split), shard.start, shard.end), shard)


class Examples:
    """Builds the student's rows. What was accepted once stays, though settings that were changed since would not take it."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec, self._checks = spec, RowChecks(spec)
        self._student = spec.taught

    def parse(self, line: Line) -> Row:
        """The row of a line that has an accepted record."""
        row = self._checks.shape(line.content)
        assert isinstance(row, Row), "an accepted record belongs to a row"
        return row

    def row(self, row: Row, record: Record) -> bytes:
        """The training example of an accepted row, as a line."""
        task, answers = TASKS[self._spec.task], answers_of(record)
        messages = task.student_messages(
            row, self._spec.prompt, answers, system_role=self._student.system_role
        )
        return as_jsonl([{"messages": messages}])


def _entry(split: Split, record: Record) -> dict[str, Any]:
    return {
        "split": split,
        "line": record.line,
        "id": record.id,
        "reason": record.reason,
        "detail": record.detail,
    }


def _rejected_row(split: Split, record: Record) -> bytes:
    return as_jsonl([_entry(split, record)])
