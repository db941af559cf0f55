"""A run on real storage, taken through its activities as the orchestrators do it."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from local.emulators.teacher import ChatRequest
from shared.core.counters import Counters
from shared.core.paths import ASKED_SPLITS, DATASETS, SPLITS, RunPaths, Split, split_path
from shared.core.storage import Storage
from shared.dataset.rows import as_jsonl
from shared.generation.split_target import split_target
from shared.runs.contracts import (
    ASSEMBLE_SPLIT,
    GENERATE_SHARD,
    PREPARE_RUN,
    READ_PROGRESS,
    REUSE_ANSWERS,
    SCAN_DATASET,
    SEAL_UNNEEDED,
    WRITE_REPORT,
)
from shared.runs.requests import RunRequest, claim, request_of_upload, write_request
from shared.runs.resume import next_round
from shared.runs.status import RunStatus
from shared.spec.resolution import read_spec
from tests.support.activities import DurableClient, call

MANY = 10_000  # rejected rows that no test has


def plus_one(request: ChatRequest) -> str:
    """The teacher's right answer to a row of `sums`."""
    return str(int(request.messages[-1].text.split()[2]) + 1)


def sums(count: int, first: int = 0) -> bytes:
    """Rows of task math, all different."""
    return as_jsonl([sum_row(number) for number in range(first, first + count)])


def sum_row(number: int) -> dict[str, Any]:
    return {
        "id": f"sum-{number}",
        "messages": [{"role": "user", "content": f"What is {number} + 1?"}],
    }


def answered(*, accepted: int, rejected: int = 0, failed: int = 0) -> dict[str, Any]:
    """The output of a shard that was answered, or abandoned."""
    counts = {"accepted": accepted, "rejected": rejected, "failed": failed, "contributed": accepted}
    return {"status": "ok", "parallel": None, **counts}


