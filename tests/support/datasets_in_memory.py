"""A storage account in memory: as much of it as starting, estimating and listing runs uses."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from shared.core.errors import NotFound
from tests.support.memory_storage import MemoryStorage


@dataclass(frozen=True)
class Properties:
    """Of a blob."""

    size: int
    etag: str = "0x1"


class DatasetsInMemory(MemoryStorage):
    """Datasets by path, and blobs of runs by name."""

    def __init__(self, datasets: dict[str, bytes]) -> None:
        super().__init__()
        self.datasets = datasets
        self.created: dict[str, bytes] = {}

    @asynccontextmanager
    async def open(self, _: object) -> AsyncGenerator[DatasetsInMemory]:
        """Stand for `open_storage`."""
        yield self

    async def properties(self, path: str) -> Properties | None:
        content = self.datasets.get(path)
        return None if content is None else Properties(len(content))

    async def stream_path(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        yield self.datasets[path][start:end]

    async def read_json(self, name: str) -> Any:
        if name not in self.created:
            raise NotFound(f"blob {name} does not exist")
        return json.loads(self.created[name])

    async def create(self, name: str, data: bytes) -> bool:
        return self.created.setdefault(name, data) is data

    async def run_ids(self, prefix: str, after: str) -> AsyncIterator[str]:
        for name in sorted(self.created):
            run_id = name.partition("/")[0]
            if run_id.startswith(prefix) and run_id > after:
                yield run_id
