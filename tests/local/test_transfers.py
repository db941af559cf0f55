"""An upload starts one run with exactly these files; a download holds results alone."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

import pytest
from azure.storage.blob import BlobServiceClient

from local.runtime.client import download_outputs, make_containers, storage_client, upload_dataset
from local.runtime.ports import LOOPBACK
from shared.core.ids import upload_run_id
from shared.core.paths import DATASETS, RUNS


@pytest.fixture
def storage(azurite: str) -> BlobServiceClient:
    make_containers(azurite)
    return storage_client(azurite)


@pytest.fixture
def name() -> str:
    return f"mine-{uuid4().hex}"


def files(folder: Path, *names: str) -> dict[str, Path]:
    for file_name in names:
        (folder / file_name).write_text(f"this is {file_name}")
    return {file_name: folder / file_name for file_name in names}


def test_containers_are_made_once(azurite: str) -> None:
    make_containers(azurite)
    make_containers(azurite)
    with storage_client(azurite) as storage:
        assert {DATASETS, RUNS} <= {container.name for container in storage.list_containers()}


def test_the_run_id_is_that_of_the_uploaded_version(
    storage: BlobServiceClient, tmp_path: Path, name: str
) -> None:
    with storage:
        train = files(tmp_path, "train.jsonl")
        first = upload_dataset(storage, "nli", name, train)
        blob = storage.get_blob_client(DATASETS, f"nli/{name}/train.jsonl")
        etag: str = blob.get_blob_properties().etag
        assert first == upload_run_id(f"datasets/nli/{name}/train.jsonl", etag)
        assert blob.download_blob().readall() == b"this is train.jsonl"
        assert upload_dataset(storage, "nli", name, train) != first


def test_the_training_set_goes_last_as_it_starts_the_run(
    storage: BlobServiceClient, tmp_path: Path, name: str
) -> None:
    with storage:
        unreadable = {"train.jsonl": tmp_path / "nowhere"}
        with pytest.raises(FileNotFoundError):
            upload_dataset(
                storage, "nli", name, unreadable | files(tmp_path, "validation.jsonl", "run.json")
            )
        found = storage.get_container_client(DATASETS).list_blobs(name_starts_with=f"nli/{name}/")
        assert [blob.name for blob in found] == [
            f"nli/{name}/run.json",
            f"nli/{name}/validation.jsonl",
        ]


def test_files_of_an_earlier_dataset_of_that_name_are_not_mixed_in(
    storage: BlobServiceClient, tmp_path: Path, name: str
) -> None:
    with storage:
        upload_dataset(storage, "nli", name, files(tmp_path, "train.jsonl", "run.json"))
        upload_dataset(storage, "nli", f"{name}er", files(tmp_path, "train.jsonl", "run.json"))
        upload_dataset(storage, "nli", name, files(tmp_path, "train.jsonl", "validation.jsonl"))
        found = storage.get_container_client(DATASETS).list_blobs(name_starts_with=f"nli/{name}")
        assert sorted(blob.name.removeprefix(f"nli/{name}") for blob in found) == [
            *("/train.jsonl", "/validation.jsonl", "er/run.json", "er/train.jsonl")
        ]


def test_results_are_downloaded_and_working_files_are_not(
    storage: BlobServiceClient, tmp_path: Path, name: str
) -> None:
    with storage:
        runs = storage.get_container_client(RUNS)
        for blob in (
            "report.json",
            "train.jsonl",
            "input/train.jsonl",
            "shards/train/00000000.jsonl",
        ):
            runs.upload_blob(f"{name}/{blob}", blob.encode())
        runs.upload_blob(f"{name}er/README.md", b"of another run")
        (tmp_path / "report.json").write_text(
            "what was there before, and is longer than what comes"
        )
        found = download_outputs(storage, name, tmp_path)
    assert sorted(found) == [tmp_path / "report.json", tmp_path / "train.jsonl"]
    assert (tmp_path / "report.json").read_text() == "report.json"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "train.jsonl"]


def test_a_proxy_does_not_come_between(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, f"http://{LOOPBACK}:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    began = time.monotonic()
    make_containers(azurite)
    assert time.monotonic() - began < 10
