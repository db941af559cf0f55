"""`GET /api/datasets`: every dataset once, with its runs and what is wrong with it now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.core.errors import InvalidInput
from shared.core.ids import upload_run_id
from shared.core.paths import PROBLEM_SUFFIX
from shared.runs import dataset_listing
from shared.runs.dataset_listing import DatasetListing, DatasetPage, parse_dataset_filter
from shared.runs.status import RunState
from shared.runs.view import RunView
from tests.support.memory_storage import MemoryBlobs

HASH = "0123456789ab"


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


async def page(blobs: MemoryBlobs, *run_ids: str, **query: Any) -> DatasetPage:
    async def runs_of(prefix: str) -> AsyncIterator[str]:
        for run_id in run_ids:
            if run_id.startswith(prefix):
                yield run_id

    async def view_of(run_id: str) -> RunView:
        name = run_id.split("-", 1)[1].rpartition("-")[0]
        return RunView(id=run_id, status=RunState.COMPLETED, task="nli", name=name)

    parsed = parse_dataset_filter({key: str(value) for key, value in query.items()})
    return await DatasetListing(blobs, blobs, runs_of, view_of).page(parsed)


async def paths(blobs: MemoryBlobs, **query: Any) -> list[str]:
    """Return the paths of all datasets, page by page."""
    found: list[str] = []
    after = ""
    for _ in range(100):
        answer = await page(blobs, **query, after=after)
        found += [
            dataset["path"].removeprefix("datasets").removeprefix("/")
            for dataset in answer["datasets"]
        ]
        if answer["next"] is None:
            return found
        after = answer["next"]
    raise AssertionError("the pages have no end")


async def test_a_dataset_shows_its_files_its_runs_and_no_file_of_the_apps(
    blobs: MemoryBlobs,
) -> None:
    blobs.put("nli/mine/train.jsonl", b"old\n")
    train = blobs.put("nli/mine/train.jsonl")
    blobs.put("nli/mine/validation.jsonl")
    blobs.put("nli/mine/gone.csv" + PROBLEM_SUFFIX, problem_digest="x")
    current = upload_run_id("datasets/nli/mine/train.jsonl", train.etag)
    earlier = f"nli-mine-{HASH}"
    blobs.copied[f"runs/{earlier}/request.json"] = train.modified
    blobs.now = train.modified
    blobs.copied[f"runs/{current}/request.json"] = blobs.put("x").modified
    others = (f"nli-mine-too-{HASH}", "nli-mine-not-a-run")
    (dataset,) = (await page(blobs, earlier, current, *others))["datasets"]
    assert dataset["path"] == "datasets/nli/mine"
    assert (dataset["task"], dataset["name"]) == ("nli", "mine")
    assert (dataset["state"], dataset["validation"]) == ("usable", True)
    assert [file["name"] for file in dataset["files"]] == ["train.jsonl", "validation.jsonl"]
    assert dataset["files"][0]["etag"] == train.etag
    assert [(run["id"], run["is_current"]) for run in dataset["runs"]] == [
        (current, True),
        (earlier, False),
    ]
    assert dataset["problems"] == []


@pytest.mark.parametrize(
    ("names", "state", "codes"),
    [
        (["nli/a/validation.jsonl"], "no_training_set_yet", ["no_training_set_yet"]),
        (["nli/a/run.json"], "no_training_set_yet", ["no_training_set_yet"]),
        (["nli/a/train.csv"], "unusable", ["file_format"]),
        (["nli/a/train.csv", "nli/a/train.jsonl"], "usable", []),
        (["nli/a/train.jsonl", "nli/a/val.jsonl"], "usable", ["file_name"]),
        (["NLI/a/train.jsonl"], "unusable", ["unknown_task"]),
        (["nli/train.jsonl"], "unusable", ["wrong_folder"]),
        (["train.jsonl"], "unusable", ["wrong_folder"]),
    ],
)
async def test_problems_are_those_of_the_blobs_that_exist_now(
    blobs: MemoryBlobs, names: list[str], state: str, codes: list[str]
) -> None:
    for name in names:
        blobs.put(name)
    (dataset,) = (await page(blobs))["datasets"]
    assert dataset["state"] == state
    assert [problem["code"] for problem in dataset["problems"]] == codes


async def test_an_empty_training_set_is_not_usable(blobs: MemoryBlobs) -> None:
    blobs.put("nli/a/train.jsonl", b"")
    (dataset,) = (await page(blobs))["datasets"]
    assert dataset["state"] == "unusable"
    assert dataset["problems"][0]["code"] == "empty_file"


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_have_every_dataset_once_in_order(blobs: MemoryBlobs, limit: int) -> None:
    folders = [
        "",
        "NLI/x",
        "math/a",
        "nli",
        "nli/",
        "nli/a",
        "nli/a/b",
        "nli/a/b/c",
        "nli/a-b",
        "nli/é%3f",
    ]
    for folder in folders:
        blobs.put(f"{folder}/train.jsonl".lstrip("/"))
    for number in range(12):
        blobs.put(f"images/{number}/cat.png")
    assert await paths(blobs, limit=limit) == folders
    assert await paths(blobs, limit=limit, task="nli") == folders[3:]
    assert await paths(blobs, limit=limit, prefix="nli/a") == folders[5:9]
    assert await paths(blobs, limit=limit, prefix="NL") == ["NLI/x"]


async def test_folders_without_a_dataset_end_a_page_before_they_cost_too_much(
    blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_listing, "MAX_FOLDERS", 16)
    for number in range(40):
        blobs.put(f"images/{number:02d}/cat.png")
    blobs.put("nli/a/train.jsonl")
    first = await page(blobs)
    assert first["datasets"] == []
    assert first["next"] is not None
    assert blobs.requests < 30
    assert await paths(blobs) == ["nli/a"]


async def test_a_training_set_behind_thousands_of_files_is_seen(blobs: MemoryBlobs) -> None:
    for number in range(300):
        blobs.put(f"nli/a/images/{number}.png")
    blobs.put("nli/a/train.jsonl")
    (dataset,) = (await page(blobs))["datasets"]
    assert dataset["state"] == "usable"
    assert dataset["more_files"]


def test_every_wrong_parameter_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as error:
        parse_dataset_filter({"task": "NLI", "limit": "0", "colour": "red"})
    assert {detail["where"] for detail in error.value.details} == {"task", "limit", "colour"}
