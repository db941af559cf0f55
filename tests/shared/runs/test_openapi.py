"""The OpenAPI document and the routes say the same: paths, parameters, status codes, bodies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from jsonschema import Draft202012Validator

from shared.core import settings
from shared.core.errors import TransientError
from shared.core.paths import RunPaths, tombstone
from shared.core.process import Process, use
from shared.core.storage import Storage
from shared.report.model import ReportExcerpt
from shared.runs import handlers, instances
from shared.runs.http import MAX_BODY_BYTES
from shared.runs.openapi import openapi_document
from shared.runs.requests import RunRequest, claim
from shared.runs.status import InstanceState, RunStatus
from shared.runs.tombstones import Tombstone
from tests.support.api_contract import undocumented
from tests.support.api_door import Door, Instance, TaskHub, http_functions

PATHS: dict[str, dict[str, Any]] = openapi_document()["paths"]
OPERATIONS = {
    (method.upper(), path): operation
    for path, operations in PATHS.items()
    for method, operation in operations.items()
}
NOT_HERE = {401: "the Functions host checks keys: tests/end_to_end/test_http_api.py"}


def test_every_route_of_the_app_is_documented_and_nothing_else() -> None:
    functions = http_functions()
    assert set(functions) - set(OPERATIONS) == set(), "add it to ROUTES of shared/runs/routes.py"
    assert set(OPERATIONS) - set(functions) == set(), "ROUTES of shared/runs/routes.py names more"
    for route, operation in OPERATIONS.items():
        assert operation["operationId"] == functions[route].get_function_name()


def test_every_schema_is_valid() -> None:
    schemas = openapi_document()["components"]["schemas"]
    assert len(schemas) > 30
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


@dataclass(frozen=True)
class Case:
    """A request, and the status of its answer. `{run}` in its target is a run in this state."""

    route: str
    """Method and path, as in the document."""
    status: int
    query: str = ""
    state: str = "Running"
    stage: Any = "generate"
    body: Any = b""
    content_type: str = "application/json"
    change: str = ""
    """What is wrong: a setting that is missing, `storage` that can't be reached, or a READER."""

    def __str__(self) -> str:
        return f"{self.route} {self.status} {self.state}{self.query}"


START = "POST /api/runs"
LIST = "GET /api/runs"
DATASETS = "GET /api/datasets"
VIEW = "GET /api/runs/{id}"
DELETE = "DELETE /api/runs/{id}"
CANCEL = "POST /api/runs/{id}/cancel"
RESUME = "POST /api/runs/{id}/resume"
PAUSE = "POST /api/runs/{id}/pause"
STEER = "POST /api/runs/{id}/concurrency"
FILES = "GET /api/runs/{id}/files"
DOWNLOAD = "POST /api/runs/{id}/files"
DATASET = "GET /api/datasets/{task}/{name}"
UPLOAD = "POST /api/datasets/{task}/{name}/uploads"
REPORT = {"file": "report.json"}
BUDGET = {"budget": {"max_requests": 9}}
SHARDS = {"parallel_shards": 2}
LARGE = b" " * (MAX_BODY_BYTES + 1)
READER = "reader"
NONE = "none"
"""A state of runs that don't exist."""
DELETED = "deleted"


def spec(train: str) -> dict[str, Any]:
    """Return the specification of a run that needs a teacher alone."""
    return {"task": "math", "train": train, "student": None}


def spec_of_taken_name(train: str) -> dict[str, Any]:
    return {**spec(train), "name": "taken"}


