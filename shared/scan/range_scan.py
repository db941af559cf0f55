"""How plans are made, before the teacher is paid: every row checked, doubles found, shards cut.

An input is scanned by ranges, each by itself: its rows' hashes go to a file, ordered by the first bits of the hash. Doubles are
found for some of those bits at a time, over all ranges. Then each range's shards are written down, without the doubles' cost.
The steps on storage: shared/scan/stored_scan.py.

Cutting must not change for runs that exist: their journals belong to shards.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.core.paths import Split
from shared.dataset.lines import Line, ReadBytes, range_lines
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row, parse_row
from shared.scan.plan import MAX_SAMPLES, Exclusion, RangePlan, Shard, shard_lines
from shared.scan.row_checks import RowChecks
from shared.spec.budget import Usage, row_estimate
from shared.spec.models import RunSpec

MIN_RANGE_BYTES, MAX_RANGE_BYTES = 32 * 1024 * 1024, 256 * 1024 * 1024  # some 100,000 rows and more
USUAL_RANGES = 256  # of a large input: larger ones are cut into larger ranges, as doubles are looked for across all
MAX_SHARD_BYTES = 8 * 1024 * 1024  # a shard's rows are in memory while it is answered
BUCKETS = 4096  # of hashes, by their first 12 bits
HASH_BYTES = 16
ENTRY = struct.Struct(f"<{HASH_BYTES}sIIII")  # hash, line within the range, and the row's estimate


Estimate = tuple[int, int, int]  # requests, prompt tokens, completion tokens
NOTHING: Estimate = (0, 0, 0)  # of a row that an earlier run has answered
Hashes = tuple[Split, int, bytes]  # of a range of a split, within one bucket


def range_bytes(size: int) -> int:
    """Bytes of each range of an input of `size` bytes."""
    return max(MIN_RANGE_BYTES, min(MAX_RANGE_BYTES, -(-size // USUAL_RANGES)))


def count_ranges(size: int) -> int:
    return -(-size // range_bytes(size))


def nothing_answered(row: Row) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One entry of `rejected.jsonl`."""

    split: str
    line: int
    id: str | None
    reason: RejectionReason
    detail: str


@dataclass(frozen=True, slots=True)
class Double:
    """A row that stands in the data already: `line` is its own, within its range; `estimate` what it would have taken."""

    line: int
    first_split: str
    first_line: int
    estimate: Estimate


@dataclass
class RangeScan:
    """What one range holds, by itself. Lines are numbered within the range."""

    split: Split
    spec: RunSpec
    is_answered: Callable[[Row], bool] = (
        nothing_answered  # rows that the teacher need not be asked for
    )
    plan: RangePlan = field(default_factory=RangePlan)
    rejections: list[RejectedRow] = field(default_factory=list[RejectedRow])
    lines: int = 0
    hashes: dict[int, bytearray] = field(
        default_factory=lambda: defaultdict[int, bytearray](bytearray)
    )
    _checks: RowChecks = field(init=False)

    def __post_init__(self) -> None:
        self._checks = RowChecks(self.spec)

    def take(self, line: Line) -> None:
        """The next line."""
        self.lines = line.number
        if line.is_blank:
            return
        self.plan.rows += 1
        _cut(self.plan.shards, line, self.spec.generation.rows_per_shard)
        checked = self._checks.row(line.content)
        if isinstance(checked, Row):
            self._accept(checked, line.number)
        else:
            self.rejections.append(
                RejectedRow(self.split, line.number, checked.id, checked.reason, checked.detail)
            )

    def _accept(self, row: Row, line: int) -> None:
        self.plan.valid += 1
        used = Usage()
        if self.is_answered(row):
            self.plan.reused += 1
        else:
            used = row_estimate(row, self.spec)
            self.plan.estimate.add(used)
        digest = row.question_hash()
        entry = ENTRY.pack(digest, line, used.requests, used.prompt_tokens, used.completion_tokens)
        self.hashes[bucket_of(digest)] += entry


def bucket_of(digest: bytes) -> int:
    return int.from_bytes(digest[:2]) >> 4


def _cut(shards: list[Shard], line: Line, rows_per_shard: int) -> None:
    """Add a line to the last shard, or begin another with it."""
    if (
        not shards
        or shards[-1].rows == rows_per_shard
        or line.end - shards[-1].start > MAX_SHARD_BYTES
    ):
        shards.append(Shard(start=line.start, end=line.end, first_line=line.number))
    shards[-1].end, shards[-1].last_line = line.end, line.number
    shards[-1].rows += 1


