"""The steps of a scan on storage, each an activity's work where the input is large. What they do: shared/scan/range_scan.py.

`scan_range` of every range, then `find_doubles` of every group of hashes, then `plan_range` of every range, then `finish`. Each
step reads what the ones before wrote, and writes where its first execution wrote. Memory depends on the size of a range.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from shared.core.paths import JSON_LINES, RUNS, RunPaths, Split
from shared.dataset.lines import range_lines
from shared.dataset.rows import as_jsonl
from shared.scan.plan import Plan, RangePlan
from shared.scan.range_scan import (
    BUCKETS,
    Double,
    Hashes,
    RangeScan,
    RejectedRow,
    count_ranges,
    find_doubles,
    plan_range,
    range_bytes,
)
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

LINES = "lines"  # metadata of a scanned range: how many it has
OFFSET_BYTES = (
    8  # of the offset of each bucket, and of the end, in the head of a range's file of hashes
)
HEAD_BYTES = OFFSET_BYTES * (BUCKETS + 1)


async def ranges_of(storage: Storage, paths: RunPaths, splits: list[Split]) -> dict[Split, int]:
    """Into how many ranges each input is cut. Raises NotFound."""
    return {split: count_ranges(await _size(storage, paths, split)) for split in splits}


async def _size(storage: Storage, paths: RunPaths, split: Split) -> int:
    properties = await storage.properties(f"{RUNS}/{paths.input(split)}")
    return properties.size if properties else 0


@dataclass
class ScanSteps:
    """The steps of one scan. `ranges`: of each split, in the order in which rows count."""

    storage: Storage
    spec: RunSpec
    paths: RunPaths
    round: int
    ranges: Mapping[Split, int]

    @property
    def groups(self) -> int:
        """Groups of hashes: each about as large as the hashes of a range."""
        return sum(self.ranges.values())

    async def scan_range(self, split: Split, number: int) -> None:
        """Check the rows of one range."""
        size = await _size(self.storage, self.paths, split)
        width, scan = range_bytes(size), RangeScan(split, self.spec)
        async for line in range_lines(
            self._reading(split), number * width, (number + 1) * width, size
        ):
            scan.take(line)
        rejected, hashes = as_jsonl([asdict(row) for row in scan.rejections]), _packed(scan)
        await self.storage.write(
            self.paths.scanned_rejected(self.round, split, number),
            rejected,
            content_type=JSON_LINES,
        )
        await self.storage.write(
            self.paths.hashes(self.round, split, number),
            hashes,
            content_type="application/octet-stream",
        )
        await self._write(
            self.paths.scanned(self.round, split, number), scan.plan, {LINES: str(scan.lines)}
        )

    async def find_doubles(self, group: int) -> None:
        """Find the rows that stand in the data before, among those of one group of hashes."""
        first_lines = await self._first_lines()
        buckets = range(BUCKETS * group // self.groups, BUCKETS * (group + 1) // self.groups)
        parts: list[tuple[Split, int, list[bytes]]] = [
            (split, number, await self._hashes(split, number, buckets))
            for split, number in first_lines
        ]
        found: dict[tuple[Split, int], list[Double]] = defaultdict(list)
        for bucket in range(len(buckets)):
            hashes: list[Hashes] = [
                (split, number, parts_of[bucket]) for split, number, parts_of in parts
            ]
            for position, double in find_doubles(hashes, first_lines):
                found[hashes[position][:2]].append(double)
        for (split, number), doubles in found.items():
            name = f"{self.paths.doubles(self.round, split, number)}{group:06d}.jsonl"
            await self.storage.write(
                name, as_jsonl([asdict(double) for double in doubles]), content_type=JSON_LINES
            )

    async def plan_range(self, split: Split, number: int) -> None:
        """Write down the shards of one range, and its rejected rows."""
        scanned = RangePlan.model_validate(
            await self.storage.read_json(self.paths.scanned(self.round, split, number))
        )
        rejected = await self.storage.read_lines(
            self.paths.scanned_rejected(self.round, split, number)
        )
        doubles: list[Double] = []
        async for name, _ in self.storage.metadata_under(
            self.paths.doubles(self.round, split, number)
        ):
            found = await self.storage.read_lines(name)
            doubles += [
                replace(Double(**double), estimate=tuple(double["estimate"])) for double in found
            ]
        first_line = (await self._first_lines())[split, number]
        rejections = [RejectedRow(**row) for row in rejected]
        plan, rows = await plan_range(
            split, scanned, rejections, doubles, first_line, self._reading(split)
        )
        listed = as_jsonl([asdict(row) for row in rows])
        await self.storage.write(
            self.paths.planned_rejected(split, number), listed, content_type=JSON_LINES
        )
        await self._write(self.paths.planned(split, number), plan)

    async def finish(self) -> dict[Split, dict[str, Any]]:
        """Write down the plan of each split, and delete what the steps handed to each other. What was found, by split."""
        found: dict[Split, dict[str, Any]] = {}
        for split, count in self.ranges.items():
            plan = Plan()
            for number in range(count):
                planned = await self.storage.read_json(self.paths.planned(split, number))
                plan.append(RangePlan.model_validate(planned))
            await self._write(self.paths.plan(split), plan)
            found[split] = plan.summary()
        async for name, _ in self.storage.metadata_under(self.paths.scan(self.round)):
            await self.storage.delete(name)
        return found

    async def all(self) -> dict[Split, dict[str, Any]]:
        """Every step, one after the other."""
        ranges: list[tuple[Split, int]] = [
            (split, number) for split, count in self.ranges.items() for number in range(count)
        ]
        for split, number in ranges:
            await self.scan_range(split, number)
        for group in range(self.groups):
            await self.find_doubles(group)
        for split, number in ranges:
            await self.plan_range(split, number)
        return await self.finish()

    async def _first_lines(self) -> dict[tuple[Split, int], int]:
        """Of each range, in the order in which rows count."""
        found: dict[tuple[Split, int], int] = {}
        for split, count in self.ranges.items():
            lines: dict[str, int] = {}
            async for name, metadata in self.storage.metadata_under(
                f"{self.paths.scan(self.round)}{split}/"
            ):
                if LINES in metadata:
                    lines[name] = int(metadata[LINES])
            first = 1
            for number in range(count):
                found[split, number] = first
                first += lines[self.paths.scanned(self.round, split, number)]
        return found

    async def _hashes(self, split: Split, number: int, buckets: range) -> list[bytes]:
        """A range's hashes in these buckets."""
        name = self.paths.hashes(self.round, split, number)
        head = await self._bytes(
            name, OFFSET_BYTES * buckets.start, OFFSET_BYTES * (buckets.stop + 1)
        )
        offsets = struct.unpack(f"<{len(buckets) + 1}Q", head)
        content = await self._bytes(name, HEAD_BYTES + offsets[0], HEAD_BYTES + offsets[-1])
        return [content[begin - offsets[0] : end - offsets[0]] for begin, end in pairwise(offsets)]

    async def _bytes(self, name: str, start: int, end: int) -> bytes:
        return b"".join([chunk async for chunk in self.storage.stream(name, start, end)])

    async def _write(
        self, name: str, document: RangePlan | Plan, metadata: dict[str, str] | None = None
    ) -> None:
        await self.storage.write(
            name, document.model_dump_json(exclude_defaults=True).encode(), metadata=metadata
        )

    def _reading(self, split: Split) -> Any:
        def read(start: int, end: int) -> AsyncIterator[bytes]:
            return self.storage.stream(self.paths.input(split), start, end)

        return read


def _packed(scan: RangeScan) -> bytes:
    """A range's hashes, those of a bucket together, behind the offsets of the buckets."""
    buckets = [scan.hashes.get(bucket, b"") for bucket in range(BUCKETS)]
    offsets = [0]
    for bucket in buckets:
        offsets.append(offsets[-1] + len(bucket))
    return b"".join([struct.pack(f"<{len(offsets)}Q", *offsets), *buckets])
