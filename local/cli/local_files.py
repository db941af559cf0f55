"""A dataset on this machine, under the paths that it would have in storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobProperties

from shared.core.errors import NotFound
from shared.core.storage import Storage

CHUNK_BYTES = 4 * 1024 * 1024


class LocalFiles(Storage):
    """The part of a storage that a dry run reads: files, by their paths in storage."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        # without a client: whatever else the app might ask of its storage must fail
        self._files = dict(files)

    async def properties(self, path: str) -> BlobProperties | None:
        """Return the properties of a file, None if it isn't part of the dataset."""
        if path not in self._files:
            return None
        properties: Any = BlobProperties()
        properties.size = self._files[path].stat().st_size
        return properties

    async def read_path(self, path: str) -> bytes:
        """Return a file's content. Raises NotFound."""
        if path not in self._files:
            raise NotFound(f"{path} isn't part of the dataset")
        return self._files[path].read_bytes()

    async def stream_path(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes [start, end) of a file in chunks."""
        with self._files[path].open("rb") as file:
            file.seek(start)
            remaining = end - start
            while remaining > 0:
                chunk = file.read(min(remaining, CHUNK_BYTES))
                if not chunk:
                    return
                remaining -= len(chunk)
                yield chunk
                await asyncio.sleep(0)
