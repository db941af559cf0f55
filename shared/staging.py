"""Fan-in without moving rows: each shard stages its own block of an output under a deterministic id, a commit names them all.

Blocks are rebuilt from input and journal alone, so that they can be staged again at any time: by a second execution, or
by the commit itself when the service has dropped blocks that waited longer than its week.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from shared.answering import Record, answers_of
from shared.journal import Holdout, Journal, nothing_held_out
from shared.lines import Line
from shared.paths import RunPaths, Split
from shared.plan import PlanReader, Shard, shard_lines
from shared.row_checks import RowChecks
from shared.rows import Row, as_jsonl
from shared.spec import RunSpec
from shared.students import find_student
from shared.tally import Tally, is_sealed
from shared.tasks import TASKS

if TYPE_CHECKING:
    from shared.storage import Storage


def holdout(spec: RunSpec, split: Split) -> Holdout:
    """Which accepted rows of a split are set aside for validation: by a hash of seed and line, whatever the other rows are."""
    fraction, seed = spec.holdout.fraction, spec.holdout.seed
    if split != "train" or not fraction:
        return nothing_held_out

    def is_held_out(line: int) -> bool:
        drawn = hashlib.sha256(f"{seed}:{line}".encode()).digest()[:8]
        return int.from_bytes(drawn) < fraction * 2**64

    return is_held_out


async def stage_shard(
    storage: Storage,
    spec: RunSpec,
    paths: RunPaths,
    split: Split,
    index: int,
    shard: Shard,
    records: Mapping[int, Record],
    rows: Mapping[int, Row],
) -> None:
    """Stage a shard's blocks: of the student's datasets and of the rejected rows, all in input order.

    `rows` are those whose rows are known by line; the others are read from the input.
    """
    examples, is_held_out = Examples(spec), holdout(spec, split)
    blocks: dict[str, bytearray] = defaultdict(bytearray)
    unknown = {line for line, record in records.items() if record.status == "accepted" and line not in rows}
    read: dict[int, Row] = {}
    if unknown:
        async for lines in lines_of(storage, paths, split, shard):
            read.update({line.number: examples.parse(line) for line in lines if line.number in unknown})
    for number in sorted(records):
        record = records[number]
        if record.status == "rejected":
            blocks[paths.rejected] += _rejected_row(split, record)
        else:
            row = rows.get(number) or read[number]
            blocks[paths.dataset("validation" if is_held_out(number) else split)] += examples.row(row, record)
    for name, block in blocks.items():
        await storage.stage(name, block_id(split, index), bytes(block))


async def commit_dataset(storage: Storage, spec: RunSpec, paths: RunPaths, split: Split) -> None:
    """Commit the student's dataset of one split. The same again changes nothing."""
    indices = [index for index, tally in (await sealed_tallies(storage, paths, split)).items() if tally.in_own_dataset]
    await _commit(storage, spec, paths, paths.dataset(split), split, sorted(indices))


async def commit_holdout(storage: Storage, spec: RunSpec, paths: RunPaths) -> None:
    """Commit the validation set that was set aside from training rows, if there is any row in it."""
    indices = [index for index, tally in (await sealed_tallies(storage, paths, "train")).items() if tally.held_out]
    if indices:
        await _commit(storage, spec, paths, paths.dataset("validation"), "train", sorted(indices))


async def commit_rejected(
    storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split]
) -> dict[Split, Counter[str]]:
    """Commit the rejected rows of all splits, and return how many there are by reason.

    Of shards that were not completed, those are listed that the scan or the teacher had rejected by then.
    """
    present, blocks = await storage.staged(paths.rejected), list[str]()
    counts: dict[Split, Counter[str]] = {}
    for split in splits:
        counts[split] = Counter()
        sealed = await sealed_tallies(storage, paths, split)
        plan = PlanReader(storage, paths, split)
        scanned: tuple[int, list[dict[str, Any]]] = (-1, [])  # what the scan rejected, of the range looked at last
        async for index, shard in plan.shards():
            if index in sealed:
                found = Counter(sealed[index].rejected)
                if found and block_id(split, index) not in present:
                    await _stage_again(storage, spec, paths, split, index, shard)
            else:
                number = await plan.range_of(index)
                if scanned[0] != number:
                    scanned = number, await plan.rejected(number)
                found = await _stage_incomplete(storage, paths, split, index, shard, scanned[1])
            if found:
                blocks.append(block_id(split, index))
                counts[split] += found
    await storage.commit(paths.rejected, blocks)
    return counts


async def sealed_tallies(storage: Storage, paths: RunPaths, split: Split) -> dict[int, Tally]:
    """Tallies of the complete shards of a split, by index."""
    found: dict[int, Tally] = {}
    async for name, metadata in storage.metadata_under(paths.journals(split)):
        if is_sealed(metadata):
            index = int(name.rpartition("/")[2].removesuffix(".jsonl"))
            found[index] = Tally.from_metadata(metadata)
    return found


def lines_of(storage: Storage, paths: RunPaths, split: Split, shard: Shard) -> AsyncIterator[list[Line]]:
    """The rows of a shard's byte range, as lines: those of one chunk at a time."""
    return shard_lines(storage.stream(paths.input(split), shard.start, shard.end), shard)


def block_id(split: Split, shard: int) -> str:
    """Id of a shard's block: deterministic, and of equal length within a blob as the service demands."""
    return base64.b64encode(f"{split[:5]}-{shard:08d}".encode()).decode()


class Examples:
    """Builds the student's rows. What was accepted once stays, though settings that were changed since would not take it."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec, self._checks = spec, RowChecks(spec)
        self._student = find_student(spec.student.model or "")

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


async def _commit(
    storage: Storage, spec: RunSpec, paths: RunPaths, name: str, split: Split, indices: list[int]
) -> None:
    present = await storage.staged(name)
    missing = [index for index in indices if block_id(split, index) not in present]
    plan = PlanReader(storage, paths, split)
    for index in missing:
        await _stage_again(storage, spec, paths, split, index, await plan.shard(index))
    await storage.commit(name, [block_id(split, index) for index in indices])


async def _stage_again(
    storage: Storage, spec: RunSpec, paths: RunPaths, split: Split, index: int, shard: Shard
) -> None:
    journal = await Journal.open(storage, paths.journal(split, index), shard.rows)
    await stage_shard(storage, spec, paths, split, index, shard, journal.records, {})


async def _stage_incomplete(
    storage: Storage, paths: RunPaths, split: Split, index: int, shard: Shard, scanned: list[dict[str, Any]]
) -> Counter[str]:
    """Stage what is known to be rejected of a shard that was not completed; how many rows that is, by reason."""
    records = await Journal.peek(storage, paths.journal(split, index))
    entries = {line: _entry(split, record) for line, record in records.items() if record.status == "rejected"}
    for entry in scanned:
        if shard.first_line <= entry["line"] <= shard.last_line and entry["line"] not in records:
            entries[entry["line"]] = entry
    if entries:
        block = as_jsonl([entries[line] for line in sorted(entries)])
        await storage.stage(paths.rejected, block_id(split, index), block)
    return Counter(str(entry["reason"]) for entry in entries.values())


def _entry(split: Split, record: Record) -> dict[str, Any]:
    return {"split": split, "line": record.line, "id": record.id, "reason": record.reason, "detail": record.detail}


def _rejected_row(split: Split, record: Record) -> bytes:
    return as_jsonl([_entry(split, record)])
