"""Commits the blocks that shards have staged: datasets, and the rejected rows of all splits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.assembly.composition import SplitBlocks, commit_output
from shared.core.counters import Counters, is_sealed, total
from shared.core.paths import RunPaths, Split
from shared.dataset.rejection import RejectedRow
from shared.generation.blocks import Staging
from shared.generation.split_target import without_outdated
from shared.scan.plan import PlanReader
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

# incomplete shards that are named
MAX_MISSING = 10


@dataclass(slots=True)
class _SealedShards:
    """The complete shards of a split."""

    counters: Counters = field(default_factory=Counters)
    with_examples: list[int] = field(default_factory=list[int])
    with_held_out: list[int] = field(default_factory=list[int])
    missing: list[int] = field(default_factory=list[int])  # the first MAX_MISSING


@dataclass(slots=True)
class _SplitOutcome:
    """The rows of a split, by their outcome."""

    counters: Counters = field(default_factory=Counters)
    with_rejected: list[int] = field(default_factory=list[int])  # shards that have rejected rows

    def add(self, index: int, counters: Counters) -> None:
        """Add the counters of a shard."""
        self.counters = total([self.counters, counters])
        if counters.rejected:
            self.with_rejected.append(index)


async def commit_datasets(
    storage: Storage, spec: RunSpec, paths: RunPaths, split: Split, shards: int
) -> tuple[Counters, list[int]]:
    """Commit the student's dataset of a split, and the validation set that was set aside from it,
    each with its provenance.

    Returns the split's counters and the first few shards that are not complete; while there are
    any, nothing is committed. Idempotent. Raises Unfinished, see `commit_output`.
    """
    sealed_shards = await _sealed_shards(storage, paths, split, shards)
    if sealed_shards.missing:
        return sealed_shards.counters, sealed_shards.missing
    staging = Staging(storage, spec, paths, split, shards)

    async def restage(_: Split, index: int) -> None:
        await staging.stage_again(index)

    async def commit(dataset: Split, indices: list[int]) -> None:
        blocks: dict[Split, SplitBlocks] = {split: SplitBlocks(indices, shards)}
        for output in (paths.provenance(dataset), paths.dataset(dataset)):
            await commit_output(storage, paths, output, blocks, restage)

    await commit(split, sealed_shards.with_examples)
    if sealed_shards.with_held_out:
        await commit("validation", sealed_shards.with_held_out)
    return sealed_shards.counters, []


async def commit_rejected(
    storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split]
) -> dict[Split, Counters]:
    """Commit the rejected rows of all splits, and return the counters of each.

    Of incomplete shards, the rows that the scan or the teacher has rejected so far are included,
    and rows that have no outcome are counted as not asked. Raises NotFound before the scan.
    """
    counters: dict[Split, Counters] = {}
    blocks: dict[Split, SplitBlocks] = {}
    stagings: dict[Split, Staging] = {}
    for split in splits:
        plan = PlanReader(storage, paths, split)
        shards = (await plan.plan()).shards
        staging = Staging(storage, spec, paths, split, shards)
        outcome = await _split_outcome(staging, plan)
        stagings[split] = staging
        blocks[split] = SplitBlocks(outcome.with_rejected, shards)
        counters[split] = without_outdated(spec, split, outcome.counters)

    async def restage(split: Split, index: int) -> None:
        await stagings[split].stage_again(index)

    await commit_output(storage, paths, paths.rejected, blocks, restage)
    return counters


async def sealed(
    storage: Storage, paths: RunPaths, split: Split
) -> AsyncIterator[tuple[int, Counters]]:
    """Yield index and counters of the complete shards of a split, in order."""
    async for name, metadata in storage.metadata_under(paths.journals(split)):
        if is_sealed(metadata):
            index = int(name.rpartition("/")[2].removesuffix(".jsonl"))
            yield index, Counters.from_metadata(metadata)


async def _sealed_shards(
    storage: Storage, paths: RunPaths, split: Split, shards: int
) -> _SealedShards:
    result = _SealedShards()
    next_index = 0
    async for index, counters in sealed(storage, paths, split):
        result.missing += range(next_index, index)[: MAX_MISSING - len(result.missing)]
        next_index = index + 1
        result.counters = total([result.counters, counters])
        if counters.not_held_out:
            result.with_examples.append(index)
        if counters.held_out:
            result.with_held_out.append(index)
    result.missing += range(next_index, shards)[: MAX_MISSING - len(result.missing)]
    return result


async def _split_outcome(staging: Staging, plan: PlanReader) -> _SplitOutcome:
    """Return the outcome of a split's rows, and stage the rejected ones of incomplete shards."""
    outcome = _SplitOutcome()
    complete: set[int] = set()
    async for index, counters in sealed(staging.storage, staging.paths, staging.split):
        complete.add(index)
        outcome.add(index, counters)
    last_range = -1
    rejected_by_scan: list[RejectedRow] = []  # in the last range
    async for index, shard in plan.shards():
        if index in complete:
            continue
        number = await plan.range_of(index)
        if number != last_range:
            last_range = number
            rejected_by_scan = await plan.rejected(number)
        outcome.add(index, await staging.stage_incomplete(index, shard, rejected_by_scan))
    outcome.with_rejected.sort()
    return outcome