class AppRun:
    """One run of one dataset folder. Activities are named by their stage."""

    def __init__(
        self, storage: Storage, task: str = "math", *, rows_per_shard: int = 5, **spec: Any
    ) -> None:
        self.storage = storage
        self.task = task
        self.folder = f"{DATASETS}/{task}/{uuid4().hex[:12]}"
        self.spec = {"generation": {"rows_per_shard": rows_per_shard}, **spec}
        self.client = DurableClient()
        self.round = 0
        self.request: dict[str, Any] = {}
        self.paths = RunPaths("not-started")
        self.splits: list[Split] = []
        self.shards: dict[str, int] = {}

    @property
    def train(self) -> str:
        return f"{self.folder}/train.jsonl"

    @property
    def asked_splits(self) -> list[Split]:
        return [split for split in self.splits if split in ASKED_SPLITS]

    async def upload(self, name: str, content: bytes) -> None:
        """Write a file into the dataset's folder, over one that stands there."""
        container, blob = split_path(f"{self.folder}/{name}")
        service = self.storage._client  # pyright: ignore[reportPrivateUsage]
        await service.get_blob_client(container, blob).upload_blob(content, overwrite=True)

    async def arrive(self, train: bytes, validation: bytes | None = None) -> None:
        """The dataset is uploaded and the blob trigger makes its request."""
        await self.upload("run.json", json.dumps(self.spec).encode())
        if validation is not None:
            await self.upload("validation.jsonl", validation)
        await self.upload("train.jsonl", train)
        request = await request_of_upload(self.storage, self.train)
        assert request is not None
        self.request, self.paths = request.model_dump(mode="json"), RunPaths(request.run_id)

    async def resume(self, **changes: Any) -> dict[str, Any]:
        """Resume the run with changed settings, up to the scan. Return the scan's output."""
        await claim(self.storage, RunRequest.model_validate(self.request))
        request = await next_round(self.storage, self.paths.run_id, changes)
        await write_request(self.storage, request)
        self.request, self.round = request.model_dump(mode="json"), request.round
        prepared = await self.prepare()
        assert prepared["status"] == "ok", prepared
        return await self.scan()

    async def prepare(self) -> dict[str, Any]:
        prepared = await call(PREPARE_RUN, self.request)
        self.splits = [split for split in SPLITS if split in prepared.get("etags", ())]
        return prepared

    async def scan(self) -> dict[str, Any]:
        scanned = await self.call(SCAN_DATASET, splits=self.splits)
        self.shards = {split: scan["shards"] for split, scan in scanned.get("splits", {}).items()}
        return scanned

    async def begin(self, train: bytes, validation: bytes | None = None) -> dict[str, Any]:
        """All before the teacher is asked. The scan's answer."""
        await self.arrive(train, validation)
        prepared = await self.prepare()
        assert prepared["status"] == "ok", prepared
        return await self.scan()

    async def reuse(self) -> list[dict[str, Any]]:
        """Copy the earlier run's answers into all journals. Return the output of each call."""
        answers: list[dict[str, Any]] = []
        for split, shards in self.shards.items():
            first = 0
            while first < shards:
                answers.append(
                    await self.call(REUSE_ANSWERS, split=split, first=first, round=self.round)
                )
                assert answers[-1]["status"] == "ok", answers[-1]
                first = answers[-1]["next"]
        return answers

    async def generate(
        self, index: int = 0, split: Split = "train", max_rejected: int = MANY, **target: Any
    ) -> dict[str, Any]:
        return await self.call(
            GENERATE_SHARD,
            split=split,
            index=index,
            max_rejected=max_rejected,
            round=self.round,
            **target,
        )

    async def generate_target(self) -> None:
        """Answer the training set up to `quality.target_rows`, one shard after the other."""
        target = split_target(await read_spec(self.storage, self.paths), "train")
        assert target is not None
        if self.round:
            stored = (await self.progress())["train"]
            target = target.after_earlier_rounds(Counters.model_validate(stored))
        index = 0
        while index < self.shards["train"] and target.may_begin(0):
            needed = target.needed(0)
            generated = await self.generate(index, needed=needed, keeps_failed=target.keeps_failed)
            assert generated["status"] == "ok", generated
            target = target.after_end(generated["contributed"])
            index += 1
        sealed = await self.call(SEAL_UNNEEDED, split="train", first=index)
        assert sealed == {"status": "ok", "next": self.shards["train"]}

    async def generate_all(self) -> None:
        for split in self.asked_splits:
            for index in range(self.shards[split]):
                generated = await self.generate(index, split)
                assert generated["status"] == "ok", generated

    async def assemble(self, split: Split = "train") -> dict[str, Any]:
        return await self.call(ASSEMBLE_SPLIT, split=split, shards=self.shards[split])

    async def progress(self) -> dict[str, Any]:
        return (await self.call(READ_PROGRESS, splits=self.asked_splits))["splits"]

    async def report(self, outcome: str = "completed", **status: Any) -> dict[str, Any]:
        state = RunStatus(task=self.task, name="x", **status).model_dump()
        payload = {"splits": self.splits, "outcome": outcome, "status": state, "round": self.round}
        return await self.call(WRITE_REPORT, finished="2026-11-25T12:00:00+00:00", **payload)

    async def finish(self) -> None:
        """Generation and fan-in of all splits."""
        await self.generate_all()
        for split in self.asked_splits:
            assembled = await self.assemble(split)
            assert assembled["status"] == "ok", assembled

    async def call(self, name: str, **payload: Any) -> dict[str, Any]:
        return await call(name, {"run_id": self.paths.run_id, **payload}, self.client)

    async def records(self) -> list[dict[str, Any]]:
        """What stands in all journals, as it stands there."""
        names = sorted(name for name in await self.names() if name.startswith("shards/"))
        return [
            record for name in names for record in await self.rows(f"{self.paths.run_id}/{name}")
        ]

    async def text(self, name: str) -> str:
        return (await self.storage.read(name)).decode()

    async def rows(self, name: str) -> list[dict[str, Any]]:
        """A JSON Lines blob of the run."""
        return [json.loads(line) for line in (await self.text(name)).splitlines()]

    async def names(self) -> set[str]:
        """Names of the run's blobs, without its folder."""
        listed = self.storage.metadata_under(f"{self.paths.run_id}/")
        return {name.partition("/")[2] async for name, _ in listed}

    async def contents(self) -> dict[str, str]:
        """Every blob of the run by name: for telling whether anything changed."""
        prefix = f"{self.paths.run_id}/"
        return {name: await self.text(prefix + name) for name in await self.names()}