CASES = [
    Case("GET /api/openapi.json", 200),
    Case(START, 200, "?dry_run=true", body=spec),
    Case(START, 202, body=spec),
    Case(START, 400, body=b"{"),
    Case(START, 404, body=spec("datasets/none/train.jsonl")),
    Case(START, 409, body=spec_of_taken_name),
    Case(START, 413, body=LARGE),
    Case(START, 415, body=b"{}", content_type="text/plain"),
    Case(START, 422, body={}),
    Case(START, 500, body=spec, change="TEACHER_MODEL"),
    Case(START, 503, body=spec, change="storage"),
    Case(LIST, 200),
    Case(LIST, 400, "?limit=0"),
    Case(LIST, 500, change="DISTILLATION_STORAGE"),
    Case(LIST, 503, change="storage"),
    Case(DATASETS, 200),
    Case(DATASETS, 400, "?task=NLI"),
    Case(DATASETS, 500, change="DISTILLATION_STORAGE"),
    Case(DATASETS, 503, change="storage"),
    Case(VIEW, 200, "?links=durable"),
    Case(VIEW, 200, state="Completed", stage="done"),
    Case(VIEW, 400, "?links=all"),
    Case(VIEW, 404, state=NONE),
    Case(VIEW, 500, state="Completed", stage="done", change="DISTILLATION_STORAGE"),
    Case(VIEW, 503, state="Completed", stage="done", change="storage"),
    Case(VIEW, 410, state=DELETED),
    Case(DELETE, 202, state="Completed", stage="done"),
    Case(DELETE, 400, "?dataset=yes"),
    Case(DELETE, 404, state=NONE),
    Case(DELETE, 409),
    Case(DELETE, 410, state=DELETED),
    Case(DELETE, 500, change="DISTILLATION_STORAGE"),
    Case(DELETE, 503, change="storage"),
    Case(CANCEL, 202),
    Case(CANCEL, 202, state="Suspended"),
    Case(CANCEL, 404, state=NONE),
    Case(CANCEL, 409, state="Failed"),
    Case(RESUME, 202, state="Failed"),
    Case(RESUME, 202, state="Suspended"),
    Case(RESUME, 202, state="Failed", body=BUDGET),
    Case(RESUME, 400, state="Failed", body=b"{"),
    Case(RESUME, 404, state=NONE),
    Case(RESUME, 409),
    Case(RESUME, 410, state=DELETED),
    Case(RESUME, 413, state="Failed", body=LARGE),
    Case(RESUME, 415, state="Failed", body=b"{}", content_type="text/plain"),
    Case(RESUME, 422, state="Failed", body={"task": "nli"}),
    Case(RESUME, 500, state="Failed", change="DISTILLATION_STORAGE"),
    Case(RESUME, 503, state="Failed", change="storage"),
    Case(PAUSE, 202),
    Case(PAUSE, 404, state=NONE),
    Case(PAUSE, 409, state="Failed"),
    Case(STEER, 202, body=SHARDS),
    Case(STEER, 400, body=b"{"),
    Case(STEER, 404, state=NONE, body=SHARDS),
    Case(STEER, 409, state="Completed", body=SHARDS),
    Case(STEER, 413, body=LARGE),
    Case(STEER, 415, body=b"{}", content_type="text/plain"),
    Case(STEER, 422, body={"parallel_shards": 0}),
    Case(VIEW, 403, "?links=durable", change=READER),
    *(
        Case(f"{method} {path}", 403, change=READER)
        for method, path in OPERATIONS
        if method != "GET" and f"{method} {path}" != DOWNLOAD
    ),
    Case(FILES, 200),
    Case(FILES, 404, state=NONE),
    Case(FILES, 500, change="DISTILLATION_STORAGE"),
    Case(FILES, 503, change="storage"),
    Case(DOWNLOAD, 200, state="Completed", stage="done", body=REPORT),
    Case(DOWNLOAD, 404, body=REPORT),
    Case(DOWNLOAD, 413, body=LARGE),
    Case(DOWNLOAD, 415, body=b"{}", content_type="text/plain"),
    Case(DOWNLOAD, 422, body={"file": "../run.json"}),
    Case(DOWNLOAD, 500, body=REPORT, change="DISTILLATION_STORAGE"),
    Case(DOWNLOAD, 503, body=REPORT, change="storage"),
    Case(DATASET, 200),
    Case(DATASET, 404, state=NONE),
    Case(DATASET, 500, change="DISTILLATION_STORAGE"),
    Case(DATASET, 503, change="storage"),
    Case(UPLOAD, 200, body={"files": ["run.json"]}),
    Case(UPLOAD, 404, state=NONE, body={"files": ["run.json"]}),
    Case(UPLOAD, 409, body={"files": ["train.jsonl"]}),
    Case(UPLOAD, 413, body=LARGE),
    Case(UPLOAD, 415, body=b"{}", content_type="text/plain"),
    Case(UPLOAD, 422, body={"files": ["other.jsonl"]}),
    Case(UPLOAD, 500, body={"files": ["run.json"]}, change="DISTILLATION_STORAGE"),
    Case(UPLOAD, 503, body={"files": ["run.json"]}, change="storage"),
    *(Case(f"{method} {path}", 400, "?colour=blue", body=b"{}") for method, path in OPERATIONS),
]


