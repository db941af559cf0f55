"""Uploads and downloads: whole or not at all, through failures, and never with the app's key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from client import blobs
from tests.support.fake_deployment import (
    SIGNATURE,
    STORAGE,
    Body,
    Deployment,
    body_of,
    refusal,
    storage_error,
)

ROW = b'{"messages": [{"role": "user", "content": "What is 1 + 1?"}]}\n'
UPLOADS = "/api/datasets/math/mine/uploads"
FILES = "/api/runs/math-mine-1/files"


@pytest.fixture
def dataset(deployment: Deployment) -> Path:
    """A folder `mine` with a dataset, and an app that takes it."""
    folder = deployment.folder / "mine"
    folder.mkdir()
    for name in ("train.jsonl", "validation.jsonl"):
        (folder / name).write_bytes(ROW * 3)
    (folder / "run.json").write_text('{"quality": {"min_rows": 3}}')

    def urls(request: httpx2.Request) -> dict[str, Any]:
        names: list[str] = body_of(request)["files"]
        uploads = [
            {"file": name, "url": deployment.signed_url(f"datasets/math/mine/{name}")}
            for name in names
        ]
        return {"uploads": uploads, "others": []}

    deployment.answers = {
        f"POST {UPLOADS}": urls,
        "GET /api/datasets/math/mine": {"files": [], "run": "math-mine-1"},
    }
    return folder


def upload(deployment: Deployment, path: Path, *options: str) -> Any:
    return deployment.run("datasets", "upload", str(path), "--task", "math", *options)


def to_storage(request: httpx2.Request) -> bool:
    return str(request.url).startswith(STORAGE)


def test_the_training_set_comes_last_and_the_id_of_its_run_is_printed(
    deployment: Deployment, dataset: Path
) -> None:
    ended = upload(deployment, dataset)
    assert (ended.code, ended.stdout) == (0, "math-mine-1\n")
    assert [path.rpartition("/")[2] for path in deployment.committed] == [
        "validation.jsonl",
        "run.json",
        "train.jsonl",
    ]
    assert deployment.blobs["datasets/math/mine/train.jsonl"] == ROW * 3
    assert "sig=" not in ended.text


def test_a_large_file_goes_in_blocks_each_tried_again_with_a_new_url_if_need_be(
    deployment: Deployment, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "BLOCK_BYTES", 1000)
    content = b"".join(b'{"n": %d}\n' % number for number in range(5000))
    (dataset / "train.jsonl").write_bytes(content)
    troubles: list[Any] = [
        httpx2.ConnectError("reset"),
        httpx2.Response(503),
        storage_error(403, "AuthenticationFailed"),
    ]

    def trouble(request: httpx2.Request) -> Any:
        is_block = to_storage(request) and "comp=block&" in str(request.url)
        return troubles.pop() if is_block and troubles else None

    deployment.faults.append(trouble)
    assert upload(deployment, dataset).code == 0
    assert deployment.blobs["datasets/math/mine/train.jsonl"] == content
    assert len(deployment.sent("POST", UPLOADS)) == 2  # all files, and the renewed URL


def test_an_upload_that_never_succeeds_leaves_no_blob_and_shows_no_signature(
    deployment: Deployment, dataset: Path
) -> None:
    def refused(request: httpx2.Request) -> Any:
        return storage_error(403, "AuthorizationFailure") if to_storage(request) else None

    deployment.faults.append(refused)
    ended = upload(deployment, dataset)
    assert (ended.code, ended.stdout, deployment.blobs) == (1, "", {})
    assert "network rules" in ended.stderr
    assert SIGNATURE not in ended.text


def test_a_commit_whose_answer_was_lost_is_no_conflict(
    deployment: Deployment, dataset: Path
) -> None:
    lost: list[str] = []

    def lose(request: httpx2.Request) -> Any:
        path = request.url.path.lstrip("/")
        if not to_storage(request) or "comp=blocklist" not in str(request.url) or path in lost:
            return None
        lost.append(path)
        deployment.blobs[path] = b"written"
        return httpx2.ReadTimeout("lost")

    deployment.faults.append(lose)
    assert upload(deployment, dataset).code == 0
    assert len(lost) == 3


def test_nothing_is_overwritten_without_force(deployment: Deployment, dataset: Path) -> None:
    urls = deployment.answers[f"POST {UPLOADS}"]

    def answer(request: httpx2.Request) -> Any:
        if body_of(request)["overwrite"]:
            return urls(request)
        return refusal(409, "dataset_exists", "it exists", **{"train.jsonl": "exists"})

    deployment.answers[f"POST {UPLOADS}"] = answer
    ended = upload(deployment, dataset)
    assert (ended.code, deployment.committed) == (2, [])
    assert "--force" in ended.stderr
    assert upload(deployment, dataset, "--force").code == 0
    commits = [request for request in deployment.requests if "blocklist" in str(request.url)]
    assert not any("If-None-Match" in request.headers for request in commits)


def test_a_blob_that_somebody_else_has_just_written_is_not_overwritten(
    deployment: Deployment, dataset: Path
) -> None:
    deployment.blobs["datasets/math/mine/validation.jsonl"] = b"theirs"
    assert upload(deployment, dataset).code == 1
    assert deployment.blobs == {"datasets/math/mine/validation.jsonl": b"theirs"}


def test_files_of_an_earlier_dataset_that_the_run_would_use_are_named(
    deployment: Deployment, dataset: Path
) -> None:
    answer = {"uploads": [], "others": ["test.jsonl", "x.problem.json"]}
    deployment.answers[f"POST {UPLOADS}"] = answer
    ended = upload(deployment, dataset)
    assert (ended.code, deployment.committed) == (2, [])
    assert "test.jsonl already" in ended.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.jsonl", b""),
        ("train.jsonl", b"\n \n"),
        ("train.jsonl", b"id,question\n1,What?\n"),
        ("validation.jsonl", b"[1]\n"),
        ("run.json", b"{"),
        ("run.json", b"[]"),
    ],
)
def test_files_that_can_not_be_a_dataset_are_named_before_anything_is_sent(
    deployment: Deployment, dataset: Path, name: str, content: bytes
) -> None:
    (dataset / name).write_bytes(content)
    ended = upload(deployment, dataset)
    assert (ended.code, deployment.requests) == (2, [])
    assert name in ended.stderr


def test_a_file_and_a_folder_without_a_training_set_are_told_apart(
    deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert "has no train.jsonl" in upload(deployment, tmp_path / "empty").stderr
    assert "doesn't exist" in upload(deployment, tmp_path / "nothing").stderr


class Identity:
    """A caller's own identity."""

    def get_token(self, *scopes: str) -> Any:
        return type("Token", (), {"token": f"token for {scopes[0]}"})


