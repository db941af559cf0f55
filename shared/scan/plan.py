"""Plans: which byte range of an input each shard answers, and which rows no shard may ask the teacher about.

A plan is cut as its input was cut for the scan: one small document of the whole, and one for each range with its shards. Whoever
needs some shards reads their ranges alone. How plans are made: shared/scan/range_scan.py.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from shared.core.paths import RunPaths, Split
from shared.dataset.lines import Line, line_batches
from shared.dataset.rejection import RejectionReason
from shared.spec.budget import Usage

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_SAMPLES = 5  # rejected rows shown in messages
RANGES_KEPT = 2  # by a reader: shards that are in work side by side may belong to two


class Exclusion(BaseModel):
    """A row that is fine in itself, but stands in the data already."""

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
    """What a scan found. Counts of ranges add up to those of their split."""

    rows: int = 0
    valid: int = 0
    reused: int = (
        0  # of the valid rows, those that an earlier run has answered; found by a dry run alone
    )
    rejected: dict[str, int] = Field(default_factory=dict[str, int])
    samples: list[str] = Field(default_factory=list[str])  # the first few rejections, as text
    estimate: Usage = Field(default_factory=Usage)

    def add(self, later: ScanCounts) -> None:
        """Add the counts of what comes after."""
        self.rows += later.rows
        self.valid += later.valid
        self.reused += later.reused
        for reason, count in later.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        self.samples = [*self.samples, *later.samples][:MAX_SAMPLES]
        self.estimate.add(later.estimate)


class RangePlan(ScanCounts):
    """The shards of one range, in input order. Of a plan, not a scan: with lines as they are numbered in the split."""

    first_line: int = 1
    shards: list[Shard] = Field(default_factory=list[Shard])


class PlannedRange(BaseModel):
    """Where a range's shards and lines stand among those of the split."""

    first_shard: int
    first_line: int  # 1-based


class Plan(ScanCounts):
    """The plan of one split."""

    shards: int = 0  # how many
    ranges: list[PlannedRange] = Field(default_factory=list[PlannedRange])

    def append(self, planned: RangePlan) -> None:
        """The next range's plan, as counts and where it stands."""
        self.add(planned)
        self.ranges.append(PlannedRange(first_shard=self.shards, first_line=planned.first_line))
        self.shards += len(planned.shards)

    def summary(self) -> dict[str, Any]:
        """What the scan found: small, whatever the size of the dataset."""
        return self.model_dump(exclude={"reused", "ranges"})


class PlanReader:
    """Reads the plan of one split as far as it is asked for. Its methods raise NotFound where there is none."""

    def __init__(self, storage: Storage, paths: RunPaths, split: Split) -> None:
        self._storage, self._paths = storage, paths
        self._split: Split = split
        self._plan: Plan | None = None
        self._ranges: dict[int, RangePlan] = {}
        self._reading = asyncio.Lock()

    async def plan(self) -> Plan:
        """The whole, without the shards."""
        if self._plan is None:
            self._plan = Plan.model_validate(
                await self._storage.read_json(self._paths.plan(self._split))
            )
        return self._plan

    async def range_of(self, shard: int) -> int:
        """The number of the range that a shard belongs to."""
        ranges = (await self.plan()).ranges
        return bisect_right(ranges, shard, key=lambda one: one.first_shard) - 1

    async def shard(self, index: int) -> Shard:
        number = await self.range_of(index)
        planned = await self._range(number)
        return planned.shards[index - (await self.plan()).ranges[number].first_shard]

    async def shards(self, first: int = 0) -> AsyncIterator[tuple[int, Shard]]:
        """(index, shard) of all from `first` on, in order; a range's at a time are in memory."""
        for index in range(first, (await self.plan()).shards):
            yield index, await self.shard(index)

    async def rejected(self, number: int) -> list[dict[str, Any]]:
        """What the scan rejected of a range."""
        return await self._storage.read_lines(self._paths.planned_rejected(self._split, number))

    async def _range(self, number: int) -> RangePlan:
        async with self._reading:
            if number not in self._ranges:
                while len(self._ranges) >= RANGES_KEPT:
                    self._ranges.pop(next(iter(self._ranges)))
                document = await self._storage.read_json(self._paths.planned(self._split, number))
                self._ranges[number] = RangePlan.model_validate(document)
            return self._ranges[number]


async def shard_lines(chunks: AsyncIterable[bytes], shard: Shard) -> AsyncIterator[list[Line]]:
    """The shard's lines that are rows, from the bytes of its range, those of one chunk at a time."""
    async for batch in line_batches(chunks, offset=shard.start, number=shard.first_line):
        yield [line for line in batch if not line.is_blank]
