"""Ids of the blocks that shards stage, and the blob in which each is staged.

Both are deterministic, so a second execution replaces its blocks.
"""

from __future__ import annotations

import base64

from shared.core.paths import RunPaths, Split

MAX_BLOCKS = 50_000  # of a block blob
ID_DIGITS = 26


def block_id(split: Split, shard: int) -> str:
    """Return the id of a shard's block. All ids have the same length, as the service demands."""
    return encoded_id(split, f"{shard:0{ID_DIGITS}d}")


def uses_parts(shards: int) -> bool:
    """Return whether a split's blocks go to parts: an output may hold the blocks of both splits."""
    return shards > MAX_BLOCKS // 2


def staging_blob(paths: RunPaths, output: str, split: Split, shard: int, shards: int) -> str:
    """Return the blob in which a shard's block of an output is staged: the output or a part of it.

    `shards` is the number of the split's shards.
    """
    if uses_parts(shards):
        return paths.part(output, split, shard // MAX_BLOCKS)
    return output


def encoded_id(split: Split, digits: str) -> str:
    """Return a block id of the split's prefix and these digits."""
    return base64.b64encode(f"{split[:5]}-{digits}".encode()).decode()
