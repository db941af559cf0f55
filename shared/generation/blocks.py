"""Fan-in without moving rows: each shard stages a block of an output, a commit names them all.

Blocks are built from input and journal alone, so they can be staged again at any time: by a second
execution, or by the commit if the service has dropped blocks that were staged more than a week ago.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from shared.core.counters import FOR_EVALUATION, NOT_REACHED, Counters
from shared.core.paths import ASKED_SPLITS, RunPaths, Split
from shared.dataset.lines import Line
from shared.dataset.rejection import RejectedRow
from shared.dataset.rows import Row, as_jsonl
from shared.generation.block_ids import block_id, staging_blob
from shared.generation.journal import Holdout, Journal, nothing_held_out
from shared.generation.provenance import provenance_line, source_file
from shared.generation.record import Record
from shared.scan.plan import PlanReader, Shard, shard_lines
from shared.scan.row_checks import RowChecks
from shared.spec.models import RunSpec
from shared.tasks import TASKS

if TYPE_CHECKING:
    from shared.core.storage import Storage


def holdout(spec: RunSpec, split: Split) -> Holdout:
    """Return the function that selects the accepted rows of a split to set aside for validation.

    It hashes seed and line, so a row's fate doesn't depend on the other rows.
    """
    fraction = spec.holdout.fraction
    seed = spec.holdout.seed
    if split != "train" or not fraction:
        return nothing_held_out

    def is_held_out(line: int) -> bool:
        digest = hashlib.sha256(f"{seed}:{line}".encode()).digest()
        return int.from_bytes(digest[:8]) < fraction * 2**64

    return is_held_out


def read_lines(
    storage: Storage, paths: RunPaths, split: Split, shard: Shard
) -> AsyncIterator[list[Line]]:
    """Yield the lines of a shard's byte range, those of one chunk at a time."""
    return shard_lines(storage.stream(paths.input(split), shard.start, shard.end), shard)


@dataclass(frozen=True, slots=True)
class Staging:
    """Stages the blocks of one split, which has so many shards."""

    storage: Storage
    spec: RunSpec
    paths: RunPaths
    split: Split
    shards: int

    async def stage(
        self, index: int, shard: Shard, records: Mapping[int, Record], rows: Mapping[int, Row]
    ) -> None:
        """Stage a shard's blocks of datasets, their provenance and rejected rows, in input order.

        `rows` are the rows that are already parsed, by line; the others are read from the input.
        """
        examples = Examples(self.spec)
        is_held_out = holdout(self.spec, self.split)
        file = source_file(self.spec, self.split)
        rows_read = await self._read_rows(shard, records, rows, examples)
        blocks: dict[str, bytearray] = defaultdict(bytearray)
        for number in sorted(records):
            record = records[number]
            if record.status == "rejected":
                blocks[self.paths.rejected] += as_jsonl([asdict(_rejected_row(self.split, record))])
            else:
                row = rows.get(number) or rows_read[number]
                dataset: Split = "validation" if is_held_out(number) else self.split
                for example in record.each_example():
                    blocks[self.paths.dataset(dataset)] += examples.line(row, example)
                    blocks[self.paths.provenance(dataset)] += provenance_line(file, example)
        for name, block in blocks.items():
            await self._stage_block(name, index, bytes(block))

    async def stage_again(self, index: int) -> None:
        """Stage the blocks of a complete shard, built from its journal."""
        shard = await PlanReader(self.storage, self.paths, self.split).shard(index)
        name = self.paths.journal(self.split, index)
        journal = await Journal.open(self.storage, name, shard.rows)
        await journal.restore_limit()
        await self.stage(index, shard, journal.needed_records, {})

    async def stage_incomplete(
        self, index: int, shard: Shard, rejected_by_scan: list[RejectedRow]
    ) -> Counters:
        """Stage the rejected rows of an incomplete shard, as far as they are known.

        Returns the shard's counters, with its rows that have no outcome as not asked.
        """
        name = self.paths.journal(self.split, index)
        is_held_out = holdout(self.spec, self.split)
        journal = await Journal.peek(self.storage, name, shard.rows, is_held_out)
        records = journal.records
        rows = {
            record.line: _rejected_row(self.split, record)
            for record in records.values()
            if record.status == "rejected"
        }
        for row in rejected_by_scan:
            is_in_shard = shard.first_line <= row.line <= shard.last_line
            if is_in_shard and row.line not in records:
                rows[row.line] = row
        if rows:
            block = as_jsonl([asdict(rows[line]) for line in sorted(rows)])
            await self._stage_block(self.paths.rejected, index, block)
        counters = journal.counters()
        counters.shards = 1
        counters.rejected = dict(sorted(Counter(row.reason for row in rows.values()).items()))
        counters.done = counters.accepted + len(rows)
        if counters.done < counters.rows:
            reason = NOT_REACHED if self.split in ASKED_SPLITS else FOR_EVALUATION
            counters.not_asked = {reason: counters.rows - counters.done}
        return counters

    async def _read_rows(
        self,
        shard: Shard,
        records: Mapping[int, Record],
        rows: Mapping[int, Row],
        examples: Examples,
    ) -> dict[int, Row]:
        """Return the accepted rows that are not in `rows`, by line."""
        missing = {
            line
            for line, record in records.items()
            if record.status == "accepted" and line not in rows
        }
        rows_read: dict[int, Row] = {}
        if missing:
            async for lines in read_lines(self.storage, self.paths, self.split, shard):
                for line in lines:
                    if line.number in missing:
                        rows_read[line.number] = examples.parse(line)
        return rows_read

    async def _stage_block(self, output: str, index: int, block: bytes) -> None:
        blob = staging_blob(self.paths, output, self.split, index, self.shards)
        await self.storage.stage(blob, block_id(self.split, index), block)


class Examples:
    """Builds the student's examples.

    An accepted row stays accepted, even if the settings were changed since and exclude it now.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._checks = RowChecks(spec)
        self._student = spec.taught

    def parse(self, line: Line) -> Row:
        """Return the row of a line that has an accepted record."""
        row = self._checks.shape(line.content)
        assert isinstance(row, Row), "an accepted record belongs to a row"
        return row

    def line(self, row: Row, record: Record) -> bytes:
        """Return an example of an accepted row as one line."""
        messages = TASKS[self._spec.task].student_messages(
            row, self._spec.prompt, record.turns, system_role=self._student.system_role
        )
        return as_jsonl([{"messages": messages}])


def _rejected_row(split: Split, record: Record) -> RejectedRow:
    assert record.reason is not None, "a rejected record has a reason"
    return RejectedRow(
        split, record.line, record.id, record.reason, record.detail or "", record.reply
    )
