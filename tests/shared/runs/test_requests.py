"""How runs begin: one request for each version of an upload, the folder's own specification, every
contradiction named.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from shared.core.errors import InvalidInput, NotFound
from shared.core.paths import DATASETS, RunPaths
from shared.core.storage import Storage
from shared.runs.requests import (
    RunRequest,
    claim,
    request_of_body,
    request_of_upload,
    specification,
)
from shared.spec.models import RunSpec


class Folder:
    """One dataset folder."""

    def __init__(self, storage: Storage, task: str = "nli", name: str = "") -> None:
        self.storage = storage
        self.name = name or uuid4().hex[:8]
        self.path = f"{DATASETS}/{task}/{self.name}"
        self.train = f"{self.path}/train.jsonl"

    async def put(self, file_name: str, content: bytes | dict[str, Any] = b"{}\n") -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        service = self.storage._client  # pyright: ignore[reportPrivateUsage]
        blob = service.get_blob_client(DATASETS, f"{self.path.partition('/')[2]}/{file_name}")
        await blob.upload_blob(data, overwrite=True)

    async def request(self) -> RunRequest:
        request = await request_of_upload(self.storage, self.train)
        assert request is not None
        return request

    async def spec(self) -> RunSpec:
        return await specification(self.storage, await self.request())


@pytest.fixture
async def folder(storage: Storage) -> Folder:
    made = Folder(storage)
    await made.put("train.jsonl")
    return made


async def problems(folder: Folder) -> dict[str, str]:
    with pytest.raises(InvalidInput) as error:
        await folder.spec()
    return {problem["where"]: problem["problem"] for problem in error.value.details}


async def test_an_upload_is_one_request_however_often_it_is_delivered(folder: Folder) -> None:
    first = await folder.request()
    assert await folder.request() == first
    assert (first.source, first.task, first.name, first.train) == (
        "upload",
        "nli",
        folder.name,
        folder.train,
    )


async def test_a_new_version_is_a_new_run(folder: Folder) -> None:
    first = await folder.request()
    await folder.put("train.jsonl", b'{"new": 1}\n')
    assert (await folder.request()).run_id != first.run_id


async def test_an_upload_that_is_gone_starts_nothing(storage: Storage) -> None:
    assert await request_of_upload(storage, f"{DATASETS}/nli/gone/train.jsonl") is None


async def test_a_folder_of_folders_is_named_by_all_of_them(storage: Storage) -> None:
    nested = Folder(storage, name=f"team/{uuid4().hex[:8]}")
    await nested.put("train.jsonl")
    request = await nested.request()
    assert request.name == nested.name
    assert "/" not in request.run_id


async def test_the_dataset_alone_is_a_specification(folder: Folder) -> None:
    spec = await folder.spec()
    assert (spec.task, spec.name, spec.train, spec.validation) == (
        "nli",
        folder.name,
        folder.train,
        None,
    )


async def test_files_beside_the_dataset_are_picked_up(folder: Folder) -> None:
    await folder.put("validation.jsonl")
    await folder.put("test.jsonl")
    await folder.put(
        "run.json", b"\xef\xbb\xbf" + json.dumps({"teacher": {"temperature": 0.5}}).encode()
    )
    spec = await folder.spec()
    assert (spec.validation, spec.teacher.temperature) == (f"{folder.path}/validation.jsonl", 0.5)
    assert spec.test == f"{folder.path}/test.jsonl"


async def test_a_validation_set_can_be_declined_or_taken_from_elsewhere(folder: Folder) -> None:
    await folder.put("validation.jsonl")
    await folder.put("run.json", {"$schema": "run.schema.json", "validation": None})
    assert (await folder.spec()).validation is None
    elsewhere = f"{DATASETS}/shared/validation.jsonl"
    await folder.put("run.json", {"validation": elsewhere})
    assert (await folder.spec()).validation == elsewhere


async def test_a_run_json_that_contradicts_its_place_is_an_error(folder: Folder) -> None:
    await folder.put("run.json", {"task": "math"})
    found = await problems(folder)
    assert "'math' in run.json but 'nli'" in found["task"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"a": 1, "a": 2}']
)
async def test_a_run_json_that_is_no_object_is_an_error_at_its_path(
    folder: Folder, content: bytes
) -> None:
    await folder.put("run.json", content)
    assert list(await problems(folder)) == [f"{folder.path}/run.json"]


async def test_a_folder_under_no_task_says_which_there_are(storage: Storage) -> None:
    typo = Folder(storage, task="nlu-qa")
    await typo.put("train.jsonl")
    found = await problems(typo)
    assert "'nlu-qa' isn't a task" in found[typo.train]
    assert "nlu_qa" in found[typo.train]


async def test_a_body_with_a_name_is_one_run_and_without_one_a_new_run_each_time(
    folder: Folder,
) -> None:
    body = {"task": "nli", "train": folder.train}
    named = [
        (await request_of_body(folder.storage, {**body, "name": "mine"})).run_id for _ in range(2)
    ]
    unnamed = [(await request_of_body(folder.storage, body)).run_id for _ in range(2)]
    assert named[0] == named[1]
    assert named[0].startswith("nli-mine-")
    assert unnamed[0] != unnamed[1]
    assert unnamed[0].startswith(f"nli-{folder.name}-")


async def test_a_bodys_own_words_are_kept_and_parsed_again(folder: Folder) -> None:
    body = {"task": "nli", "train": folder.train, "quality": {"min_rows": 30}}
    request = await request_of_body(folder.storage, {"$schema": "run.schema.json", **body})
    assert (request.source, request.body) == ("http", body)
    assert (await specification(folder.storage, request)).min_rows == 30


async def test_every_missing_dataset_of_a_body_is_named(storage: Storage) -> None:
    body = {
        "task": "nli",
        "train": f"{DATASETS}/gone/a.jsonl",
        "validation": f"{DATASETS}/gone/b.jsonl",
        "test": f"{DATASETS}/gone/c.jsonl",
    }
    with pytest.raises(NotFound) as error:
        await request_of_body(storage, body)
    assert [problem["where"] for problem in error.value.details] == ["train", "validation", "test"]


async def test_a_run_to_reuse_must_exist_and_be_of_the_same_task(folder: Folder) -> None:
    body = {"task": "nli", "train": folder.train}
    earlier = await request_of_body(folder.storage, body)
    again = {**body, "reuse": earlier.run_id}
    with pytest.raises(NotFound) as error:
        await request_of_body(folder.storage, again)
    [problem] = error.value.details
    assert (problem["where"], f"run {earlier.run_id} doesn't exist" in problem["problem"]) == (
        "reuse",
        True,
    )
    await claim(folder.storage, earlier)
    assert (await request_of_body(folder.storage, again)).body == again
    with pytest.raises(InvalidInput) as refused:
        await request_of_body(folder.storage, {**again, "task": "math"})
    assert [problem["where"] for problem in refused.value.details] == ["reuse"]
    assert "has task nli" in refused.value.details[0]["problem"]


async def test_a_missing_run_to_reuse_is_named_beside_missing_datasets(storage: Storage) -> None:
    body = {"task": "nli", "train": f"{DATASETS}/gone/a.jsonl", "reuse": "nli-gone-0123456789ab"}
    with pytest.raises(NotFound) as error:
        await request_of_body(storage, body)
    assert [problem["where"] for problem in error.value.details] == ["train", "reuse"]


async def test_a_request_is_written_down_once(folder: Folder) -> None:
    request = await folder.request()
    first = await claim(folder.storage, request)
    await claim(folder.storage, request.model_copy(update={"name": "another"}))
    written = await folder.storage.read_json(RunPaths(request.run_id).request)
    assert RunRequest.model_validate(written) == first
    assert (first.name, first.created is not None) == (request.name, True)
