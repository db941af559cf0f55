"""A run's folder on real storage, prepared as far as a test needs it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import uuid4

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from shared.paths import DATASETS, RUNS, RunPaths, Split
from shared.plan import Plan, RejectedRow, SeenRows, make_plan
from shared.rows import as_jsonl
from shared.spec import RunSpec, parse_spec
from shared.storage import Storage


class RunFolder:
    """One run: `storage`, `paths`, `spec`; `add` writes an input and plans its shards."""

    def __init__(self, storage: Storage, spec: RunSpec) -> None:
        self.storage = storage
        self.spec = spec
        self.paths = RunPaths(f"test-{uuid4().hex[:12]}")
        self.plans: dict[Split, Plan] = {}
        self.seen: SeenRows = {}
        self.rejections: list[RejectedRow] = []

    async def add(self, content: bytes, split: Split = "train") -> Plan:
        await self.storage.write(self.paths.input(split), content)
        chunks = self.storage.stream(self.paths.input(split))
        plan = await make_plan(split, chunks, self.spec, self.seen, self.rejections)
        await self.storage.write(self.paths.plan(split), plan.model_dump_json().encode())
        self.plans[split] = plan
        return plan

    async def text(self, name: str) -> str:
        return (await self.storage.read(name)).decode()


def question(text: str, **fields: Any) -> dict[str, Any]:
    """An input row of task math."""
    return {"messages": [{"role": "user", "content": text}], **fields}


def questions(count: int) -> bytes:
    return as_jsonl([question(f"What is {number} + 1?") for number in range(count)])


@pytest.fixture
async def storage(azurite: str) -> AsyncIterator[Storage]:
    async with BlobServiceClient.from_connection_string(azurite) as client:
        for container in (DATASETS, RUNS):
            with contextlib.suppress(ResourceExistsError):
                await cast(Any, client).create_container(container)
        yield Storage(client)


@pytest.fixture
def folder(storage: Storage) -> RunFolder:
    """A run of task math, five rows a shard."""
    spec: dict[str, Any] = {
        "task": "math",
        "train": "datasets/math/x/train.jsonl",
        "generation": {"rows_per_shard": 5},
        "teacher": {"concurrency": 3},
        "student": {"model": "azureml://registries/r/models/m/versions/1"},
    }
    return RunFolder(storage, parse_spec(spec))
