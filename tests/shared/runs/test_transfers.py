"""URLs for single blobs: they do what they are for and nothing else, and only for a few minutes."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
import pytest
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.storage.blob.aio import BlobServiceClient

from shared.core.errors import InvalidInput, NotFound, PermanentError, SettingsError
from shared.core.paths import dataset_file, run_file
from shared.core.process import Process, use
from shared.core.signed_urls import SIGNED_MINUTES
from shared.core.storage import Storage
from shared.runs import handlers
from shared.runs.http import ApiRequest
from shared.runs.transfers import (
    checked_dataset,
    dataset_of,
    download_url,
    parse_download,
    parse_upload,
    run_files,
    upload_urls,
)

VERSION = {"x-ms-version": "2023-11-03"}
BLOB = {**VERSION, "x-ms-blob-type": "BlockBlob"}


@pytest.fixture
def name() -> str:
    return f"x{uuid4().hex[:12]}"


def send(method: str, url: str, query: str = "", **options: Any) -> int:
    """Send a request to the storage account, and return its status."""
    headers = options.pop("headers", VERSION)
    with httpx2.Client(trust_env=False) as client:
        return client.request(method, url + query, headers=headers, **options).status_code


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


async def test_a_url_for_an_upload_writes_its_blob_in_blocks_and_does_nothing_else(
    storage: Storage, name: str
) -> None:
    request = parse_upload({"files": ["train.jsonl"]})
    answer = await upload_urls(storage, "math", name, request)
    [upload] = answer["uploads"]
    url = upload["url"]
    block = base64.b64encode(b"00000000").decode()
    blocks = f"<BlockList><Latest>{block}</Latest></BlockList>"
    assert send("PUT", url, f"&comp=block&blockid={block}", content=b"row\n") == 201
    assert send("PUT", url, "&comp=blocklist", content=blocks) == 201
    path = dataset_file("math", name, "train.jsonl")
    assert await storage.read_path(path) == b"row\n"
    assert send("GET", url) == 403
    assert send("DELETE", url) == 403
    assert send("PUT", url.replace("train", "validation"), headers=BLOB, content=b"") == 403
    assert send("GET", url.partition("/train")[0] + "?" + urlsplit(url).query) == 403


async def test_a_url_for_a_download_reads_its_blob_and_does_nothing_else(
    storage: Storage, name: str
) -> None:
    await storage.write(f"{name}/report.json", b"{}")
    await storage.write(f"{name}/run.json", b"{}")
    answer = await download_url(storage, name, parse_download({"file": "report.json"}))
    assert send("GET", answer["url"]) == 200
    assert send("PUT", answer["url"], headers=BLOB, content=b"") == 403
    assert send("DELETE", answer["url"]) == 403
    assert send("GET", answer["url"].replace("report", "run")) == 403


async def test_a_url_works_for_a_quarter_of_an_hour(storage: Storage, name: str) -> None:
    answer = await upload_urls(storage, "math", name, parse_upload({"files": ["run.json"]}))
    [upload] = answer["uploads"]
    expires = datetime.fromisoformat(str(upload["expires"]))
    assert expires <= datetime.now(UTC) + timedelta(minutes=SIGNED_MINUTES)
    assert SIGNED_MINUTES <= 15
    [signed] = query_of(upload["url"])["se"]
    assert datetime.fromisoformat(signed) == expires


async def test_a_dataset_is_not_overwritten_unless_the_caller_says_so(
    storage: Storage, name: str
) -> None:
    for file in ("train.jsonl", "test.jsonl"):
        await storage._client.get_blob_client(  # pyright: ignore[reportPrivateUsage]
            "datasets", f"math/{name}/{file}"
        ).upload_blob(b"{}\n")
    files = ["train.jsonl", "run.json"]
    with pytest.raises(PermanentError) as error:
        await upload_urls(storage, "math", name, parse_upload({"files": files}))
    assert error.value.code == "dataset_exists"
    assert [detail["where"] for detail in error.value.details] == ["train.jsonl"]
    request = parse_upload({"files": files, "overwrite": True, "signed": False})
    answer = await upload_urls(storage, "math", name, request)
    assert answer["others"] == ["test.jsonl"]
    assert [(upload["expires"], "?" in upload["url"]) for upload in answer["uploads"]] == [
        (None, False)
    ] * 2


async def test_a_dataset_tells_its_files_and_the_run_that_it_starts(
    storage: Storage, name: str
) -> None:
    with pytest.raises(NotFound):
        await dataset_of(storage, "math", name)
    client = storage._client  # pyright: ignore[reportPrivateUsage]
    await client.get_blob_client("datasets", f"math/{name}/run.json").upload_blob(b"{}")
    assert (await dataset_of(storage, "math", name))["run"] is None
    await client.get_blob_client("datasets", f"math/{name}/train.jsonl").upload_blob(b"{}\n")
    dataset = await dataset_of(storage, "math", name)
    assert [(file["file"], file["bytes"]) for file in dataset["files"]] == [
        ("run.json", 2),
        ("train.jsonl", 3),
    ]
    assert str(dataset["run"]).startswith(f"math-{name}-")


async def test_a_runs_own_files_are_listed_and_not_those_of_the_app(
    storage: Storage, name: str
) -> None:
    with pytest.raises(NotFound):
        await run_files(storage, name)
    for file in ("train.jsonl", "request.json", "budget.json", "shards/train/00000000.jsonl"):
        await storage.write(f"{name}/{file}", b"{}\n")
    await storage.write(f"{name}-other/report.json", b"{}")
    assert [file["file"] for file in (await run_files(storage, name))["files"]] == ["train.jsonl"]
    for file in ("request.json", "report.json"):
        with pytest.raises(NotFound, match=file):
            await download_url(storage, name, parse_download({"file": file}))


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("..", "x"),
        ("other", "x"),
        ("math", ".."),
        ("math", "a/b"),
        ("math", ""),
        ("math", ".x"),
        ("math", "x."),
        ("math", "a?sig=1"),
        ("math", "x\n"),
        ("math", "a" * 101),
    ],
)
def test_what_names_no_dataset_becomes_no_path(task: str, name: str) -> None:
    with pytest.raises(NotFound):
        checked_dataset(task, name)


@pytest.mark.parametrize(
    "file", ["../x/train.jsonl", "shards/train/00000000.jsonl", "..", "", ".x", "a?b", "a\n", None]
)
def test_what_names_no_file_of_a_run_becomes_no_path(file: str | None) -> None:
    with pytest.raises(InvalidInput):
        parse_download({"file": file})


@pytest.mark.parametrize(
    "body",
    [None, {}, {"files": []}, {"files": ["x.jsonl"]}, {"files": ["../run.json"]}, {"file": "x"}],
)
def test_an_upload_is_of_files_that_runs_read(body: object) -> None:
    with pytest.raises(InvalidInput):
        parse_upload(body)


async def test_the_answer_has_the_signature_and_no_log_has(
    storage: Storage,
    azurite: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("DISTILLATION_STORAGE", azurite)
    process = Process()
    use(process)
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"files": ["run.json"]}).encode()
    request = ApiRequest("http://app/api/x", {}, "application/json", body, "", lambda _: {})
    answer = await handlers.upload_dataset(request, "math", name)
    assert "sig=" not in caplog.text
    assert answer.headers == {"Cache-Control": "no-store"}
    [upload] = json.loads(answer.content(process.redact))["uploads"]
    assert send("PUT", upload["url"], headers=BLOB, content=b"{}") == 201


class Identity:
    """An identity of the app."""

    async def get_token(self, *scopes: str, **_: Any) -> Any:
        return SimpleNamespace(token="t", expires_on=2**40)

    async def close(self) -> None: ...


DELEGATION_KEY = f"""<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>
<SignedOid>11111111-1111-1111-1111-111111111111</SignedOid>
<SignedTid>22222222-2222-2222-2222-222222222222</SignedTid>
<SignedStart>2026-11-28T09:00:00Z</SignedStart><SignedExpiry>2026-11-28T09:20:00Z</SignedExpiry>
<SignedService>b</SignedService><SignedVersion>2023-11-03</SignedVersion>
<Value>{base64.b64encode(b"k" * 32).decode()}</Value></UserDelegationKey>"""


class Service(AsyncHttpTransport[Any, Any]):
    """A storage account that gives user delegation keys, which Azurite does over HTTPS only."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.requests: list[Any] = []

    async def send(self, request: Any, **_: Any) -> Any:
        self.requests.append(request)
        content = DELEGATION_KEY if self.status == 200 else "<Error/>"
        return _Answer(request, self.status, content)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...


