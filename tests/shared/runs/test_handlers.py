"""Triggers' handlers on real storage: what a wrong setting does to uploads and to listings."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.blob.aio import BlobLeaseClient

from shared.core import settings
from shared.core.errors import InvalidInput, PermanentError, SettingsError, TransientError
from shared.core.ids import generation_id, notification_id
from shared.core.paths import RUN_QUEUE, RunPaths, monthly_spend
from shared.core.process import Process, use
from shared.core.storage import Storage
from shared.runs import handlers, instances
from shared.runs.contracts import DISTILLATION_RUN, Event
from shared.runs.http import ApiRequest, status_of
from shared.runs.requests import RunRequest, claim
from shared.runs.run_queue import QueuedRun, RunQueue
from shared.runs.status import RunStatus
from shared.spec.budget import Usage
from shared.teacher.budget import month
from shared.teacher.budget.ledger import COST_UNITS, Amounts, Entry, Ledger


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
    stage: str | None = None
    """The stage that every run shows."""
    starts: bool = True
    """Whether an instance can be started; if not, another process has done so."""
    events: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    terminated: list[str] = field(default_factory=list[str])
    ended: set[str] = field(default_factory=set[str])
    name: str = "ours"
    ends_meanwhile: bool = False
    """Whether an instance ends just before an event for it arrives."""

    def create_http_management_payload(self, instance_id: str) -> dict[str, str]:
        return {"statusQueryGetUri": f"https://app/{instance_id}?taskHub={self.name}&code=secret"}

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> Status:
        if instance_id not in self.started:
            return Status(None, {})
        runtime_status = "Terminated" if instance_id in self.ended else self.runtime_status
        data = {
            "name": DISTILLATION_RUN,
            "instanceId": instance_id,
            "runtimeStatus": runtime_status,
            "input": self.started[instance_id],
        }
        if self.stage:
            shown = RunStatus.model_validate({"task": "math", "name": "x", "stage": self.stage})
            data["customStatus"] = shown.custom_status()
        return Status(runtime_status, data)

    async def start_new(self, name: str, instance_id: str, client_input: Any) -> str:
        if not self.starts:
            self.runtime_status = "Pending"
            raise RuntimeError("it runs already")
        self.ended.discard(instance_id)
        if self.runtime_status == "Failed":
            self.runtime_status = "Pending"
        self.started[instance_id] = client_input
        return instance_id

    async def terminate(self, instance_id: str, reason: str) -> None:
        self.terminated.append(instance_id)
        self.ended.add(instance_id)

    async def raise_event(self, instance_id: str, *event: Any) -> None:
        if self.ends_meanwhile:
            self.ended.add(instance_id)
        if instance_id in self.ended:
            raise RuntimeError("gone: either completed or failed")
        self.events.append((instance_id, *event))

    async def suspend(self, instance_id: str, reason: str) -> None:
        raise AssertionError

    async def resume(self, instance_id: str, reason: str) -> None:
        self.runtime_status = "Running"


@pytest.fixture
def only_storage(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """App settings of which there is the storage account alone."""
    for name in settings.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISTILLATION_STORAGE", azurite)


@pytest.fixture
def usable(only_storage: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """App settings that are all right, and sub-orchestrations that aren't waited for."""
    monkeypatch.setenv("TEACHER_BASE_URL", "https://r.openai.azure.com/openai/v1")
    monkeypatch.setenv("TEACHER_MODEL", "m")
    monkeypatch.setattr(instances, "NOTICE_SECONDS", 0.0)
    use(Process())


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


async def test_a_paused_run_is_resumed_with_changes_once_what_it_left_behind_has_ended(
    storage: Storage, usable: None
) -> None:
    run_id = await claimed(storage)
    shards = generation_id(run_id, "train")
    hub = Hub(started={run_id: {}, shards: {}}, runtime_status="Suspended")
    answer = await handlers.resume_run(hub, resumed(run_id, {"budget": {"max_requests": 9}}))
    assert answer.status == 202
    assert hub.terminated == [run_id, shards]
    assert hub.started[run_id]["changes"] == {"budget": {"max_requests": 9}}


class Overtaken(Hub):
    """A hub in which another request resumes a paused run after the first look at it."""

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> Status:
        status = await super().get_status(instance_id, show_input=show_input)
        self.runtime_status = "Running"
        return status


async def test_a_round_that_another_request_has_just_begun_is_not_ended(
    storage: Storage, usable: None
) -> None:
    run_id = await claimed(storage)
    hub = Overtaken(started={run_id: {}}, runtime_status="Suspended")
    with pytest.raises(PermanentError, match="still active"):
        await handlers.resume_run(hub, resumed(run_id, {"budget": {"max_requests": 9}}))
    assert hub.terminated == []


