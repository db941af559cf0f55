"""The steps of a scan on storage. Large inputs have one activity a step.

The steps are `scan_range` for every range, `find_duplicates` for every group of hashes,
`plan_range` for every range, and `finish`. Each step reads what earlier steps wrote, and a repeated
execution writes the same blobs. Memory depends on the size of a range. The logic of the steps is in
range_scan.py, duplicates.py and range_plan.py.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from shared.core.errors import NotFound
from shared.core.paths import JSON_LINES, RUNS, RunPaths, Split
from shared.dataset.lines import ReadBytes
from shared.dataset.rejection import RejectedRow, parse_rejected_rows
from shared.dataset.rows import as_jsonl
from shared.scan.duplicates import (
    BUCKETS,
    HEAD_BYTES,
    OFFSET_BYTES,
    Duplicate,
    RangeKey,
    find_duplicates,
    split_buckets,
    unpacked_offsets,
)
from shared.scan.near_duplicates import NearDuplicate, first_matches, later_evaluation_rows
from shared.scan.plan import Plan, RangePlan, SplitScan
from shared.scan.range_plan import plan_range
from shared.scan.range_scan import RangeScan, count_ranges, range_bytes
from shared.scan.references import References
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

LINES = "lines"  # metadata of a scanned range: the number of its lines


async def ranges_of(storage: Storage, paths: RunPaths, splits: list[Split]) -> dict[Split, int]:
    """Return the number of ranges of each input. Raises NotFound."""
    return {split: count_ranges(await _size(storage, paths, split)) for split in splits}


async def _size(storage: Storage, paths: RunPaths, split: Split) -> int:
    properties = await storage.properties(f"{RUNS}/{paths.input(split)}")
    return properties.size if properties else 0


@dataclass
class ScanSteps:
    """The steps of one scan. `ranges` has the number of ranges of each split, training first."""

    storage: Storage
    spec: RunSpec
    paths: RunPaths
    round: int
    ranges: Mapping[Split, int]

    @property
    def groups(self) -> int:
        """The number of groups of hashes: each is about as large as the hashes of a range."""
        return sum(self.ranges.values())

    async def scan_range(self, split: Split, number: int) -> None:
        """Check the rows of one range."""
        size = await _size(self.storage, self.paths, split)
        width = range_bytes(size)
        later_splits = await later_evaluation_rows(self.spec, split, await self._inputs())
        scan = RangeScan(split, self.spec, later_splits=later_splits)
        start = number * width
        await scan.read(self._reader(split), start, start + width, size)
        rejected = self.paths.scanned_rejected(self.round, split, number)
        await self._write_lines(rejected, scan.rejections)
        await self.storage.write(
            self.paths.hashes(self.round, split, number),
            scan.hashes.packed(),
            content_type="application/octet-stream",
        )
        if scan.near:
            near = self.paths.near_duplicates(self.round, split, number)
            await self._write_lines(near, scan.near)
        scanned = self.paths.scanned(self.round, split, number)
        await self._write(scanned, scan.plan, {LINES: str(scan.lines)})

    async def find_duplicates(self, group: int) -> None:
        """Find the duplicates among one group of hashes, across all ranges."""
        first_lines = await self._first_lines()
        first_bucket = BUCKETS * group // self.groups
        buckets = range(first_bucket, BUCKETS * (group + 1) // self.groups)
        hashes = {key: await self._hashes(key, buckets) for key in first_lines}
        references = References(self.spec)
        duplicates: dict[RangeKey, list[Duplicate]] = defaultdict(list)
        for bucket in range(len(buckets)):
            entries = [(key, contents[bucket]) for key, contents in hashes.items()]
            for key, duplicate in find_duplicates(entries, first_lines, references):
                duplicates[key].append(duplicate)
        for (split, number), in_range in duplicates.items():
            folder = self.paths.duplicates(self.round, split, number)
            await self._write_lines(f"{folder}{group:06d}.jsonl", in_range)

    async def plan_range(self, split: Split, number: int) -> None:
        """Write the plan of one range: its shards and its rejected rows."""
        scanned = await self.storage.read_json(self.paths.scanned(self.round, split, number))
        first_lines = await self._first_lines()
        plan, rejected = await plan_range(
            split,
            RangePlan.model_validate(scanned),
            await self._rejections(split, number),
            await self._duplicates(split, number),
            await self._near_duplicates((split, number), first_lines),
            first_lines[split, number],
            self._reader(split),
            drop_near=self.spec.quality.near_duplicates == "drop",
        )
        await self._write_lines(self.paths.planned_rejected(split, number), rejected)
        await self._write(self.paths.planned(split, number), plan)

    async def finish(self) -> dict[Split, SplitScan]:
        """Write the plan of each split, and delete what the steps handed to each other.

        Returns the counts of each split.
        """
        scans: dict[Split, SplitScan] = {}
        for split, count in self.ranges.items():
            plan = Plan()
            for number in range(count):
                planned = await self.storage.read_json(self.paths.planned(split, number))
                plan.append(RangePlan.model_validate(planned))
            await self._write(self.paths.plan(split), plan)
            scans[split] = plan.scan()
        async for name in self.storage.names_under(self.paths.scan(self.round)):
            await self.storage.delete(name)
        return scans

    async def all(self) -> dict[Split, SplitScan]:
        """Take every step, one after the other. Returns the counts of each split."""
        for split, number in self._keys():
            await self.scan_range(split, number)
        for group in range(self.groups):
            await self.find_duplicates(group)
        for split, number in self._keys():
            await self.plan_range(split, number)
        return await self.finish()

    def _keys(self) -> list[RangeKey]:
        """Return all ranges, in the order in which rows count."""
        keys: list[RangeKey] = []
        for split, count in self.ranges.items():
            keys.extend((split, number) for number in range(count))
        return keys

    async def _first_lines(self) -> dict[RangeKey, int]:
        """Return the line of its split at which each range begins, in the order of the ranges."""
        first_lines: dict[RangeKey, int] = {}
        for split, count in self.ranges.items():
            lines: dict[str, int] = {}
            folder = f"{self.paths.scan(self.round)}{split}/"
            async for name, metadata in self.storage.metadata_under(folder):
                if LINES in metadata:
                    lines[name] = int(metadata[LINES])
            first_line = 1
            for number in range(count):
                first_lines[split, number] = first_line
                first_line += lines[self.paths.scanned(self.round, split, number)]
        return first_lines

    async def _hashes(self, key: RangeKey, buckets: range) -> list[bytes]:
        """Return a range's entries in each of these buckets."""
        name = self.paths.hashes(self.round, *key)
        head = await self._bytes(
            name, OFFSET_BYTES * buckets.start, OFFSET_BYTES * (buckets.stop + 1)
        )
        offsets = unpacked_offsets(head)
        content = await self._bytes(name, HEAD_BYTES + offsets[0], HEAD_BYTES + offsets[-1])
        return split_buckets(content, offsets)

    async def _rejections(self, split: Split, number: int) -> list[RejectedRow]:
        rows = await self.storage.read_lines(self.paths.scanned_rejected(self.round, split, number))
        return parse_rejected_rows(rows)

    async def _duplicates(self, split: Split, number: int) -> list[Duplicate]:
        duplicates: list[Duplicate] = []
        folder = self.paths.duplicates(self.round, split, number)
        async for name in self.storage.names_under(folder):
            duplicates += [Duplicate(**row) for row in await self.storage.read_lines(name)]
        return duplicates

    async def _near_duplicates(
        self, key: RangeKey, first_lines: Mapping[RangeKey, int]
    ) -> list[Duplicate]:
        """Return the rows of a range that nearly repeat a row of an earlier split."""
        if key[0] == "train":
            return []
        matches: list[tuple[RangeKey, list[NearDuplicate]]] = []
        for other in first_lines:
            if other[0] == key[0]:
                break
            name = self.paths.near_duplicates(self.round, *other)
            with contextlib.suppress(NotFound):
                lines = await self.storage.read_lines(name)
                matches.append((other, [NearDuplicate(**line) for line in lines]))
        buckets = await self._hashes(key, range(BUCKETS)) if matches else []
        return first_matches(matches, first_lines, key, buckets)

    async def _inputs(self) -> dict[Split, tuple[ReadBytes, int]]:
        """Return a reader and the size in bytes of each input."""
        inputs: dict[Split, tuple[ReadBytes, int]] = {}
        for split in self.ranges:
            size = await _size(self.storage, self.paths, split)
            inputs[split] = (self._reader(split), size)
        return inputs

    async def _bytes(self, name: str, start: int, end: int) -> bytes:
        return b"".join([chunk async for chunk in self.storage.stream(name, start, end)])

    async def _write(
        self, name: str, document: RangePlan | Plan, metadata: dict[str, str] | None = None
    ) -> None:
        content = document.model_dump_json(exclude_defaults=True).encode()
        await self.storage.write(name, content, metadata=metadata)

    async def _write_lines(
        self, name: str, rows: Sequence[RejectedRow | Duplicate | NearDuplicate]
    ) -> None:
        content = as_jsonl([asdict(row) for row in rows])
        await self.storage.write(name, content, content_type=JSON_LINES)

    def _reader(self, split: Split) -> ReadBytes:
        def read(start: int, end: int) -> AsyncIterator[bytes]:
            return self.storage.stream(self.paths.input(split), start, end)

        return read
