"""Composes an output from its shards' blocks without moving a row.

A blob has at most 50,000 blocks. If a split has too many shards, their blocks go to parts of at
most 50,000 blocks each, and the output is made of the parts' bytes in large blocks: the only case
in which rows pass through a function again. (The service could copy them by itself with Put Block
From URL, which Azurite does not support.)
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.core.backoff import WORK_SECONDS
from shared.core.errors import Unfinished
from shared.core.paths import RUNS, RunPaths, Split
from shared.generation.block_ids import ID_DIGITS, block_id, encoded_id, staging_blob

if TYPE_CHECKING:
    from shared.core.storage import Storage

# of a block that is copied from a part: 50,000 of them are 3 TiB
COPIED_BYTES = 64 * 1024 * 1024

# stages the block of a shard again
Restage = Callable[[Split, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SplitBlocks:
    """The blocks that a split contributes to an output."""

    indices: Sequence[int]  # of the shards that have a block, in order
    shards: int  # all shards of the split


async def commit_output(
    storage: Storage,
    paths: RunPaths,
    output: str,
    blocks: Mapping[Split, SplitBlocks],
    restage: Restage,
) -> None:
    """Commit an output from the blocks that its shards have staged. Idempotent.

    `restage` is called for each block that the service has dropped. Raises Unfinished if parts take
    too long to copy; the next call goes on after the bytes that were copied.
    """
    deadline = time.monotonic() + WORK_SECONDS
    ids: list[str] = []
    split: Split
    for split, split_blocks in blocks.items():
        for blob, indices in _indices_by_blob(paths, output, split, split_blocks).items():
            blob_ids = [block_id(split, index) for index in indices]
            is_committed = await _stage_missing(storage, blob, split, indices, restage)
            if blob == output:
                ids += blob_ids
                continue
            if not is_committed:
                await storage.commit(blob, blob_ids)
            ids += await _copy_part(storage, split, blob, output, deadline)
    await storage.commit(output, ids)


def _indices_by_blob(
    paths: RunPaths, output: str, split: Split, blocks: SplitBlocks
) -> dict[str, list[int]]:
    """Return the shards by the blob in which their blocks are staged, both in order."""
    indices: dict[str, list[int]] = defaultdict(list)
    for index in blocks.indices:
        blob = staging_blob(paths, output, split, index, blocks.shards)
        indices[blob].append(index)
    return indices


async def _stage_missing(
    storage: Storage, blob: str, split: Split, indices: Sequence[int], restage: Restage
) -> bool:
    """Stage the blocks that a blob lacks. Return whether exactly these blocks are committed."""
    committed, staged = await storage.blocks(blob)
    present = staged.union(committed)
    has_uncommitted = bool(staged)
    ids = [block_id(split, index) for index in indices]
    for index, id_ in zip(indices, ids, strict=True):
        if id_ not in present:
            await restage(split, index)
            has_uncommitted = True
    return not has_uncommitted and committed == ids


async def _copy_part(
    storage: Storage, split: Split, part: str, output: str, deadline: float
) -> list[str]:
    """Stage a part's bytes as blocks of the output. Return their ids, which depend on its ETag.

    Raises Unfinished after the deadline, but not before it has copied a block.
    """
    properties = await storage.properties(f"{RUNS}/{part}")
    assert properties is not None, "the part was committed just now"
    committed, staged = await storage.blocks(output)
    present = staged.union(committed)
    ids: list[str] = []
    for start in range(0, properties.size, COPIED_BYTES):
        version = f"{part}\n{properties.etag}\n{start}\n{COPIED_BYTES}"
        digest = hashlib.sha256(version.encode()).hexdigest()
        id_ = encoded_id(split, digest[:ID_DIGITS])
        ids.append(id_)
        if id_ in present:
            continue
        end = min(properties.size, start + COPIED_BYTES)
        data = b"".join([chunk async for chunk in storage.stream(part, start, end)])
        await storage.stage(output, id_, data)
        if time.monotonic() > deadline:
            raise Unfinished
    return ids
