"""Plans: which byte range of an input each shard answers, and which rows no shard may ask the teacher about.

Made by one pass over the input, before the teacher is paid. Memory: 16 bytes and a line number a row, for duplicates.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from shared.lines import Line, iter_lines, line_batches
from shared.paths import RunPaths, Split
from shared.rows import Rejection, Row, parse_row
from shared.spec import RunSpec
from shared.students import find_student
from shared.tasks import TASKS, Unreadable
from shared.tokens import chat_tokens, fits
from shared.usage import Usage, row_estimate

if TYPE_CHECKING:
    from shared.storage import Storage

MAX_SAMPLES = 5  # rejected rows shown in messages


class Exclusion(BaseModel):
    """A row that is fine in itself, but stands in the data already."""

    line: int
    reason: str
    detail: str


class Shard(BaseModel):
    """Bytes [start, end) of the input: whole lines, of which `rows` are not blank."""

    start: int
    end: int
    first_line: int
    last_line: int = 0
    rows: int = 0
    excluded: list[Exclusion] = Field(default_factory=list[Exclusion])


class Plan(BaseModel):
    """The shards of one split, in input order, and what the scan found."""

    split: str
    rows: int = 0
    valid: int = 0
    reused: int = 0  # of the valid rows, those that an earlier run has answered; found by a dry run alone
    rejected: dict[str, int] = Field(default_factory=dict[str, int])
    samples: list[str] = Field(default_factory=list[str])  # the first few rejections, as text
    estimate: Usage = Field(default_factory=Usage)
    shards: list[Shard] = Field(default_factory=list[Shard])

    def summary(self) -> dict[str, Any]:
        """What the scan found, without the shards themselves: small, whatever the size of the dataset."""
        return {**self.model_dump(exclude={"split", "reused", "shards"}), "shards": len(self.shards)}


async def read_plan(storage: Storage, paths: RunPaths, split: Split) -> Plan:
    """The plan that the scan wrote. Raises NotFound."""
    return Plan.model_validate(await storage.read_json(paths.plan(split)))


SeenRows = dict[bytes, tuple[str, int]]  # question hash: (split, line)


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One entry of `rejected.jsonl`."""

    split: str
    line: int
    id: str | None
    reason: str
    detail: str


def nothing_answered(row: Row) -> bool:
    return False


async def make_plan(
    split: str,
    chunks: AsyncIterable[bytes],
    spec: RunSpec,
    seen: SeenRows,
    rejections: list[RejectedRow],
    is_answered: Callable[[Row], bool] = nothing_answered,
) -> Plan:
    """Scan one split. `seen` holds the rows of the splits scanned before; it and `rejections` are added to.

    `is_answered` says which rows the teacher need not be asked for: they are counted, and no part of the estimate.
    """
    plan, checks = Plan(split=split), RowChecks(spec)
    async for line in iter_lines(chunks):
        if line.is_blank:
            continue
        plan.rows += 1
        shard = _shard_of(plan, line, spec.generation.rows_per_shard)
        checked = checks.row(line.content)
        if isinstance(checked, Row):
            excluded = _find_double(checked, split, line.number, seen)
            if excluded is None:
                plan.valid += 1
                if is_answered(checked):
                    plan.reused += 1
                else:
                    plan.estimate.add(row_estimate(checked, spec))
                continue
            shard.excluded.append(excluded)
            checked = Rejection(excluded.reason, excluded.detail, checked.id)
        _count_rejection(plan, line.number, checked)
        rejections.append(RejectedRow(split, line.number, checked.id, checked.reason, checked.detail))
    return plan


async def shard_lines(chunks: AsyncIterable[bytes], shard: Shard) -> AsyncIterator[list[Line]]:
    """The shard's lines that are rows, from the bytes of its range, those of one chunk at a time."""
    async for batch in line_batches(chunks, offset=shard.start, number=shard.first_line):
        yield [line for line in batch if not line.is_blank]


class RowChecks:
    """What a run demands of a row before the teacher is asked: its shape, its task's, and what settings and student want."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec, self._task = spec, TASKS[spec.task]
        self._student = find_student(spec.student.model or "")

    def row(self, content: bytes | None) -> Row | Rejection:
        """A line's bytes to a row that the run can use. `content` None: the line is longer than the limit."""
        checked = self.shape(content)
        if isinstance(checked, Rejection):
            return checked
        return self._reference_problem(checked) or self._length_problem(checked) or checked

    def shape(self, content: bytes | None) -> Row | Rejection:
        """A line's bytes to a row of the task, whatever the settings demand of it besides: those may change."""
        parsed = parse_row(content)
        return self._task.check(parsed) if isinstance(parsed, Row) else parsed

    def usable(self, line: Line, shard: Shard) -> Row | Rejection:
        """The row of a line, unless it is wrong or the scan excluded it."""
        row = self.row(line.content)
        if isinstance(row, Row):
            for excluded in shard.excluded:
                if excluded.line == line.number:
                    return Rejection(excluded.reason, excluded.detail, row.id)
        return row

    def _reference_problem(self, row: Row) -> Rejection | None:
        if self._spec.quality.select != "reference":
            return None
        reference = self._task.reference_value(row)
        if reference is None:
            return Rejection("no_reference", "there is no reference answer, and quality.select is reference", row.id)
        if isinstance(reference, Unreadable):
            return Rejection("invalid_reference", f"the reference answer cannot be read: {reference.detail}", row.id)
        return None

    def _length_problem(self, row: Row) -> Rejection | None:
        """A row whose questions alone are more than the student can take in."""
        asked = [message for message in row.messages if message["role"] != "assistant"]
        context = self._student.context_tokens
        if fits(asked, context):
            return None
        return Rejection("too_long", f"about {chat_tokens(asked):,} tokens, the student takes {context:,}", row.id)


def _shard_of(plan: Plan, line: Line, rows_per_shard: int) -> Shard:
    if not plan.shards or plan.shards[-1].rows == rows_per_shard:
        plan.shards.append(Shard(start=line.start, end=line.end, first_line=line.number))
    shard = plan.shards[-1]
    shard.end, shard.last_line = line.end, line.number
    shard.rows += 1
    return shard


def _find_double(row: Row, split: str, line: int, seen: SeenRows) -> Exclusion | None:
    first_split, first_line = seen.setdefault(row.question_hash(), (split, line))
    if (first_split, first_line) == (split, line):
        return None
    reason = "duplicate" if first_split == split else "overlap"
    return Exclusion(line=line, reason=reason, detail=f"the same as line {first_line} of {first_split}")


def _count_rejection(plan: Plan, line: int, rejection: Rejection) -> None:
    plan.rejected[rejection.reason] = plan.rejected.get(rejection.reason, 0) + 1
    if len(plan.samples) < MAX_SAMPLES:
        plan.samples.append(f"line {line}: {rejection.reason}: {rejection.detail}")
