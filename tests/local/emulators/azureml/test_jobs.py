"""The course of jobs: real statuses in order, data that is read and judged, cancellation, models,
and restarts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from local.emulators.azureml.course import ORDER
from local.emulators.azureml.options import FINAL_STATUSES
from local.emulators.azureml.resources import NOTICE
from tests.support.azureml import Workspace, ask, chat_rows, datastore_uri, emulator, put_lines


@pytest.fixture
def name() -> str:
    return f"job-{uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def workspace(azurite: str) -> Iterator[Workspace]:
    """An emulator for the tests that don't mind the jobs and models of others."""
    with emulator(storage=azurite) as url:
        yield Workspace(url)


def test_a_job_goes_through_the_real_statuses_and_registers_a_model(
    azurite: str, name: str, tmp_path: Path
) -> None:
    with emulator(storage=azurite, data_dir=tmp_path) as url:
        workspace = Workspace(url)
        workspace.submit(name, put_lines(azurite, f"{name}/train.jsonl", chat_rows(10)))
        job = workspace.wait(name)
        _, page, _ = ask(job["services"]["Studio"]["endpoint"])
        _, models = workspace.ask("models/student/versions")
    assert job["status"] == "Completed"
    assert job["outputs"]["registered_model"]["assetVersion"] == "1"
    assert [model["properties"]["jobName"] for model in models["value"]] == [name]
    assert [change["status"] for change in page["statuses"]] == [*ORDER, "Completed"]


def test_it_says_wherever_it_shows_something_that_nothing_was_trained(
    azurite: str, name: str
) -> None:
    with emulator(storage=azurite) as url:
        workspace = Workspace(url)
        workspace.submit(name, put_lines(azurite, f"{name}/train.jsonl", chat_rows(10)))
        job = workspace.wait(name)
        _, page, _ = ask(job["services"]["Studio"]["endpoint"])
        _, model = workspace.ask("models/student/versions/1")
    assert NOTICE in job["description"]
    assert job["properties"]["emulator"] == NOTICE
    assert page["notice"] == NOTICE
    assert model["properties"]["tags"]["emulator"] == NOTICE


def test_each_job_of_a_name_registers_the_next_version(azurite: str, name: str) -> None:
    with emulator(storage=azurite) as url:
        workspace = Workspace(url)
        training = put_lines(azurite, f"{name}/train.jsonl", chat_rows(10))
        for position in ("a", "b"):
            workspace.submit(name + position, training)
            workspace.wait(name + position)
        _, models = workspace.ask("models/student/versions")
    assert [model["name"] for model in models["value"]] == ["2", "1"]


SYSTEM_LAST = {
    "messages": [{"role": "assistant", "content": "a"}, {"role": "system", "content": "s"}]
}
NO_TEXT = {"messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": "a"}]}
NO_ANSWER = {"messages": [{"role": "user", "content": "q"}]}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b'"\xff"', "is not JSON in UTF-8"),
        (b'{"text": "a"}', "instead of messages"),
        (json.dumps(SYSTEM_LAST).encode(), "roles are"),
        (json.dumps(NO_TEXT).encode(), "message 0 has no text"),
        (json.dumps(NO_ANSWER).encode(), "roles are"),
    ],
)
def test_a_bad_line_fails_the_job_with_its_file_and_number(
    azurite: str, workspace: Workspace, name: str, line: bytes, problem: str
) -> None:
    rows = chat_rows(10)
    training = put_lines(azurite, f"{name}/train.jsonl", [*rows, line, *rows])
    workspace.submit(name, training)
    assert workspace.wait(name)["status"] == "Failed"
    assert f"{training}, line 11: " in workspace.reason(name)
    assert problem in workspace.reason(name)


def test_a_bad_validation_set_fails_the_job_too(
    azurite: str, workspace: Workspace, name: str
) -> None:
    training = put_lines(azurite, f"{name}/train.jsonl", chat_rows(10))
    workspace.submit(name, training, put_lines(azurite, f"{name}/validation.jsonl", [b"[]"]))
    assert workspace.wait(name)["status"] == "Failed"
    assert "validation.jsonl, line 1" in workspace.reason(name)


