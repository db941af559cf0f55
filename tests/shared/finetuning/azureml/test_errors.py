"""Faults of the service, as the SDK raises them: which are retried, and which go to the user."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.emulators.azureml import resources
from local.emulators.azureml.arm import GROUP_PATH
from local.emulators.azureml.environment import METADATA_PATH, TOKEN_PATH
from local.emulators.azureml.store import JobRecord
from shared.core.errors import PermanentError, TransientError
from shared.finetuning.azureml.errors import NameTaken
from shared.finetuning.base import JobStatus
from tests.support.azureml import job_body
from tests.support.azureml_backend import STUDENT, backend_of, request_of

Answer = tuple[int, Any, dict[str, str]]  # status, body, headers
Script = Callable[[str, str], Answer]  # by method and path


class Service(ThreadingHTTPServer):
    """Answers as scripted, and serves the metadata and tokens that an SDK needs first."""

    script: Script

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, path: str) -> Answer:
        if path.startswith(METADATA_PATH):
            return 200, resources.cloud_metadata(self.url), {}
        if path.startswith(TOKEN_PATH):
            token = {
                "access_token": "t",
                "expires_on": "4102444800",
                "resource": "r",
                "token_type": "Bearer",
            }
            return 200, token, {}
        return self.script(method, path.partition("?")[0])


class Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service: Any = self.server
        status, body, headers = service.answer(self.command, self.path)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = _answer  # noqa: N815 -- the base class's names

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def service(environment: Callable[[str], None]) -> Generator[Service]:
    with Service(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,)).start()
        environment(running.url)
        yield running
        running.shutdown()


def fault(status: int, message: str = "the service says so", **headers: str) -> Answer:
    return status, {"error": {"code": "Code", "message": message}}, headers


def job(name: str, status: str, **properties: Any) -> dict[str, Any]:
    record = JobRecord(
        name, job_body("azureml://x")["properties"], status, "2026-01-01T00:00:00+00:00", None, None
    )
    shown = resources.job(record, "http://127.0.0.1:1")
    shown["properties"].update(properties)
    return shown


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_service_that_is_busy_or_down_is_retried(service: Service, status: int) -> None:
    service.script = lambda method, path: fault(status)
    backend = backend_of()
    for call in (
        lambda: backend.poll("job"),
        lambda: backend.submit(request_of()),
        lambda: backend.preflight(STUDENT),
    ):
        with pytest.raises(TransientError, match=f"{status}.*the service says so"):
            call()


def test_retry_after_is_honoured(service: Service) -> None:
    service.script = lambda method, path: fault(429, **{"Retry-After": "30"})
    with pytest.raises(TransientError) as raised:
        backend_of().poll("job")
    assert raised.value.retry_after == 30
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    service.script = lambda method, path: fault(503, **{"Retry-After": date})
    with pytest.raises(TransientError) as raised:
        backend_of().poll("job")
    assert 3000 < (raised.value.retry_after or 0) <= 3600


@pytest.mark.parametrize("status", [401, 403])
def test_denied_access_names_the_role_that_is_missing(service: Service, status: int) -> None:
    service.script = lambda method, path: fault(status)
    with pytest.raises(PermanentError, match=r"AzureML Data Scientist.*the service says so"):
        backend_of().poll("job")
    (problem, _) = backend_of(datastore=None).preflight(STUDENT)
    assert "AzureML Data Scientist" in problem


def test_every_detail_of_a_refusal_is_reported(service: Service) -> None:
    details = [{"code": "a", "message": "field one"}, {"code": "b", "message": "field two"}]
    body = {"error": {"code": "UserError", "message": "Not valid.", "details": details}}
    service.script = lambda method, path: fault(404) if method == "GET" else (400, body, {})
    with pytest.raises(PermanentError, match=r"Not valid\. field one field two$"):
        backend_of().submit(request_of())


def test_an_answer_that_is_not_json_is_retried(service: Service) -> None:
    service.script = lambda method, path: (200, b"<html>", {})
    with pytest.raises(TransientError, match="no usable answer"):
        backend_of().poll("job")


def test_a_service_that_cannot_be_reached_is_retried(service: Service) -> None:
    service.script = lambda method, path: (200, job("job", "Running"), {})
    backend = backend_of()
    assert backend.poll("job").status is JobStatus.RUNNING
    service.shutdown()
    service.server_close()
    with pytest.raises(TransientError, match="could not be reached"):
        backend.poll("job")


def test_a_cloud_whose_addresses_cannot_be_read_is_retried(
    environment: Callable[[str], None],
) -> None:
    with Service(("127.0.0.1", 0), Handler) as gone:
        environment(gone.url)
    with pytest.raises(TransientError, match="addresses could not be found"):
        backend_of().poll("job")


def test_an_identity_that_gets_no_token_is_retried(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{service.url}/broken")
    service.script = lambda method, path: (
        400,
        {"statusCode": 400, "message": "no identity yet"},
        {},
    )
    with pytest.raises(TransientError, match="got no token"):
        backend_of().poll("job")


def test_losing_the_race_to_submit_finds_the_winners_job(service: Service) -> None:
    request = request_of()
    answers: dict[str, list[Answer]] = {
        "GET": [fault(404), (200, job(request.job_name, "Queued"), {})],
        "PUT": [fault(409)],
    }

    def script(method: str, path: str) -> Answer:
        remaining = answers[method]
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    service.script = script
    assert backend_of().submit(request).status is JobStatus.QUEUED


def test_a_conflict_without_a_job_is_reported_as_it_is(service: Service) -> None:
    service.script = lambda method, path: fault(404) if method == "GET" else fault(409)
    with pytest.raises(NameTaken, match="the service says so"):
        backend_of().submit(request_of())


def test_a_job_that_ends_while_it_is_being_cancelled_is_shown_as_ended(service: Service) -> None:
    states = ["Running", "Completed"]

    def script(method: str, path: str) -> Answer:
        if method == "POST":
            return fault(400)
        if path.endswith("/versions"):
            return 200, {"value": []}, {}
        # the SDK reads a fine-tuning job twice, once a version of the API
        polls.append(path)
        return 200, job("job", states[min(1, (len(polls) - 1) // 2)]), {}

    polls: list[str] = []
    service.script = script
    assert backend_of().cancel("job").status is JobStatus.COMPLETED


def test_a_refused_cancellation_of_a_running_job_is_an_error(service: Service) -> None:
    service.script = lambda method, path: (
        fault(400) if method == "POST" else (200, job("job", "Running"), {})
    )
    with pytest.raises(PermanentError, match="could not be cancelled: the service says so"):
        backend_of().cancel("job")


def test_a_failure_whose_reason_cannot_be_read_is_still_a_failure(service: Service) -> None:
    def script(method: str, path: str) -> Answer:
        return (200, job("job", "Failed"), {}) if "/jobs/" in path else fault(500)

    service.script = script
    state = backend_of().poll("job")
    assert (state.status, state.message) == (JobStatus.FAILED, None)


def test_a_model_is_found_by_its_job_where_the_output_names_no_version(service: Service) -> None:
    def version(number: int, of_job: str) -> dict[str, Any]:
        path = (
            GROUP_PATH.format(subscription="s", group="g")
            + f"/workspaces/w/models/student/versions/{number}"
        )
        properties: dict[str, Any] = {
            "modelUri": "azureml://x",
            "jobName": of_job,
            "flavors": {},
            "tags": {},
            "properties": {},
        }
        return {"id": path, "name": str(number), "properties": properties}

    def script(method: str, path: str) -> Answer:
        if path.endswith("/versions"):
            return 200, {"value": [version(3, "other"), version(2, "job"), version(1, "other")]}, {}
        return 200, job("job", "Completed"), {}

    service.script = script
    assert backend_of().poll("job").model == "student:2"
