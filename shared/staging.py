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

from shared.answering import Record, answers_of
from shared.journal import Holdout, Journal, nothing_held_out
from shared.lines import Line
from shared.outputs import block_id, commit_output, home
from shared.paths import RunPaths, Split
from shared.plan import PlanReader, Shard, shard_lines
from shared.row_checks import RowChecks
from shared.rows import Row, as_jsonl
from shared.spec import RunSpec
from shared.tally import Tally, is_sealed, total
from shared.tasks import TASKS

if TYPE_CHECKING:
    from shared.storage import Storage

MAX_MISSING = 10  # shards named that are not complete


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

    async def stage(self, index: int, shard: Shard, records: Mapping[int, Record], rows: Mapping[int, Row]) -> None:
        """Stage a shard's blocks: of the student's datasets and of the rejected rows, all in input order.

        `rows` are those whose rows are known by line; the others are read from the input.
        """
        examples, is_held_out = Examples(self.spec), holdout(self.spec, self.split)
        blocks: dict[str, bytearray] = defaultdict(bytearray)
        unknown = {line for line, record in records.items() if record.status == "accepted" and line not in rows}
        read: dict[int, Row] = {}
        if unknown:
            async for lines in lines_of(self.storage, self.paths, self.split, shard):
                read.update({line.number: examples.parse(line) for line in lines if line.number in unknown})
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
        journal = await Journal.open(self.storage, self.paths.journal(self.split, index), shard.rows)
        await self.stage(index, shard, journal.records, {})

    async def stage_incomplete(self, index: int, shard: Shard, scanned: list[dict[str, Any]]) -> Counter[str]:
        """Stage what is known to be rejected of a shard that was not completed; how many rows that is, by reason."""
        records = await Journal.peek(self.storage, self.paths.journal(self.split, index))
        rejected = [record for record in records.values() if record.status == "rejected"]
        entries = {record.line: _entry(self.split, record) for record in rejected}
        for entry in scanned:
            if shard.first_line <= entry["line"] <= shard.last_line and entry["line"] not in records:
                entries[entry["line"]] = entry
        if entries:
            await self._stage(self.paths.rejected, index, as_jsonl([entries[line] for line in sorted(entries)]))
        return Counter(str(entry["reason"]) for entry in entries.values())

    async def _stage(self, name: str, index: int, block: bytes) -> None:
        blob = home(self.paths, name, self.split, index, self.shards)
        await self.storage.stage(blob, block_id(self.split, index), block)


async def commit_datasets(
    storage: Storage, spec: RunSpec, paths: RunPaths, split: Split, shards: int
) -> tuple[Tally, list[int]]:
    """Commit the student's dataset of one split, and the validation set if one was set aside from it.

    Returns the split's tally and the first few shards that are not complete; while there are any, nothing is committed. The same
    again changes nothing. Raises Unfinished, see shared/outputs.py.
    """
    tally, own, held_out = Tally(), list[int](), list[int]()
    missing, due = list[int](), 0
    async for index, one in sealed(storage, paths, split):
        missing += range(due, index)[: MAX_MISSING - len(missing)]
        due = index + 1
        tally = total([tally, one])
        own += [index] if one.in_own_dataset else []
        held_out += [index] if one.held_out else []
    missing += range(due, shards)[: MAX_MISSING - len(missing)]
    if missing:
        return tally, missing
    staging = Staging(storage, spec, paths, split, shards)

    async def restage(_: Split, index: int) -> None:
        await staging.stage_again(index)

    await commit_output(storage, paths, paths.dataset(split), {split: (own, shards)}, restage)
    if held_out:
        await commit_output(storage, paths, paths.dataset("validation"), {split: (held_out, shards)}, restage)
    return tally, []


async def commit_rejected(
    storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split]
) -> dict[Split, Counter[str]]:
    """Commit the rejected rows of all splits, and return how many there are by reason.

    Of shards that were not completed, those are listed that the scan or the teacher had rejected by then.
    """
    counts: dict[Split, Counter[str]] = {}
    indices: dict[Split, tuple[list[int], int]] = {}
    stagings: dict[Split, Staging] = {}
    for split in splits:
        plan = PlanReader(storage, paths, split)
        shards = (await plan.plan()).shards
        stagings[split] = Staging(storage, spec, paths, split, shards)
        counts[split], own = await _rejected_shards(stagings[split], plan)
        indices[split] = own, shards

    async def restage(split: Split, index: int) -> None:
        await stagings[split].stage_again(index)

    await commit_output(storage, paths, paths.rejected, indices, restage)
    return counts


async def _rejected_shards(staging: Staging, plan: PlanReader) -> tuple[Counter[str], list[int]]:
    """How many rows of a split are rejected, by reason, and the shards that have any: those of incomplete ones are staged."""
    counts, own = Counter[str](), list[int]()
    scanned: tuple[int, list[dict[str, Any]]] = (-1, [])  # what the scan rejected, of the range looked at last
    complete = {index: tally.rejected async for index, tally in sealed(staging.storage, staging.paths, staging.split)}
    async for index, shard in plan.shards():
        if index in complete:
            found = Counter(complete[index])
        else:
            number = await plan.range_of(index)
            if scanned[0] != number:
                scanned = number, await plan.rejected(number)
            found = await staging.stage_incomplete(index, shard, scanned[1])
        if found:
            own.append(index)
            counts += found
    return counts, own


async def sealed(storage: Storage, paths: RunPaths, split: Split) -> AsyncIterator[tuple[int, Tally]]:
    """(index, tally) of the complete shards of a split, in order."""
    async for name, metadata in storage.metadata_under(paths.journals(split)):
        if is_sealed(metadata):
            index = int(name.rpartition("/")[2].removesuffix(".jsonl"))
            yield index, Tally.from_metadata(metadata)


def lines_of(storage: Storage, paths: RunPaths, split: Split, shard: Shard) -> AsyncIterator[list[Line]]:
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
        messages = task.student_messages(row, self._spec.prompt, answers, system_role=self._student.system_role)
        return as_jsonl([{"messages": messages}])


def _entry(split: Split, record: Record) -> dict[str, Any]:
    return {"split": split, "line": record.line, "id": record.id, "reason": record.reason, "detail": record.detail}


def _rejected_row(split: Split, record: Record) -> bytes:
    return as_jsonl([_entry(split, record)])
