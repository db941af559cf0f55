"""Blobs with versions in memory: what shared documents need of a storage account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
