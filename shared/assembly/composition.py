"""How an output is put together of its shards' blocks, without moving a row, and what happens beyond the service's 50,000 blocks.

Where a split has too many shards, their blocks go to parts of at most 50,000 blocks each, and the output is made of the parts'
bytes in large blocks: the one case in which rows pass through a function again. (The service could copy them by itself, with Put
Block From URL; Azurite cannot, so that this is not used.)
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from shared.core.backoff import WORK_SECONDS
from shared.core.errors import Unfinished
from shared.core.paths import RUNS, RunPaths, Split
from shared.generation.block_ids import ID_DIGITS, block_id, encoded_id, home

if TYPE_CHECKING:
    from shared.core.storage import Storage

COPIED_BYTES = 64 * 1024 * 1024  # of a block that is copied from a part: 50,000 of them are 3 TiB

Indices = Mapping[
    Split, tuple[list[int], int]
]  # shards that have a block, in order; and how many shards there are
Restage = Callable[[Split, int], Awaitable[None]]


async def commit_output(
    storage: Storage, paths: RunPaths, name: str, indices: Indices, restage: Restage
) -> None:
    """Commit an output of the blocks that its shards have staged. The same again changes nothing.

    `restage` is called for each block that the service has dropped. Raises Unfinished when parts take too long to copy: what was
    copied is found by the next call.
    """
    deadline = time.monotonic() + WORK_SECONDS
    blocks: list[str] = []
    split: Split
    for split, (own, shards) in indices.items():
        homes = [(home(paths, name, split, index, shards), index) for index in own]
        for blob, group in groupby(homes, key=itemgetter(0)):
            wanted = [index for _, index in group]
            ids = [block_id(split, index) for index in wanted]
            committed, staged = await storage.blocks(blob)
            present = staged.union(committed)
            for index in [
                index for index, one in zip(wanted, ids, strict=True) if one not in present
            ]:
                await restage(split, index)
                staged.add(block_id(split, index))
            if blob == name:
                blocks += ids
                continue
            if staged or committed != ids:
                await storage.commit(blob, ids)
            blocks += await _copied(storage, split, blob, name, deadline)
    await storage.commit(name, blocks)


async def _copied(
    storage: Storage, split: Split, part: str, name: str, deadline: float
) -> list[str]:
    """Stage a part's bytes as blocks of the output. Their ids, which are those of this version of the part."""
    properties = await storage.properties(f"{RUNS}/{part}")
    assert properties is not None, "the part was committed just now"
    committed, staged = await storage.blocks(name)
    present, ids = staged.union(committed), list[str]()
    for start in range(0, properties.size, COPIED_BYTES):
        digest = hashlib.sha256(
            f"{part}\n{properties.etag}\n{start}\n{COPIED_BYTES}".encode()
        ).hexdigest()
        ids.append(encoded_id(split, digest[:ID_DIGITS]))
        if ids[-1] not in present:
            end = min(properties.size, start + COPIED_BYTES)
            data = b"".join([chunk async for chunk in storage.stream(part, start, end)])
            await storage.stage(name, ids[-1], data)
            if time.monotonic() > deadline:  # after one more block at least
                raise Unfinished
    return ids
