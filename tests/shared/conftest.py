"""A run's folder on real storage, prepared as far as a test needs it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import uuid4

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from shared.assembly.commit import commit_datasets
from shared.core.counters import Counters
from shared.core.paths import DATASETS, RUNS, SPLITS, RunPaths, Split
from shared.core.storage import Storage
from shared.dataset.rows import as_jsonl
from shared.scan.plan import RangePlan
from shared.scan.stored_scan import ScanSteps
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec


class RunFolder:
    """One run: `storage`, `paths`, `spec`; `add` writes an input and plans its shards."""

    def __init__(self, storage: Storage, spec: RunSpec) -> None:
        self.storage = storage
        self.spec = spec
        self.paths = RunPaths(f"test-{uuid4().hex[:12]}")
        self.plans: dict[Split, RangePlan] = {}

    async def add(self, content: bytes, split: Split = "train") -> RangePlan:
        """Write an input and scan all that there are. The plan of the input's one range."""
        await self.storage.write(self.paths.input(split), content)
        ranges: dict[Split, int] = {**dict.fromkeys(self.plans, 1), split: int(bool(content))}
        await ScanSteps(self.storage, self.spec, self.paths, 0, ranges).all()
        for known in SPLITS:
            if ranges.get(known):
                planned = await self.storage.read_json(self.paths.planned(known, 0))
                self.plans[known] = RangePlan.model_validate(planned)
        return self.plans.get(split, RangePlan())

    async def text(self, name: str) -> str:
        return (await self.storage.read(name)).decode()


async def commit_split(folder: RunFolder, split: Split = "train") -> tuple[Counters, list[int]]:
    """Commit a split's datasets. Its counters, and the shards that are not complete."""
    shards = len(folder.plans[split].shards)
    return await commit_datasets(folder.storage, folder.spec, folder.paths, split, shards)


def question(text: str, **fields: Any) -> dict[str, Any]:
    """An input row of task math."""
    return {"messages": [{"role": "user", "content": text}], **fields}


def questions(count: int) -> bytes:
    return as_jsonl([question(f"What is {number} + 1?") for number in range(count)])


@pytest.fixture
async def storage(azurite: str) -> AsyncIterator[Storage]:
    async with BlobServiceClient.from_connection_string(azurite, use_env_settings=False) as client:
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
        "validation": "datasets/math/x/validation.jsonl",
        "generation": {"rows_per_shard": 5},
        "teacher": {"concurrency": 3, "stop_seconds": 0},
        "student": {"model": "azureml://registries/r/models/m/versions/1"},
    }
    return RunFolder(storage, parse_spec(spec))
