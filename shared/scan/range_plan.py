"""Turns the scan of a range into its plan: no duplicates, lines numbered within the split."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from shared.core.paths import Split
from shared.dataset.lines import ReadBytes
from shared.dataset.rejection import RejectedRow, RejectionReason
from shared.dataset.rows import Row, parse_row
from shared.scan.duplicates import (
    BUCKETS,
    Duplicate,
    HashBuckets,
    RangeKey,
    find_duplicates,
    place_of,
)
from shared.scan.near_duplicates import NearDuplicate, first_matches, later_evaluation_rows
from shared.scan.plan import MAX_SAMPLES, Exclusion, RangePlan, Shard, shard_lines
from shared.scan.range_scan import RangeScan, nothing_answered
from shared.scan.references import References
from shared.spec.models import RunSpec


async def plan_range(
    split: Split,
    scanned: RangePlan,
    rejections: Sequence[RejectedRow],
    duplicates: Sequence[Duplicate],
    near: Sequence[Duplicate],
    first_line: int,
    read: ReadBytes,
    *,
    drop_near: bool,
) -> tuple[RangePlan, list[RejectedRow]]:
    """Return the plan of a range that begins at `first_line`, and its rejected rows in order.

    `near` are rows that nearly repeat a row of an earlier split. Those that do so exactly don't
    count.
    """
    lines_before = first_line - 1
    plan = scanned.model_copy(deep=True, update={"first_line": first_line})
    exact_lines = {duplicate.line for duplicate in duplicates}
    near = sorted((row for row in near if row.line not in exact_lines), key=lambda row: row.line)
    for row in near:
        plan.near_duplicates.count(f"{place_of(split, lines_before + row.line)}: {_likeness(row)}")
    if drop_near:
        duplicates = [*duplicates, *near]
    rejected = [replace(row, line=lines_before + row.line) for row in rejections]
    ordered = sorted(duplicates, key=lambda duplicate: duplicate.line)
    lines = [duplicate.line for duplicate in ordered]
    for shard in plan.shards:
        first = bisect_left(lines, shard.first_line)
        in_shard = ordered[first : bisect_right(lines, shard.last_line)]
        ids = await _ids(shard, {duplicate.line for duplicate in in_shard}, read)
        for duplicate in in_shard:
            row = _rejected(split, duplicate, lines_before, ids[duplicate.line])
            rejected.append(row)
            shard.excluded.append(Exclusion(line=row.line, reason=row.reason, detail=row.detail))
            _subtract(plan, duplicate)
            if duplicate.conflict:
                plan.conflicts.count(f"{place_of(split, row.line)}: {duplicate.conflict}")
        shard.first_line += lines_before
        shard.last_line += lines_before
    rejected.sort(key=lambda row: row.line)
    plan.rejected = dict(Counter(row.reason for row in rejected))
    plan.answers = plan.answers.moved(lines_before)
    plan.references = plan.references.moved(lines_before)
    plan.samples = [_sample(row) for row in rejected[:MAX_SAMPLES]]
    return plan, rejected


def _rejected(
    split: Split, duplicate: Duplicate, lines_before: int, row_id: str | None
) -> RejectedRow:
    reason = RejectionReason.OVERLAP
    if duplicate.similarity is not None:
        reason = RejectionReason.NEAR_DUPLICATE
    elif duplicate.first_split == split:
        reason = RejectionReason.DUPLICATE
    detail = _likeness(duplicate)
    if duplicate.conflict:
        detail += f", with different references: {duplicate.conflict}"
    return RejectedRow(split, lines_before + duplicate.line, row_id, reason, detail)


def _likeness(duplicate: Duplicate) -> str:
    place = place_of(duplicate.first_split, duplicate.first_line)
    if duplicate.similarity is None:
        return f"the same as {place}"
    return f"{duplicate.similarity:.0%} the same as {place}"


def _subtract(plan: RangePlan, duplicate: Duplicate) -> None:
    plan.example_tokens -= plan.example_tokens // plan.valid  # of a row of average length
    plan.valid -= 1
    plan.reused -= min(plan.reused, duplicate.is_reused)  # none where answers are provided
    plan.estimate.requests -= duplicate.requests
    plan.estimate.prompt_tokens -= duplicate.prompt_tokens
    plan.estimate.completion_tokens -= duplicate.completion_tokens


def _sample(row: RejectedRow) -> str:
    return f"line {row.line}: {row.reason}: {row.detail}"


async def _ids(shard: Shard, lines: set[int], read: ReadBytes) -> dict[int, str | None]:
    """Return the ids of some rows of a shard: the scan kept only their hashes."""
    ids: dict[int, str | None] = {}
    if not lines:
        return ids
    async for batch in shard_lines(read(shard.start, shard.end), shard):
        for line in batch:
            if line.number in lines:
                ids[line.number] = parse_row(line.content).id
    return ids


async def plan_in_memory(
    inputs: Mapping[Split, tuple[ReadBytes, int]],
    spec: RunSpec,
    is_answered: Callable[[Row], bool] = nothing_answered,
) -> tuple[dict[Split, RangePlan], list[RejectedRow]]:
    """Return the plans of small inputs, one range each, and all rejected rows.

    `inputs` has a reader and the size in bytes of each split.
    """
    scans: dict[Split, RangeScan] = {}
    for split, (read, size) in inputs.items():
        later_splits = await later_evaluation_rows(spec, split, inputs)
        scan = RangeScan(split, spec, is_answered, later_splits)
        await scan.read(read, 0, size, size)
        scans[split] = scan
    duplicates = _duplicates(scans.values(), References(spec))
    first_lines: dict[RangeKey, int] = {(split, 0): 1 for split in scans}
    matches: list[tuple[RangeKey, list[NearDuplicate]]] = [
        ((split, 0), scan.near) for split, scan in scans.items()
    ]
    plans: dict[Split, RangePlan] = {}
    rejected: list[RejectedRow] = []
    for split, (read, _) in inputs.items():
        scan = scans[split]
        near = first_matches(matches, first_lines, (split, 0), scan.hashes.contents())
        plans[split], rows = await plan_range(
            split,
            scan.plan,
            scan.rejections,
            duplicates[split],
            near,
            1,
            read,
            drop_near=spec.quality.near_duplicates == "drop",
        )
        rejected += rows
    return plans, rejected


def _duplicates(scans: Iterable[RangeScan], references: References) -> dict[Split, list[Duplicate]]:
    hashes: dict[RangeKey, HashBuckets] = {(scan.split, 0): scan.hashes for scan in scans}
    first_lines: dict[RangeKey, int] = dict.fromkeys(hashes, 1)
    duplicates: dict[Split, list[Duplicate]] = defaultdict(list)
    for bucket in range(BUCKETS):
        entries = [(key, buckets.entries(bucket)) for key, buckets in hashes.items()]
        for (split, _), duplicate in find_duplicates(entries, first_lines, references):
            duplicates[split].append(duplicate)
    return duplicates
