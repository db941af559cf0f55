"""Ids of the blocks that shards stage, and the blob in which each is staged. Deterministic, so
that a second execution replaces them."""

from __future__ import annotations

import base64

from shared.core.paths import RunPaths, Split

MAX_BLOCKS = 50_000  # of a block blob
ID_DIGITS = 26


def block_id(split: Split, shard: int) -> str:
    """Id of a shard's block: deterministic, and of equal length within a blob as the service demands."""
    return encoded_id(split, f"{shard:0{ID_DIGITS}d}")


def is_composed(shards: int) -> bool:
    """Whether a split's blocks go to parts: an output may hold the blocks of both splits."""
    return shards > MAX_BLOCKS // 2


def home(paths: RunPaths, name: str, split: Split, shard: int, shards: int) -> str:
    """The blob in which a shard's block of an output is staged. `shards`: how many the split has."""
    return paths.part(name, split, shard // MAX_BLOCKS) if is_composed(shards) else name


def encoded_id(split: Split, number: str) -> str:
    return base64.b64encode(f"{split[:5]}-{number}".encode()).decode()
