"""Blobs with versions in memory: what shared documents need of a storage account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta

from shared.core.blob_facts import BlobFacts
from shared.core.storage import Version


class MemoryStorage:
    """Blobs by name. `lose` is asked before each confirmation of a write."""

    def __init__(self) -> None:
        self.versions: dict[str, Version] = {}
        self.writes = 0
        self.lose: Callable[[], bool] = lambda: False

    async def read_version(self, name: str) -> Version | None:
        await asyncio.sleep(0)
        return self.versions.get(name)

    async def replace(self, name: str, data: bytes, version: Version | None) -> bool:
        await asyncio.sleep(0)
        if version != self.versions.get(name):
            return False
        self.writes += 1
        self.versions[name] = Version(data, str(self.writes))
        return not self.lose()


class MemoryBlobs:
    """Container `datasets`, and the times of runs' copies, in memory. Each write takes a second."""

    def __init__(self) -> None:
        self.blobs: dict[str, BlobFacts] = {}
        self.contents: dict[str, bytes] = {}
        self.copied: dict[str, datetime] = {}
        self.requests = 0
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def put(self, name: str, content: bytes = b"{}\n", **metadata: str) -> BlobFacts:
        """Write a blob as a user does."""
        self.now += timedelta(seconds=1)
        is_directory = metadata.get("hdi_isfolder") == "true"
        etag = f"0x{int(self.now.timestamp())}"
        self.contents[name] = content
        self.blobs[name] = BlobFacts(name, len(content), etag, self.now, metadata, is_directory)
        return self.blobs[name]

    async def modified(self, path: str) -> datetime | None:
        self.requests += 1
        return self.copied.get(path)

    async def facts(self, name: str) -> BlobFacts | None:
        self.requests += 1
        return self.blobs.get(name)

    async def under(self, prefix: str, limit: int) -> list[BlobFacts]:
        self.requests += 1
        names = sorted(name for name in self.blobs if name.startswith(prefix))
        return [self.blobs[name] for name in names[:limit]]

    async def level(self, prefix: str) -> AsyncIterator[BlobFacts | str]:
        self.requests += 1
        entries: dict[str, BlobFacts | str] = {}
        for name in sorted(self.blobs):
            if name.startswith(prefix):
                first, slash, _ = name.removeprefix(prefix).partition("/")
                entry = f"{prefix}{first}{slash}"
                entries[entry] = entry if slash else self.blobs[name]
        for entry in entries.values():
            yield entry

    async def write(
        self, name: str, data: bytes, metadata: Mapping[str, str], etag: str | None
    ) -> bool:
        self.requests += 1
        existing = self.blobs.get(name)
        if (existing.etag if existing else None) != etag:
            return False
        self.put(name, data, **metadata)
        return True

    async def delete(self, name: str, etag: str) -> None:
        self.requests += 1
        if name in self.blobs and self.blobs[name].etag == etag:
            del self.blobs[name]