class _Answer:
    """As much of a response as the SDK looks at."""

    def __init__(self, request: Any, status: int, content: str) -> None:
        self.request = request
        self.status_code = status
        self.reason = ""
        self.headers: Mapping[str, str] = {"content-type": "application/xml"}
        self.content_type = "application/xml"
        self._content = content

    def text(self, encoding: str | None = None) -> str:
        return self._content

    def body(self) -> bytes:
        return self._content.encode()

    async def load_body(self) -> None: ...


def of_identity(service: Service) -> Storage:
    client = BlobServiceClient(
        "https://x.blob.core.windows.net",
        credential=cast(Any, Identity()),
        transport=service,
        retry_total=0,
    )
    return Storage(client)


async def test_an_app_with_an_identity_signs_with_a_user_delegation_key_of_a_short_life() -> None:
    service = Service(200)
    signed = await of_identity(service).signed_url(run_file("math-a-1", "report.json"), "read")
    [request] = service.requests
    assert request.method == "POST"
    assert query_of(str(request.url)) == {
        "restype": ["service"],
        "comp": ["userdelegationkey"],
    }
    assert signed.expires.isoformat()[:16] in str(request.body or request.content)
    assert urlsplit(signed.url).path == "/runs/math-a-1/report.json"
    query = query_of(signed.url)
    assert (query["sp"], query["sr"], query["spr"]) == (["r"], ["b"], ["https"])
    assert query["skoid"] == ["11111111-1111-1111-1111-111111111111"]
    assert "sig" not in repr(signed)


async def test_an_app_that_may_not_sign_names_the_role() -> None:
    with pytest.raises(SettingsError, match="Storage Blob Delegator"):
        await of_identity(Service(403)).signed_url("runs/math-a-1/report.json", "read")


async def test_an_app_without_a_key_or_an_identity_names_the_setting() -> None:
    text = "BlobEndpoint=https://x.blob.core.windows.net;SharedAccessSignature=sv=1&sig=secret"
    async with BlobServiceClient.from_connection_string(text) as client:
        storage = Storage(client)
        with pytest.raises(SettingsError, match="AccountKey"):
            await storage.signed_url("runs/math-a-1/report.json", "read")
        assert storage.plain_url("runs/a b") == "https://x.blob.core.windows.net/runs/a%20b"