async def test_a_resume_whose_lease_has_ended_meanwhile_starts_nothing_and_can_be_repeated(
    storage: Storage, usable: None
) -> None:
    class Slow(Hub):
        """A hub that takes longer to end a run than the lease lasts."""

        async def terminate(self, instance_id: str, reason: str) -> None:
            await super().terminate(instance_id, reason)
            lease = BlobLeaseClient(storage.blob(RunPaths(run_id).request))
            await lease.break_lease(lease_break_period=0)

    run_id = await claimed(storage)
    before = await storage.read_json(RunPaths(run_id).request)
    hub = Slow(started={run_id: {}}, runtime_status="Suspended")
    changes = resumed(run_id, {"budget": {"max_requests": 9}})
    with pytest.raises(TransientError):
        await handlers.resume_run(hub, changes)
    assert hub.started == {run_id: {}}
    assert await storage.read_json(RunPaths(run_id).request) == before
    assert (await handlers.resume_run(hub, changes)).status == 202
    assert hub.started[run_id]["round"] == 1


async def test_changes_that_cannot_be_end_nothing(storage: Storage, usable: None) -> None:
    run_id = await claimed(storage)
    hub = Hub(started={run_id: {}}, runtime_status="Suspended")
    with pytest.raises(InvalidInput):
        await handlers.resume_run(hub, resumed(run_id, {"budget": 7}))
    assert hub.terminated == []


async def test_of_requests_that_resume_a_run_at_the_same_time_one_counts(
    storage: Storage, usable: None
) -> None:
    run_id = await claimed(storage)
    hub = Hub(started={run_id: {}}, runtime_status="Failed")
    limits = range(1, 6)
    answers = await asyncio.gather(
        *(
            handlers.resume_run(hub, resumed(run_id, {"budget": {"max_requests": limit}}))
            for limit in limits
        ),
        return_exceptions=True,
    )
    statuses = [
        status_of(answer) if isinstance(answer, PermanentError) else answer.status
        for answer in answers
        if not isinstance(answer, BaseException) or isinstance(answer, PermanentError)
    ]
    assert sorted(statuses) == [202, 409, 409, 409, 409]
    kept = await storage.read_json(RunPaths(run_id).request)
    assert kept == {**hub.started[run_id], "hub": hub.name}
    assert kept["changes"] == {"budget": {"max_requests": limits[statuses.index(202)]}}


async def test_a_round_that_does_not_start_has_no_effect(storage: Storage, usable: None) -> None:
    run_id = await claimed(storage)
    before = await storage.read_json(RunPaths(run_id).request)
    hub = Hub(started={run_id: {}}, runtime_status="Failed", starts=False)
    with pytest.raises(PermanentError, match="still active") as error:
        await handlers.resume_run(hub, resumed(run_id, {"budget": {"max_requests": 9}}))
    assert status_of(error.value) == 409
    assert await storage.read_json(RunPaths(run_id).request) == before


