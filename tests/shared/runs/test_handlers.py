"""Triggers' handlers on real storage: what a wrong setting does to uploads and to listings."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from shared.core import settings
from shared.core.errors import PermanentError, SettingsError
from shared.core.process import Process, use
from shared.core.storage import Storage
from shared.runs import handlers
from shared.runs.contracts import DISTILLATION_RUN
from shared.runs.http import ApiRequest, status_of


@dataclass
class Status:
    """Durable's status object of one instance."""

    runtime_status: str | None
    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return self.data


@dataclass
class Hub:
    """A task hub in which started instances stay as they are."""

    started: dict[str, Any] = field(default_factory=dict[str, Any])
    runtime_status: str = "Pending"

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> Status:
        if instance_id not in self.started:
            return Status(None, {})
        data = {
            "name": DISTILLATION_RUN,
            "instanceId": instance_id,
            "runtimeStatus": self.runtime_status,
            "input": self.started[instance_id],
        }
        return Status(self.runtime_status, data)

    async def start_new(self, name: str, instance_id: str, client_input: Any) -> str:
        self.started[instance_id] = client_input
        return instance_id

    async def raise_event(self, *_: Any) -> None:
        raise AssertionError

    async def suspend(self, instance_id: str, reason: str) -> None:
        raise AssertionError

    async def resume(self, instance_id: str, reason: str) -> None:
        raise AssertionError


@pytest.fixture
def only_storage(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """App settings of which there is the storage account alone."""
    for name in settings.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISTILLATION_STORAGE", azurite)


@pytest.fixture
def wrong_teacher(only_storage: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """App settings in which the storage account alone is right."""
    monkeypatch.setenv("TEACHER_BASE_URL", "teacher")


async def uploaded(storage: Storage, file_name: str) -> str:
    """Upload a dataset to a folder of its own, and return its path."""
    name = f"math/{uuid4().hex[:12]}/{file_name}"
    service = storage._client  # pyright: ignore[reportPrivateUsage]
    await service.get_blob_client("datasets", name).upload_blob(b"{}\n")
    return f"datasets/{name}"


@pytest.mark.usefixtures("wrong_teacher")
async def test_an_upload_starts_its_run_although_an_app_setting_is_wrong(storage: Storage) -> None:
    hub = Hub()
    path = await uploaded(storage, "train.jsonl")
    for _ in range(2):
        await handlers.start_uploaded(hub, path)
    [run_id] = hub.started
    answer = await handlers.list_runs(hub, listing_of(run_id))
    assert [run["id"] for run in json.loads(answer.text)["runs"]] == [run_id]


async def test_without_a_teacher_only_runs_with_their_own_answers_start_over_http(
    storage: Storage, only_storage: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_BASE_URL", "https://r.openai.azure.com/openai/v1")
    use(Process())
    body = {"task": "math", "train": await uploaded(storage, "mine.jsonl")}
    hub = Hub()
    with pytest.raises(SettingsError, match="TEACHER_BASE_URL: is missing"):
        await handlers.start_run(hub, posted(body))
    assert not hub.started
    answer = await handlers.start_run(hub, posted({**body, "answers": {"source": "provided"}}))
    assert answer.status == 202
    assert len(hub.started) == 1


async def test_without_a_fine_tuning_service_only_runs_that_end_with_their_datasets_start_over_http(
    storage: Storage, only_storage: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_BASE_URL", "https://r.openai.azure.com/openai/v1")
    monkeypatch.setenv("TEACHER_MODEL", "m")
    use(Process())
    body = {"task": "math", "train": await uploaded(storage, "mine.jsonl")}
    hub = Hub()
    with pytest.raises(SettingsError, match="AZUREML_WORKSPACE: is missing"):
        await handlers.start_run(hub, posted(body))
    assert not hub.started
    answer = await handlers.start_run(hub, posted({**body, "student": None}))
    assert answer.status == 202
    assert len(hub.started) == 1


async def test_an_upload_that_cannot_reach_the_storage_account_says_so_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DISTILLATION_STORAGE", raising=False)
    monkeypatch.setenv("DISTILLATION_STORAGE__blobServiceUri", "account")
    with pytest.raises(SettingsError):
        await handlers.start_uploaded(Hub(), "datasets/math/x/train.jsonl")
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "no run could be started for datasets/math/x/train.jsonl" in record.getMessage()
    assert "DISTILLATION_STORAGE__blobServiceUri: must be an http" in record.getMessage()


async def test_a_paused_run_is_not_resumed_with_changes() -> None:
    hub = Hub(started={"math-x-1": {}}, runtime_status="Suspended")
    request = ApiRequest(
        url="http://app/api/runs/math-x-1/resume",
        query={},
        content_type="application/json",
        body=b'{"budget": {"max_requests": 9}}',
        run_id="math-x-1",
        durable_links=lambda _: {},
    )
    with pytest.raises(PermanentError, match="is paused: resume it without changes") as error:
        await handlers.resume_run(hub, request)
    assert status_of(error.value) == 409


def posted(body: dict[str, Any]) -> ApiRequest:
    return ApiRequest(
        url="http://app/api/runs",
        query={},
        content_type="application/json",
        body=json.dumps(body).encode(),
        run_id="",
        durable_links=lambda _: {},
    )


def listing_of(prefix: str) -> ApiRequest:
    return ApiRequest(
        url="http://app/api/runs",
        query={"prefix": prefix},
        content_type="",
        body=b"",
        run_id="",
        durable_links=lambda _: {},
    )