def test_too_few_rows_fail_the_job(azurite: str, workspace: Workspace, name: str) -> None:
    workspace.submit(name, put_lines(azurite, f"{name}/train.jsonl", chat_rows(9)))
    workspace.wait(name, "Failed")
    assert "has 9 rows: at least 10" in workspace.reason(name)


@pytest.mark.parametrize(
    ("training", "problem"),
    [
        (datastore_uri("nowhere/train.jsonl"), "does not exist"),
        ("azureml://datastores/other/paths/x.jsonl", "no datastore other"),
        ("https://elsewhere.example/runs/x.jsonl", "neither in a datastore nor"),
    ],
)
def test_data_that_cannot_be_reached_fails_the_job(
    azurite: str, workspace: Workspace, name: str, training: str, problem: str
) -> None:
    put_lines(azurite, f"{name}/train.jsonl", [])
    workspace.submit(name, training)
    workspace.wait(name, "Failed")
    assert training in workspace.reason(name)
    assert problem in workspace.reason(name)


def test_data_may_be_named_by_its_blob_uri(azurite: str, workspace: Workspace, name: str) -> None:
    put_lines(azurite, f"{name}/train.jsonl", chat_rows(10))
    endpoint = next(
        part for part in azurite.split(";") if part.startswith("BlobEndpoint=")
    ).partition("=")[2]
    workspace.submit(name, f"{endpoint}/runs/{name}/train.jsonl")
    assert workspace.wait(name)["status"] == "Completed"


def test_a_cancelled_job_ends_as_canceled_and_registers_nothing(azurite: str, name: str) -> None:
    with emulator(storage=azurite, final_status="NotResponding") as url:
        workspace = Workspace(url)
        workspace.submit(name, put_lines(azurite, f"{name}/train.jsonl", chat_rows(10)))
        workspace.wait(name, "NotResponding")
        status, _ = workspace.ask(f"jobs/{name}/cancel", "POST")
        assert status == 202
        workspace.wait(name, "Canceled")
        assert workspace.ask("models/student/versions")[0] == 404
        assert workspace.ask(f"jobs/{name}/cancel", "POST")[0] == 400
        assert workspace.ask(f"jobs/{name}/cancellation")[0] == 200


def test_a_job_that_is_only_just_submitted_can_be_cancelled(name: str) -> None:
    with emulator(pace=600) as url:
        workspace = Workspace(url)
        workspace.submit(name, datastore_uri("x"))
        assert workspace.ask(f"jobs/{name}/cancel", "POST")[0] == 202
        assert workspace.ask(f"jobs/{name}/cancel", "POST")[0] == 202  # asking twice is no error
        assert workspace.ask(f"jobs/{name}/cancellation")[0] == 202
        assert workspace.wait(name, "CancelRequested")["status"] == "CancelRequested"


@pytest.mark.parametrize("status", FINAL_STATUSES)
def test_jobs_end_where_they_are_told_to(azurite: str, name: str, status: str) -> None:
    with emulator(storage=azurite, final_status=status) as url:
        workspace = Workspace(url)
        workspace.submit(name, put_lines(azurite, f"{name}/train.jsonl", chat_rows(10)))
        assert workspace.wait(name, status)["status"] == status


def test_the_failure_lottery_fails_jobs_with_a_reason(azurite: str, name: str) -> None:
    with emulator(storage=azurite, fail_rate=1.0) as url:
        workspace = Workspace(url)
        workspace.submit(name, put_lines(azurite, f"{name}/train.jsonl", chat_rows(10)))
        workspace.wait(name, "Failed")
        assert "lottery" in workspace.reason(name)


def test_a_restart_goes_on_with_jobs_and_takes_the_tokens_it_gave_out(
    azurite: str, name: str, tmp_path: Path
) -> None:
    training = put_lines(azurite, f"{name}/train.jsonl", chat_rows(10))
    with emulator(storage=azurite, data_dir=tmp_path, pace=600) as url:
        before = Workspace(url)
        before.submit(name, training)
        before.submit(f"{name}-cancelled", training)
        before.ask(f"jobs/{name}-cancelled/cancel", "POST")
    with emulator(storage=azurite, data_dir=tmp_path) as url:
        before.base_url = url
        assert before.wait(name)["status"] == "Completed"
        assert before.wait(f"{name}-cancelled")["status"] == "Canceled"