def find_doubles(
    bucket: Iterable[Hashes], first_lines: Mapping[tuple[Split, int], int]
) -> Iterator[tuple[int, Double]]:
    """(position among `bucket`, double) of every row that stands in it before, whether in its own split or another.

    `bucket`: in the order in which rows count, that of training first. `first_lines`: of each range, in its split.
    """
    seen: dict[bytes, tuple[Split, int]] = {}
    for position, (split, number, entries) in enumerate(bucket):
        for digest, line, requests, prompt, completion in ENTRY.iter_unpack(entries):
            own = (split, first_lines[split, number] + line - 1)
            first_split, first_line = seen.setdefault(digest, own)
            if (first_split, first_line) != own:
                yield (
                    position,
                    Double(line, first_split, first_line, (requests, prompt, completion)),
                )


async def plan_range(
    split: Split,
    scanned: RangePlan,
    rejections: Sequence[RejectedRow],
    doubles: Sequence[Double],
    first_line: int,
    read: ReadBytes,
) -> tuple[RangePlan, list[RejectedRow]]:
    """The range's plan and its rejected rows: doubles taken out, lines numbered as in the split."""
    plan, before = scanned.model_copy(deep=True, update={"first_line": first_line}), first_line - 1
    rejected = [replace(row, line=before + row.line) for row in rejections]
    left = deque(sorted(doubles, key=lambda double: double.line))
    for shard in plan.shards:
        own: list[Double] = []
        while left and left[0].line <= shard.last_line:
            own.append(left.popleft())
        ids = await _ids(shard, {double.line for double in own}, read)
        for double in own:
            reason = RejectionReason.OVERLAP
            if double.first_split == split:
                reason = RejectionReason.DUPLICATE
            detail = f"the same as line {double.first_line} of {double.first_split}"
            shard.excluded.append(
                Exclusion(line=before + double.line, reason=reason, detail=detail)
            )
            rejected.append(
                RejectedRow(split, before + double.line, ids[double.line], reason, detail)
            )
            plan.valid -= 1
            plan.reused -= double.estimate == NOTHING
            _subtract(plan.estimate, double.estimate)
        shard.first_line, shard.last_line = before + shard.first_line, before + shard.last_line
    rejected.sort(key=lambda row: row.line)
    plan.rejected = dict(Counter(row.reason for row in rejected))
    plan.samples = [
        f"line {row.line}: {row.reason}: {row.detail}" for row in rejected[:MAX_SAMPLES]
    ]
    return plan, rejected


async def _ids(shard: Shard, lines: set[int], read: ReadBytes) -> dict[int, str | None]:
    """Ids of some rows of a shard: what was kept of them for finding doubles is their hash."""
    found: dict[int, str | None] = {}
    if lines:
        async for batch in shard_lines(read(shard.start, shard.end), shard):
            found |= {
                line.number: parse_row(line.content).id for line in batch if line.number in lines
            }
    return found


def _subtract(usage: Usage, estimate: Estimate) -> None:
    requests, prompt, completion = estimate
    usage.requests -= requests
    usage.prompt_tokens -= prompt
    usage.completion_tokens -= completion


async def plan_in_memory(
    inputs: Mapping[Split, tuple[ReadBytes, int]],
    spec: RunSpec,
    is_answered: Callable[[Row], bool] = nothing_answered,
) -> tuple[dict[Split, RangePlan], list[RejectedRow]]:
    """Plans of small inputs, each in one range, and what is rejected of all: `inputs` gives how to read each, and its size."""
    scans: dict[Split, RangeScan] = {}
    for split, (read, size) in inputs.items():
        scans[split] = RangeScan(split, spec, is_answered)
        async for line in range_lines(read, 0, size, size):
            scans[split].take(line)
    doubles: dict[Split, list[Double]] = defaultdict(list)
    first_lines: dict[tuple[Split, int], int] = {(split, 0): 1 for split in inputs}
    for bucket in range(BUCKETS):
        hashes: list[Hashes] = [
            (split, 0, bytes(scan.hashes.get(bucket, b""))) for split, scan in scans.items()
        ]
        for position, double in find_doubles(hashes, first_lines):
            doubles[hashes[position][0]].append(double)
    plans: dict[Split, RangePlan] = {}
    rejected: list[RejectedRow] = []
    for split, (read, _) in inputs.items():
        scan = scans[split]
        plans[split], rows = await plan_range(
            split, scan.plan, scan.rejections, doubles[split], 1, read
        )
        rejected += rows
    return plans, rejected
