"""Commits the blocks that shards have staged, in input order: a split's datasets, and the rejected rows of all splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from shared.assembly.composition import commit_output
from shared.core.counters import Counters, is_sealed, total
from shared.core.paths import RunPaths, Split
from shared.generation.blocks import Staging
from shared.scan.plan import PlanReader
from shared.spec.models import RunSpec

if TYPE_CHECKING:
    from shared.core.storage import Storage

MAX_MISSING = 10  # shards named that are not complete


async def commit_datasets(
    storage: Storage, spec: RunSpec, paths: RunPaths, split: Split, shards: int
) -> tuple[Counters, list[int]]:
    """Commit the student's dataset of one split, and the validation set if one was set aside from it.

    Returns the split's counters and the first few shards that are not complete; while there are any, nothing is committed. The same
    again changes nothing. Raises Unfinished, see shared/assembly/composition.py.
    """
    counters, own, held_out = Counters(), list[int](), list[int]()
    missing, due = list[int](), 0
    async for index, one in sealed(storage, paths, split):
        missing += range(due, index)[: MAX_MISSING - len(missing)]
        due = index + 1
        counters = total([counters, one])
        own += [index] if one.not_held_out else []
        held_out += [index] if one.held_out else []
    missing += range(due, shards)[: MAX_MISSING - len(missing)]
    if missing:
        return counters, missing
    staging = Staging(storage, spec, paths, split, shards)

    async def restage(_: Split, index: int) -> None:
        await staging.stage_again(index)

    await commit_output(storage, paths, paths.dataset(split), {split: (own, shards)}, restage)
    if held_out:
        await commit_output(
            storage, paths, paths.dataset("validation"), {split: (held_out, shards)}, restage
        )
    return counters, []


async def commit_rejected(
    storage: Storage, spec: RunSpec, paths: RunPaths, splits: list[Split]
) -> dict[Split, Counter[str]]:
    """Commit the rejected rows of all splits, and return how many there are by reason.

    Of shards that were not completed, those are listed that the scan or the teacher had rejected by then.
    """
    counts: dict[Split, Counter[str]] = {}
    indices: dict[Split, tuple[list[int], int]] = {}
    stagings: dict[Split, Staging] = {}
    for split in splits:
        plan = PlanReader(storage, paths, split)
        shards = (await plan.plan()).shards
        stagings[split] = Staging(storage, spec, paths, split, shards)
        counts[split], own = await _rejected_shards(stagings[split], plan)
        indices[split] = own, shards

    async def restage(split: Split, index: int) -> None:
        await stagings[split].stage_again(index)

    await commit_output(storage, paths, paths.rejected, indices, restage)
    return counts


async def _rejected_shards(staging: Staging, plan: PlanReader) -> tuple[Counter[str], list[int]]:
    """How many rows of a split are rejected, by reason, and the shards that have any: those of incomplete ones are staged."""
    counts, own = Counter[str](), list[int]()
    scanned: tuple[int, list[dict[str, Any]]] = (
        -1,
        [],
    )  # what the scan rejected, of the range looked at last
    complete = {
        index: counters.rejected
        async for index, counters in sealed(staging.storage, staging.paths, staging.split)
    }
    async for index, shard in plan.shards():
        if index in complete:
            found = Counter(complete[index])
        else:
            number = await plan.range_of(index)
            if scanned[0] != number:
                scanned = number, await plan.rejected(number)
            found = await staging.stage_incomplete(index, shard, scanned[1])
        if found:
            own.append(index)
            counts += found
    return counts, own


async def sealed(
    storage: Storage, paths: RunPaths, split: Split
) -> AsyncIterator[tuple[int, Counters]]:
    """(index, counters) of the complete shards of a split, in order."""
    async for name, metadata in storage.metadata_under(paths.journals(split)):
        if is_sealed(metadata):
            index = int(name.rpartition("/")[2].removesuffix(".jsonl"))
            yield index, Counters.from_metadata(metadata)
