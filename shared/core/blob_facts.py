"""What is known of a blob without reading it, apart from the SDK's types."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BlobFacts:
    """A blob in a container. `size` is in bytes, `etag` without its quotes."""

    name: str
    size: int
    etag: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    is_directory: bool = False
    """Whether it only stands for a directory."""


class Blobs(Protocol):
    """A container of blobs by name."""

    async def facts(self, name: str) -> BlobFacts | None:
        """Return a blob's facts, None if it doesn't exist."""
        ...

    async def under(self, prefix: str, limit: int) -> list[BlobFacts]:
        """Return at most so many blobs whose names begin with this, in order of name."""
        ...

    def level(self, prefix: str) -> AsyncIterator[BlobFacts | str]:
        """Yield the blobs directly in a folder, and as text the folders in it."""
        ...

    async def write(
        self, name: str, data: bytes, metadata: Mapping[str, str], etag: str | None
    ) -> bool:
        """Write over this version, None for none. Return whether this call wrote it."""
        ...

    async def delete(self, name: str, etag: str) -> None:
        """Delete this version, if it is still the latest."""