def test_every_documented_status_is_tried_here_or_by_the_host_alone() -> None:
    documented = {
        (f"{method} {path}", int(status))
        for (method, path), operation in OPERATIONS.items()
        for status in operation["responses"]
    }
    tried = {(case.route, case.status) for case in CASES}
    untried = {pair for pair in documented - tried if pair[1] not in NOT_HERE}
    assert untried == set(), "add a Case that provokes it, or remove it from ROUTES"
    assert tried <= documented


@pytest.fixture
def usable(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """App settings that are all right, and sub-orchestrations that aren't waited for."""
    for name in settings.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISTILLATION_STORAGE", azurite)
    monkeypatch.setenv("TEACHER_BASE_URL", "https://r.openai.azure.com/openai/v1")
    monkeypatch.setenv("TEACHER_MODEL", "m")
    monkeypatch.setattr(instances, "NOTICE_SECONDS", 0.0)
    use(Process())


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_documented_status_is_answered_as_documented(
    case: Case, storage: Storage, usable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door()
    run_id, train = await existing(storage, door.hub, case)
    if case.change == "storage":
        monkeypatch.setattr(handlers, "open_storage", unreachable)
    elif case.change == READER:
        monkeypatch.setenv("CALLERS", json.dumps([{"name": "another", "sha256": "0" * 64}]))
        use(Process())
    elif case.change:
        monkeypatch.delenv(case.change)
        use(Process())
    method, path = case.route.split(" ")
    dataset = "-none" if case.state == NONE else train.split("/")[2]
    target = path.replace("{id}", run_id).replace("{task}", "math").replace("{name}", dataset)
    body = case.body(train) if callable(case.body) else case.body
    if case.status == 409 and case.route == START:
        assert (await door.ask(method, target, body)).status == 202
    before = list(door.hub.calls)
    answer = await door.ask(method, target + case.query, body, case.content_type)
    assert answer.status == case.status, answer.body
    assert undocumented(method, target, answer.status, answer.body) == []
    if answer.status >= 400:
        assert door.hub.calls == before, "a request that is refused changes nothing"
    if case.query == "?colour=blue":
        assert [problem["where"] for problem in answer.body["error"]["details"]] == ["colour"]


def unreachable(_: object) -> None:
    raise TransientError("the storage account could not be used: nobody is there")


async def existing(storage: Storage, hub: TaskHub, case: Case) -> tuple[str, str]:
    """Make a run in the case's state, if any, and a dataset. Return id and path."""
    run_id, name = f"math-x-{uuid4().hex[:12]}", f"math/{uuid4().hex[:12]}/train.jsonl"
    service = storage._client  # pyright: ignore[reportPrivateUsage]
    await service.get_blob_client("datasets", name).upload_blob(b"{}\n")
    train = f"datasets/{name}"
    if case.state == NONE:
        return run_id, train
    if case.state == DELETED:
        stone = Tombstone(run_id=run_id, deleted=datetime(2026, 1, 1, tzinfo=UTC))
        await storage.write(tombstone(run_id), stone.model_dump_json().encode())
        return run_id, train
    request = RunRequest(
        run_id=run_id, source="http", task="math", name="x", train=train, etag="e", body=spec(train)
    )
    await claim(storage, request)
    status = RunStatus(task="math", name="x", stage=case.stage)
    status.plan("train", 3, 1)
    if case.state == InstanceState.COMPLETED:
        status.outcome = "completed"
        status.outputs = {"report": f"runs/{run_id}/report.json"}
        report = ReportExcerpt(finished=datetime(2026, 1, 1, tzinfo=UTC), inputs={}, outputs={})
        await storage.write(RunPaths(run_id).report, report.model_dump_json().encode())
    hub.instances[run_id] = Instance(case.state, request.model_dump(), status)
    return run_id, train