def test_with_an_identity_urls_are_unsigned_and_requests_carry_its_token(
    deployment: Deployment, dataset: Path
) -> None:
    deployment.credential = Identity()
    assert upload(deployment, dataset, "--identity").code == 0
    [request] = deployment.sent("POST", UPLOADS)
    assert body_of(request)["signed"] is False
    sent = [request for request in deployment.requests if to_storage(request)]
    tokens = {request.headers["Authorization"] for request in sent}
    assert tokens == {"Bearer token for https://storage.azure.com/.default"}


@pytest.fixture
def finished(deployment: Deployment) -> Deployment:
    """A deployment with a run whose files can be downloaded."""
    for name, content in (("train.jsonl", ROW * 40), ("rejected.jsonl", b"")):
        deployment.blobs[f"runs/math-mine-1/{name}"] = content

    def url(request: httpx2.Request) -> dict[str, Any]:
        name = body_of(request)["file"]
        return {"file": name, "url": deployment.signed_url(f"runs/math-mine-1/{name}")}

    files = [
        {"file": path.rpartition("/")[2], "bytes": len(content)}
        for path, content in deployment.blobs.items()
    ]
    deployment.answers = {f"GET {FILES}": {"files": files}, f"POST {FILES}": url}
    return deployment


def download(deployment: Deployment, *options: str) -> Any:
    folder = str(deployment.folder / "out")
    return deployment.run("runs", "download", "math-mine-1", "--to", folder, *options)


def test_a_runs_files_are_downloaded(finished: Deployment) -> None:
    ended = download(finished, "--json")
    out = finished.folder / "out"
    assert json.loads(ended.stdout)["files"] == [
        str(out / "train.jsonl"),
        str(out / "rejected.jsonl"),
    ]
    assert (out / "train.jsonl").read_bytes() == ROW * 40
    assert (out / "rejected.jsonl").read_bytes() == b""
    assert sorted(path.name for path in out.iterdir()) == ["rejected.jsonl", "train.jsonl"]


def test_one_file_is_downloaded_by_name(finished: Deployment) -> None:
    assert download(finished, "--file", "train.jsonl").code == 0
    assert [path.name for path in (finished.folder / "out").iterdir()] == ["train.jsonl"]
    missing = download(finished, "--file", "report.json")
    assert (missing.code, "it has train.jsonl" in missing.stderr) == (2, True)


def test_files_that_exist_are_replaced_with_force_only(finished: Deployment) -> None:
    out = finished.folder / "out"
    out.mkdir()
    (out / "train.jsonl").write_text("mine")
    ended = download(finished)
    assert (ended.code, "--force" in ended.stderr) == (2, True)
    assert (out / "train.jsonl").read_text() == "mine"
    assert download(finished, "--force").code == 0
    assert (out / "train.jsonl").read_bytes() == ROW * 40


def test_a_download_that_breaks_off_goes_on_where_it_was(finished: Deployment) -> None:
    def broken(request: httpx2.Request) -> Any:
        if not to_storage(request) or "Range" in request.headers:
            return None
        if not request.url.path.endswith("train.jsonl"):
            return None
        return httpx2.Response(200, stream=Body(ROW * 2, breaks=True), headers={"ETag": '"1"'})

    finished.faults.append(broken)
    assert download(finished, "--file", "train.jsonl").code == 0
    assert (finished.folder / "out/train.jsonl").read_bytes() == ROW * 40
    last = finished.requests[-1]
    assert last.headers["Range"] == f"bytes={2 * len(ROW)}-"
    assert last.headers["If-Match"] == '"1"'


def test_a_download_that_fails_leaves_no_part_of_a_file(finished: Deployment) -> None:
    finished.faults.append(
        lambda request: httpx2.ReadTimeout("slow") if to_storage(request) else None
    )
    ended = download(finished)
    assert ended.code == 6
    assert list((finished.folder / "out").iterdir()) == []
    assert SIGNATURE not in ended.text


@pytest.mark.parametrize("name", ["../escaped", "/etc/x", ".hidden", "a/b", "", "a\x00"])
def test_a_hostile_name_of_a_file_writes_nothing(finished: Deployment, name: str) -> None:
    finished.answers[f"GET {FILES}"] = {"files": [{"file": name, "bytes": 1}]}
    ended = download(finished)
    assert ended.code == 1
    assert not (finished.folder / "out").exists()
