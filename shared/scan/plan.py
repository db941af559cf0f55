"""Plans: the byte range of the input that each shard answers, and the rows that it must leave out.

A plan has one small document for the split and one with the shards of each scanned range, so a
reader of some shards reads only their ranges. How plans are made: shared/scan/stored_scan.py.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from shared.core.paths import RunPaths, Split
from shared.dataset.lines import Line, line_batches
from shared.dataset.rejection import RejectedRow, RejectionReason, parse_rejected_rows
from shared.scan.answer_sets import AnswerSets
from shared.scan.findings import Findings
from shared.scan.references import ReferenceCounts
from shared.spec.budget import Usage

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_SAMPLES = 5  # rejected rows shown in messages
FIRST_WAVE_ROWS = 20
"""Usable training rows that are asked before all others: the first shard has no more."""
CACHED_RANGES = 2  # of a reader: shards that run side by side may belong to two


def first_wave_shards(rows_per_shard: int) -> int:
    """Return how many shards of the training set are asked before all others."""
    return max(1, FIRST_WAVE_ROWS // rows_per_shard)


class Exclusion(BaseModel):
    """A well-formed row that must not be asked: it repeats an earlier one."""

    line: int
    reason: RejectionReason
    detail: str


class Shard(BaseModel):
    """Bytes [start, end) of the input: whole lines, of which `rows` are not blank."""

    start: int
    end: int
    first_line: int
    last_line: int = 0
    rows: int = 0
    excluded: list[Exclusion] = Field(default_factory=list[Exclusion])


class ScanCounts(BaseModel):
    """The counts of a scan. Those of the ranges add up to those of their split."""

    rows: int = 0
    valid: int = 0
    # Valid rows that an earlier run has answered: known once its answers were read.
    reused: int = 0
    rejected: dict[str, int] = Field(default_factory=dict[str, int])
    samples: list[str] = Field(default_factory=list[str])  # the first few rejections, as text
    # what the file is, if it isn't rows of messages: a sentence with the remedy
    file_form: str = ""
    # places of fields that the run doesn't use, such as `tools`
    unused_fields: list[str] = Field(default_factory=list[str])
    answers: AnswerSets = Field(default_factory=AnswerSets)  # that the valid rows may have
    references: ReferenceCounts = Field(default_factory=ReferenceCounts)
    # duplicates whose reference differs from that of the same question before
    conflicts: Findings = Field(default_factory=Findings)
    # rows that nearly repeat a row of an earlier split
    near_duplicates: Findings = Field(default_factory=Findings)
    # whether the file is too large to be compared as a whole with earlier splits
    is_partly_compared: bool = False
    estimate: Usage = Field(default_factory=Usage)
    # about so many tokens has the training set, with one example for each valid row
    example_tokens: int = 0

    def add(self, later: ScanCounts) -> None:
        """Add the counts of the next range."""
        self.rows += later.rows
        self.valid += later.valid
        self.reused += later.reused
        for reason, count in later.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        self.samples = [*self.samples, *later.samples][:MAX_SAMPLES]
        self.file_form = self.file_form or later.file_form
        self.unused_fields = sorted({*self.unused_fields, *later.unused_fields})
        self.answers.add(later.answers)
        self.references.add(later.references)
        self.conflicts.add(later.conflicts)
        self.near_duplicates.add(later.near_duplicates)
        self.is_partly_compared = self.is_partly_compared or later.is_partly_compared
        self.estimate.add(later.estimate)
        self.example_tokens += later.example_tokens


class RangePlan(ScanCounts):
    """The shards of one range, in input order.

    Lines are numbered within the range while it is scanned, and within the split in a plan.
    """

    first_line: int = 1
    shards: list[Shard] = Field(default_factory=list[Shard])


class PlannedRange(BaseModel):
    """The position of a range's shards and lines among those of the split."""

    first_shard: int
    first_line: int  # 1-based


class SplitScan(ScanCounts):
    """What the scan found in one split: small, whatever the size of the dataset."""

    shards: int = 0  # their number


class Plan(SplitScan):
    """The plan of one split."""

    ranges: list[PlannedRange] = Field(default_factory=list[PlannedRange])

    def append(self, planned: RangePlan) -> None:
        """Add the counts and the position of the next range."""
        self.add(planned)
        self.ranges.append(PlannedRange(first_shard=self.shards, first_line=planned.first_line))
        self.shards += len(planned.shards)

    def scan(self) -> SplitScan:
        """Return the plan without its ranges, with the answers that most rows offer."""
        shown = self.model_copy(update={"answers": self.answers.shown()})
        return SplitScan.model_validate(shown.model_dump(exclude={"ranges"}))


class PlanReader:
    """Reads the plan of one split, range by range. Its methods raise NotFound without a plan."""

    def __init__(self, storage: Storage, paths: RunPaths, split: Split) -> None:
        self._storage = storage
        self._paths = paths
        self._split: Split = split
        self._plan: Plan | None = None
        self._ranges: dict[int, RangePlan] = {}
        self._reading = asyncio.Lock()

    async def plan(self) -> Plan:
        """Return the document of the split, which has no shards."""
        if self._plan is None:
            self._plan = Plan.model_validate(
                await self._storage.read_json(self._paths.plan(self._split))
            )
        return self._plan

    async def range_of(self, shard: int) -> int:
        """Return the number of the range that a shard belongs to."""
        ranges = (await self.plan()).ranges
        return bisect_right(ranges, shard, key=lambda planned: planned.first_shard) - 1

    async def shard(self, index: int) -> Shard:
        number = await self.range_of(index)
        planned = await self._range(number)
        return planned.shards[index - (await self.plan()).ranges[number].first_shard]

    async def shards(self, first: int = 0) -> AsyncIterator[tuple[int, Shard]]:
        """Yield (index, shard) from `first` on, with one range at a time in memory."""
        for index in range(first, (await self.plan()).shards):
            yield index, await self.shard(index)

    async def rejected(self, number: int) -> list[RejectedRow]:
        """Return the rows of a range that the scan rejected."""
        name = self._paths.planned_rejected(self._split, number)
        return parse_rejected_rows(await self._storage.read_lines(name))

    async def _range(self, number: int) -> RangePlan:
        async with self._reading:
            if number not in self._ranges:
                while len(self._ranges) >= CACHED_RANGES:
                    self._ranges.pop(next(iter(self._ranges)))
                document = await self._storage.read_json(self._paths.planned(self._split, number))
                self._ranges[number] = RangePlan.model_validate(document)
            return self._ranges[number]


async def shard_lines(chunks: AsyncIterable[bytes], shard: Shard) -> AsyncIterator[list[Line]]:
    """Yield the shard's lines that aren't blank, those of one chunk at a time."""
    async for batch in line_batches(chunks, offset=shard.start, number=shard.first_line):
        yield [line for line in batch if not line.is_blank]
