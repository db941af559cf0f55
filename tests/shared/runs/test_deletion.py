"""Deletion of runs on real storage: nothing is left, at whatever moment it was interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from azure.core.exceptions import HttpResponseError

from shared.core import settings
from shared.core.errors import DistillationError, NotFound, PermanentError
from shared.core.ids import deletion_id, generation_id, notification_id
from shared.core.paths import RUN_QUEUE, RunPaths, deletion, monthly_spend, tombstone
from shared.core.paths import retention as retention_progress
from shared.core.process import Process, use
from shared.core.shared_document import SharedDocument
from shared.core.storage import Storage
from shared.finetuning.base import JobState, JobStatus
from shared.finetuning.record import TrainingRecord
from shared.runs import deletion as steps
from shared.runs import handlers, instances, retention
from shared.runs.contracts import DISTILLATION_RUN
from shared.runs.http import ApiAnswer, ApiRequest, status_of
from shared.runs.requests import RunRequest, request_of_upload
from shared.runs.run_queue import QueuedRun, RunQueue
from shared.runs.status import RunStatus
from shared.runs.tombstones import read_deletion

TEXT = "What Bartholomew owes his landlord"
ENDED = "2026-01-02T03:04:05Z"


@dataclass
class Instance:
    runtime_status: str | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> dict[str, Any]:
        return self.data


@dataclass
class Hub:
    """A task hub: runtime status by instance id."""

    statuses: dict[str, str] = field(default_factory=dict[str, str])
    outcome: str | None = "completed"
    updated: str = ENDED
    started: list[str] = field(default_factory=list[str])
    name: str = "hub"

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> Instance:
        if instance_id not in self.statuses:
            return Instance()
        shown = RunStatus.model_validate({"task": "math", "name": "x", "outcome": self.outcome})
        data = {
            "name": DISTILLATION_RUN,
            "instanceId": instance_id,
            "runtimeStatus": self.statuses[instance_id],
            "lastUpdatedTime": self.updated,
            "customStatus": shown.custom_status(),
        }
        return Instance(self.statuses[instance_id], data)

    async def start_new(self, name: str, instance_id: str, client_input: Any) -> str:
        self.started.append(instance_id)
        self.statuses[instance_id] = "Running"
        return instance_id

    async def purge_instance_history(self, instance_id: str) -> None:
        self.statuses.pop(instance_id, None)

    def create_http_management_payload(self, instance_id: str) -> dict[str, str]:
        return {"statusQueryGetUri": f"https://app/instances/{instance_id}?taskHub={self.name}"}

    async def raise_event(self, *event: Any) -> None: ...
    async def terminate(self, instance_id: str, reason: str) -> None:
        self.statuses[instance_id] = "Terminated"
        self.updated = datetime.now(UTC).isoformat()

    async def suspend(self, instance_id: str, reason: str) -> None: ...
    async def resume(self, instance_id: str, reason: str) -> None: ...


class Run:
    """A run of an uploaded dataset that has completed, in a hub of its own."""

    def __init__(self, storage: Storage, request: RunRequest) -> None:
        self.storage = storage
        self.request = request
        self.id = request.run_id
        self.paths = RunPaths(self.id)
        self.hub = Hub({self.id: "Completed"})

    async def delete(self, **query: str) -> ApiAnswer:
        return await handlers.delete_run(self.hub, request_for(self.id, query))

    async def refusal(self, **query: str) -> tuple[int, str]:
        """Status and text of the error that a deletion is answered with."""
        with pytest.raises(DistillationError) as refused:
            await self.delete(**query)
        error = refused.value
        details = error.details if isinstance(error, PermanentError) else []
        return status_of(error), f"{error} {details}"

    async def view(self) -> dict[str, Any]:
        return json.loads((await handlers.get_run(self.hub, request_for(self.id))).text)

    async def carry_out(self) -> None:
        """As the orchestration does."""
        while await steps.end_parts(self.storage, self.hub, self.id):
            pass
        await steps.delete_service_files(self.storage, self.id)
        assert await steps.delete_blobs(self.storage, self.id)
        assert await steps.finish(self.storage, self.hub, self.id)
        self.hub.statuses.pop(deletion_id(self.id), None)

    async def fail(self) -> str:
        """As the orchestration does if a step fails for good. Return the message."""
        with pytest.raises(PermanentError) as failure:
            await self.carry_out()
        await steps.note_failure(self.storage, self.id, failure.value.as_data())
        self.hub.statuses.pop(deletion_id(self.id), None)
        return str(failure.value)

    async def train(self, backend: str, status: JobStatus) -> None:
        """Leave the record of a fine-tuning job."""
        record = TrainingRecord()
        record.begin(self.id, "key", 0, backend)
        record.job = JobState(job="ftjob-1", status=status, service_status="x")
        await self.storage.write(self.paths.training(0), record.model_dump_json().encode())


@pytest.fixture
def usable(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISTILLATION_STORAGE", azurite)
    monkeypatch.setattr(instances, "NOTICE_SECONDS", 0.0)
    use(Process())


@pytest.fixture
async def run(storage: Storage, usable: None) -> AsyncIterator[Run]:
    yield await new_run(storage)


async def new_run(storage: Storage) -> Run:
    path = f"datasets/math/{uuid4().hex[:12]}/train.jsonl"
    service = storage._client  # pyright: ignore[reportPrivateUsage]
    for name, text in (("validation.jsonl", TEXT), ("run.json", "{}"), ("train.jsonl", TEXT)):
        blob_name = path.removeprefix("datasets/").replace("train.jsonl", name)
        await service.get_blob_client("datasets", blob_name).upload_blob(text.encode())
    request = await request_of_upload(storage, path)
    assert request is not None
    run = Run(storage, request)
    await handlers.start_uploaded(Hub(), path)
    inputs = {"train": path, "validation": path.replace("train.jsonl", "validation.jsonl")}
    await storage.write(run.paths.specification, json.dumps(inputs).encode())
    await storage.write(run.paths.input("train"), TEXT.encode())
    await storage.stage(run.paths.dataset("train"), "MDAwMA==", TEXT.encode())
    await storage.write(run.paths.journal("train", 0), TEXT.encode())
    snapshot = storage.blob(run.paths.journal("train", 0))
    await snapshot.create_snapshot()
    return run


def request_for(run_id: str, query: dict[str, str] | None = None) -> ApiRequest:
    return ApiRequest(
        url=f"http://app/api/runs/{run_id}",
        query=query or {},
        content_type="",
        body=b"",
        run_id=run_id,
        durable_links=lambda _: {},
    )


async def texts_of(run: Run) -> list[str]:
    """Return what the whole storage account holds of the run: names of blobs that hold its text,
    and all under its folder.
    """
    service = run.storage._client  # pyright: ignore[reportPrivateUsage]
    names: list[str] = []
    async for container in service.list_containers():
        client = service.get_container_client(container.name)
        folders = (f"{run.id}/", run.request.train.split("/", 1)[1].rpartition("/")[0] + "/")
        for folder in folders:
            include = ["uncommittedblobs", "snapshots"]
            listed = client.list_blobs(name_starts_with=folder, include=include)
            names += [f"{container.name}/{blob.name}" async for blob in listed]
    return sorted(names)


async def test_nothing_of_a_deleted_run_is_left_but_its_tombstone_and_the_money_spent(
    run: Run,
) -> None:
    run.hub.statuses |= {generation_id(run.id, "train"): "Completed"}
    run.hub.statuses |= {notification_id(run.id, round_): "Running" for round_ in range(2)}
    resumed = run.request.model_copy(update={"round": 1})
    await run.storage.write(run.paths.request, resumed.model_dump_json().encode())
    spend = monthly_spend("1999-01")
    await run.storage.write(spend, b"{}")
    queued = QueuedRun(run_id=run.id, round=0, started=datetime.now(UTC))
    await run.storage.write(RUN_QUEUE, RunQueue(active=[queued]).model_dump_json().encode())
    answer = await run.delete(dataset="true")
    assert answer.status == 202
    assert json.loads(answer.text)["status"] == "deleting"
    assert (await run.view())["deletion"]["dataset"]
    await run.carry_out()
    assert await texts_of(run) == []
    assert run.hub.statuses == {}
    queue = await SharedDocument(run.storage, RUN_QUEUE, RunQueue).read()
    assert run.id not in queue.model_dump_json()
    assert await run.storage.read(spend) == b"{}"
    assert TEXT not in (await run.storage.read(tombstone(run.id))).decode()
    assert await read_deletion(run.storage, run.id) is None
    with pytest.raises(PermanentError, match="was deleted at") as gone:
        await run.view()
    assert status_of(gone.value) == 410
    assert (await run.refusal())[0] == 410
    with pytest.raises(PermanentError) as gone:
        await handlers.resume_run(run.hub, request_for(run.id))
    assert status_of(gone.value) == 410


async def test_without_dataset_the_dataset_stays_and_its_event_starts_nothing(run: Run) -> None:
    await run.delete()
    await handlers.start_uploaded(run.hub, run.request.train)
    await run.carry_out()
    await handlers.start_uploaded(run.hub, run.request.train)
    assert run.hub.statuses == {}
    assert {name.partition("/")[0] for name in await texts_of(run)} == {"datasets"}


async def test_a_named_run_does_not_get_the_id_of_a_deleted_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_BASE_URL", "https://r.openai.azure.com/openai/v1")
    monkeypatch.setenv("TEACHER_MODEL", "m")
    use(Process())
    name = run.request.name
    body = {"task": "math", "train": run.request.train, "name": name, "student": None}
    await run.delete()
    await run.carry_out()
    posted = dataclasses.replace(
        request_for(""), body=json.dumps(body).encode(), content_type="application/json"
    )
    with pytest.raises(PermanentError, match="give the new run another name") as error:
        await handlers.start_run(run.hub, posted)
    assert status_of(error.value) == 409
    reusing = json.dumps({**body, "name": "other", "reuse": run.id}).encode()
    with pytest.raises(NotFound) as missing:
        await handlers.start_run(run.hub, dataclasses.replace(posted, body=reusing))
    assert "its answers can't be used again" in str(missing.value.details)


@pytest.mark.parametrize("status", ["Running", "Pending", "Suspended", "ContinuedAsNew"])
async def test_a_run_that_goes_on_is_not_deleted(run: Run, status: str) -> None:
    run.hub.statuses[run.id] = status
    refused, text = await run.refusal()
    assert (refused, "cancel it" in text) == (409, True)
    run.hub.statuses[run.id] = "Completed"
    async with run.storage.lease(run.paths.request):
        refused, text = await run.refusal()
    assert (refused, "resumed or deleted by another request" in text) == (409, True)
    assert run.hub.started == []
    assert await read_deletion(run.storage, run.id) is None


async def test_a_run_that_is_resumed_in_the_moment_of_its_deletion_goes_on(run: Run) -> None:
    await run.delete()
    run.hub.statuses[run.id] = "Running"
    before = await texts_of(run)
    assert "still active" in await run.fail()
    assert (await run.view())["status"] == "running"
    run.hub.statuses[run.id] = "Completed"
    view = await run.view()
    assert (view["status"], view["deletion"]["error"]["code"]) == ("completed", "run_active")
    assert await texts_of(run) == before


async def test_a_run_of_another_task_hub_is_left_to_its_app(run: Run) -> None:
    run.hub = Hub({}, name="other")
    status, text = await run.refusal()
    assert (status, "belongs to the task hub 'hub'" in text) == (409, True)
    await run.delete(take_over="true")
    run.hub.name = "third"
    run.hub.started.clear()
    assert "is being deleted by the app with the task hub 'other'" in (await run.refusal())[1]
    await handlers.look_after_deletions(run.hub)
    assert deletion_id(run.id) not in run.hub.started


async def test_what_nobody_knows_is_not_found(run: Run) -> None:
    other = Run(run.storage, run.request.model_copy(update={"run_id": "math-x-000000000000"}))
    other.hub.statuses = {}
    assert (await other.refusal())[0] == 404
    assert (await other.refusal(datasets="true"))[0] == 400
    assert (await other.refusal(dataset="yes"))[0] == 400


@pytest.mark.parametrize("has_request", [True, False])
async def test_a_folder_without_an_orchestration_can_be_deleted(
    run: Run, has_request: bool
) -> None:
    run.hub.statuses.clear()
    if not has_request:
        await run.storage.delete(run.paths.request)
        assert "leave out `dataset`" in (await run.refusal(dataset="true"))[1]
    assert (await run.delete()).status == 202
    await run.carry_out()
    assert {name.partition("/")[0] for name in await texts_of(run)} == {"datasets"}


async def test_a_folder_whose_request_cannot_be_read_can_be_deleted_and_holds_up_no_other(
    run: Run,
) -> None:
    broken = Run(run.storage, run.request.model_copy(update={"run_id": f"math-b-{uuid4().hex}"}))
    await run.storage.write(broken.paths.request, b"{}")
    await run.delete(dataset="true")
    await run.carry_out()
    assert await texts_of(run) == []
    status, text = await broken.refusal(dataset="true")
    assert (status, "leave out `dataset`" in text) == (409, True)
    await broken.delete()
    await broken.carry_out()
    assert not await run.storage.holds_any(broken.paths.folder)


async def test_a_dataset_that_another_run_uses_or_that_was_overwritten_is_not_deleted(
    run: Run,
) -> None:
    other = Run(run.storage, run.request.model_copy(update={"run_id": f"math-o-{uuid4().hex}"}))
    await run.storage.write(other.paths.request, other.request.model_dump_json().encode())
    status, text = await run.refusal(dataset="true")
    assert (status, f"is used by {other.id}" in text) == (409, True)
    await run.storage.delete(other.paths.request)
    service = run.storage._client  # pyright: ignore[reportPrivateUsage]
    train = service.get_blob_client("datasets", run.request.train.removeprefix("datasets/"))
    await run.delete(dataset="true")
    lease = await train.acquire_lease()
    with pytest.raises(HttpResponseError):
        await run.storage.delete_version(run.request.train, run.request.etag)
    await lease.release()
    await train.upload_blob(b"a new version", overwrite=True)
    await run.carry_out()
    with pytest.raises(PermanentError, match="was deleted at"):
        run.hub.statuses[run.id] = "Completed"  # as it was when the request began
        await run.view()
    assert await texts_of(run) == [run.request.train]
    assert await (await train.download_blob()).readall() == b"a new version"


async def test_a_terminated_run_is_deleted_once_nothing_works_for_it_any_more(run: Run) -> None:
    run.hub.outcome = None
    run.hub.statuses = {run.id: "Terminated", generation_id(run.id, "train"): "Running"}
    await run.delete()
    seconds = await steps.end_parts(run.storage, run.hub, run.id)
    assert steps.SETTLE_SECONDS - 10 < seconds <= steps.SETTLE_SECONDS
    assert run.hub.statuses[generation_id(run.id, "train")] == "Terminated"
    run.hub.updated = ENDED
    await run.carry_out()
    assert run.hub.statuses == {}


class Killed(BaseException):
    """The process is gone."""


async def test_a_deletion_that_is_killed_at_any_moment_is_finished_by_a_second_one(
    storage: Storage, usable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "MAX_STUDENTS", 1)
    moment = 0
    was_killed = True
    while was_killed:
        run = await new_run(storage)
        with monkeypatch.context() as patched:
            was_killed = await killed_after(moment, run, patched)
        if was_killed:
            run.hub.statuses.pop(deletion_id(run.id), None)  # the hub is gone, too
            record = await read_deletion(storage, run.id)
            if record is not None:
                assert (await run.view())["status"] == "deleting"
                await handlers.look_after_deletions(run.hub)
                assert deletion_id(run.id) in run.hub.started
                await run.carry_out()
            elif moment == 0:
                await run.delete(dataset="true")
                await run.carry_out()
        assert await texts_of(run) == [], moment
        assert (await run.refusal())[0] == 410
        moment += 1
    assert moment > 10


async def killed_after(changes: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Delete the run, and be killed after so many changes of storage and hub."""
    left = changes

    def counted(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return await method(*arguments, **options)

        return call

    for name in ("write", "replace", "delete", "delete_version", "_delete_whole"):
        monkeypatch.setattr(Storage, name, counted(getattr(Storage, name)))
    for name in ("start_new", "purge_instance_history"):
        monkeypatch.setattr(Hub, name, counted(getattr(Hub, name)))
    with contextlib.suppress(Killed):
        await run.delete(dataset="true")
        await run.carry_out()
        return False
    return True


async def test_a_service_that_refuses_leaves_the_run_whole_and_deletable(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run.train("azure_openai", JobStatus.COMPLETED)
    before = await texts_of(run)
    await run.delete()
    assert "AZURE_OPENAI_BASE_URL" in await run.fail()
    assert await texts_of(run) == before
    view = await run.view()
    assert (view["status"], view["deletion"]["error"]["code"]) == ("completed", "settings")
    await run.delete(service_files="false")
    await run.carry_out()
    assert (await run.refusal())[0] == 410


async def test_runs_are_deleted_by_age_alone_and_in_parts(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run.storage.delete(retention_progress("hub"))
    others = [await new_run(run.storage) for _ in range(3)]
    hub = Hub(
        {run.id: "Completed", others[0].id: "Suspended", others[1].id: "Running"},
        updated=(datetime.now(UTC) - timedelta(days=8)).isoformat(),
    )
    listed = [other.id for other in (run, *others)]

    async def run_ids(self: Storage, prefix: str, after: str) -> AsyncIterator[str]:
        for run_id in sorted(listed):
            if run_id > after:
                yield run_id

    monkeypatch.setattr(Storage, "run_ids", run_ids)
    monkeypatch.setattr(retention, "MAX_RUNS", 2)
    for _ in range(3):
        assert await retention.delete_old_runs(run.storage, hub, 9) == []
    begun: list[str] = []
    for _ in range(3):
        begun += await retention.delete_old_runs(run.storage, hub, 7)
    assert set(begun) == {run.id}
    assert await run.storage.properties(f"runs/{deletion(run.id)}") is not None
    monkeypatch.setenv("RETENTION_DAYS", "9")
    monkeypatch.setenv("TEACHER_MODEL", "m")
    use(Process())
    run.hub = Hub({run.id: "Completed"})
    await run.storage.delete(deletion(run.id))
    assert (await run.view())["deleted_after"] == "2026-01-11T03:04:05Z"