async def test_a_run_of_another_task_hub_is_left_alone_unless_it_is_taken_over(
    storage: Storage, usable: None, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = Hub(name="theirs")
    ours = Hub(name="ours")
    path = await uploaded(storage, "train.jsonl")
    for hub in (theirs, ours, theirs):  # the event may arrive again
        await handlers.start_uploaded(hub, path)
    (run_id,) = theirs.started
    assert ours.started == {}
    assert "task hub 'theirs', but this app has 'ours'" in caplog.text
    with pytest.raises(PermanentError, match=r"'theirs'.*'ours'.*take_over=true") as error:
        await handlers.resume_run(ours, of_run(run_id))
    assert status_of(error.value) == 409
    taking_over = dataclasses.replace(of_run(run_id), query={"take_over": "true"})
    assert (await handlers.resume_run(ours, taking_over)).status == 202
    assert ours.started[run_id]["round"] == 1
    theirs.ended.add(run_id)
    with pytest.raises(PermanentError, match="belongs to the task hub 'ours'"):
        await handlers.resume_run(theirs, of_run(run_id))
    with pytest.raises(InvalidInput):
        await handlers.resume_run(ours, dataclasses.replace(taking_over, query={"take_over": "1"}))


async def test_events_to_a_run_that_ends_meanwhile_are_refused() -> None:
    hub = Hub(started={"math-x-1": {}}, runtime_status="Running", stage="generate")
    body = dataclasses.replace(
        of_run("math-x-1"), content_type="application/json", body=b'{"parallel_shards": 2}'
    )
    for act, request in (
        (handlers.cancel_run, of_run("math-x-1")),
        (handlers.set_concurrency, body),
    ):
        hub.ended.clear()
        hub.ends_meanwhile = True
        with pytest.raises(PermanentError, match="already ended") as error:
            await act(hub, request)
        assert status_of(error.value) == 409


@pytest.mark.usefixtures("wrong_teacher")
async def test_a_queued_run_is_shown_with_its_place(storage: Storage) -> None:
    hub = Hub(runtime_status="Running", stage="queue")
    paths = [await uploaded(storage, "train.jsonl") for _ in range(2)]
    for path in paths:
        await handlers.start_uploaded(hub, path)
    at_work, *waiting = (
        QueuedRun(run_id=run_id, round=0, started=datetime(2026, 1, 1, tzinfo=UTC))
        for run_id in ("math-other-0", *hub.started)
    )
    queue = RunQueue(active=[at_work], waiting=waiting)
    await storage.write(RUN_QUEUE, queue.model_dump_json().encode())
    expected = {"place": 2, "waiting": 2, "active": 1}
    last = waiting[-1].run_id
    answer = await handlers.list_runs(hub, listing_of(last, status="queued"))
    [listed] = json.loads(answer.text)["runs"]
    assert (listed["id"], listed["status"], listed["queue"]) == (last, "queued", expected)
    answer = await handlers.get_run(hub, of_run(last))
    assert json.loads(answer.text)["queue"] == expected
    await storage.delete(RUN_QUEUE)


async def test_a_run_whose_end_could_not_be_announced_warns_of_it_in_that_round_alone(
    only_storage: None,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOTIFY_URL", "https://hooks.example")
    monkeypatch.setenv("NOTIFY_SECRET", "x" * 24)
    warning = "the notification of the run's end wasn't delivered"
    hub = AnnouncingHub(runtime_status="Failed", warning=warning)
    for round_, is_warned in ((0, False), (1, True)):
        hub.started = {"math-x": {"round": round_}, notification_id("math-x", 1): {}}
        answer = await handlers.get_run(hub, of_run("math-x"))
        assert (warning in json.loads(answer.text)["warnings"]) is is_warned


@dataclass
class AnnouncingHub(Hub):
    """A task hub in which the end of a run was announced in vain."""

    warning: str = ""

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> Status:
        status = await super().get_status(instance_id, show_input=show_input)
        if ":notify:" in instance_id:
            status.data["customStatus"] = {"warning": self.warning}
        return status


@pytest.mark.usefixtures("only_storage")
async def test_a_listing_has_what_is_left_of_the_months_budget(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONTHLY_BUDGET", "10")
    monkeypatch.setattr(month, "this_month", lambda: "1999-12")
    use(Process())
    ledger = Ledger(
        rows=Usage(prompt_tokens=3_000_000),
        workers={"killed": Entry(lease=Amounts(cost=2 * COST_UNITS))},
    )
    await storage.write(monthly_spend("1999-12"), ledger.model_dump_json().encode())
    answer = await handlers.list_runs(Hub(), listing_of("none-"))
    assert json.loads(answer.text) == {
        "runs": [],
        "next": None,
        "monthly_budget": {
            "month": "1999-12",
            "limit": 10,
            "spent": 3,
            "reserved": 2,
            "remaining": 5,
        },
    }
    await storage.write(monthly_spend("1999-12"), b"{")
    answer = await handlers.list_runs(Hub(), listing_of("none-"))
    error = json.loads(answer.text)["monthly_budget"]["error"]
    assert (answer.status, "1999-12.json can't be read" in error["message"]) == (200, True)


async def test_a_run_that_is_resumed_from_a_pause_in_the_queue_looks_for_its_turn_at_once() -> None:
    hub = Hub(started={"math-x-1": {}}, runtime_status="Suspended", stage="queue")
    answer = await handlers.resume_run(hub, of_run("math-x-1"))
    assert json.loads(answer.text)["status"] == "queued"
    assert hub.events == [("math-x-1", Event.TURN)]


async def claimed(storage: Storage) -> str:
    """A run that was asked for."""
    request = RunRequest(
        run_id=f"math-x-{uuid4().hex[:12]}",
        source="upload",
        task="math",
        name="x",
        train="datasets/math/x/train.jsonl",
        etag="e",
    )
    await claim(storage, request)
    return request.run_id


def resumed(run_id: str, changes: dict[str, Any]) -> ApiRequest:
    return dataclasses.replace(
        of_run(run_id), content_type="application/json", body=json.dumps(changes).encode()
    )


def of_run(run_id: str) -> ApiRequest:
    return ApiRequest(
        url=f"http://app/api/runs/{run_id}",
        query={},
        content_type="",
        body=b"",
        run_id=run_id,
        durable_links=lambda _: {},
    )


def posted(body: dict[str, Any]) -> ApiRequest:
    return ApiRequest(
        url="http://app/api/runs",
        query={},
        content_type="application/json",
        body=json.dumps(body).encode(),
        run_id="",
        durable_links=lambda _: {},
    )


def listing_of(prefix: str, **query: str) -> ApiRequest:
    return ApiRequest(
        url="http://app/api/runs",
        query={"prefix": prefix, **query},
        content_type="",
        body=b"",
        run_id="",
        durable_links=lambda _: {},
    )
