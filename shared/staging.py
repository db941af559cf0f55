"""Fan-in without moving rows: each shard stages its own block of an output under a deterministic id, a commit names them all.

Blocks are rebuilt from input and journal alone, so that they can be staged again at any time: by a second execution, or
by the commit itself when the service has dropped blocks that waited longer than its week.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Literal

from shared.answering import Record
from shared.journal import Journal
from shared.lines import Line
from shared.paths import RunPaths, Split
from shared.plan import Plan, Shard, shard_lines, usable_row
from shared.rows import Row, as_jsonl
from shared.spec import RunSpec
from shared.students import find_student
from shared.tally import Tally, is_sealed
from shared.tasks import TASKS, Answer

if TYPE_CHECKING:
    from shared.storage import Storage

Output = Literal["accepted", "rejected"]


async def stage_shard(
    storage: Storage,
    spec: RunSpec,
    paths: RunPaths,
    split: Split,
    index: int,
    shard: Shard,
    records: Mapping[int, Record],
) -> None:
    """Stage a shard's blocks of the student dataset and of the rejected rows, both in input order."""
    accepted, rejected = bytearray(), bytearray()
    async for line in lines_of(storage, paths, split, shard):
        record = records[line.number]
        if record.status == "accepted":
            accepted += _student_row(spec, shard, line, record)
        else:
            rejected += _rejected_row(split, record)
    if accepted:
        await storage.stage(paths.dataset(split), block_id(split, index), bytes(accepted))
    if rejected:
        await storage.stage(paths.rejected, block_id(split, index), bytes(rejected))


async def commit_output(storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split], output: Output) -> None:
    """Commit the student dataset of one split, or the rejected rows of all. The same list again changes nothing."""
    name = paths.rejected if output == "rejected" else paths.dataset(splits[0])
    present = await storage.staged(name)
    blocks: list[str] = []
    for split in splits:
        for index, tally in sorted((await sealed_tallies(storage, paths, split)).items()):
            if tally.accepted if output == "accepted" else tally.rejected_rows:
                blocks.append(block_id(split, index))
                if blocks[-1] not in present:
                    await _stage_again(storage, spec, paths, split, index)
    await storage.commit(name, blocks)


async def sealed_tallies(storage: Storage, paths: RunPaths, split: Split) -> dict[int, Tally]:
    """Tallies of the complete shards of a split, by index."""
    found: dict[int, Tally] = {}
    async for name, metadata in storage.metadata_under(paths.journals(split)):
        if is_sealed(metadata):
            index = int(name.rpartition("/")[2].removesuffix(".jsonl"))
            found[index] = Tally.from_metadata(metadata)
    return found


async def lines_of(storage: Storage, paths: RunPaths, split: Split, shard: Shard) -> AsyncIterator[Line]:
    """The rows of a shard's byte range, as lines."""
    async for line in shard_lines(storage.stream(paths.input(split), shard.start, shard.end), shard):
        yield line


def block_id(split: Split, shard: int) -> str:
    """Id of a shard's block: deterministic, and of equal length within a blob as the service demands."""
    return base64.b64encode(f"{split[:5]}-{shard:08d}".encode()).decode()


async def _stage_again(storage: Storage, spec: RunSpec, paths: RunPaths, split: Split, index: int) -> None:
    shard = Plan.model_validate(await storage.read_json(paths.plan(split))).shards[index]
    journal = await Journal.open(storage, paths.journal(split, index), shard.rows)
    await stage_shard(storage, spec, paths, split, index, shard, journal.records)


def _student_row(spec: RunSpec, shard: Shard, line: Line, record: Record) -> bytes:
    task = TASKS[spec.task]
    row = usable_row(line, shard, task)
    assert isinstance(row, Row), "an accepted record belongs to a usable row"
    reasoning = record.reasoning or [None] * len(record.answers)
    answers = [Answer(text, why) for text, why in zip(record.answers, reasoning, strict=True)]
    student = find_student(spec.student.model or "")
    return as_jsonl([{"messages": task.student_messages(row, spec.prompt, answers, system_role=student.system_role)}])


def _rejected_row(split: Split, record: Record) -> bytes:
    entry = {"split": split, "line": record.line, "id": record.id, "reason": record.reason, "detail": record.detail}
    return as_jsonl([entry])
