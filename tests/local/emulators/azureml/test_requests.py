"""What the emulator refuses, as the service does: callers without a token, wrong bodies, and what
does not exist.
"""

from __future__ import annotations

from typing import Any

import pytest

from local.emulators.azureml.arm import WORKSPACE_ID
from local.emulators.azureml.environment import TOKEN_PATH
from shared.students.catalogue import DEFAULT_STUDENT
from tests.support.azureml import HEADER, Workspace, ask, datastore_uri, emulator, job_body

VERSION = "?api-version=2024-10-01-preview"
DETAILS = ("properties", "fineTuningDetails")


@pytest.fixture(scope="module")
def url() -> Any:
    with emulator(pace=600) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def workspace(url: str) -> Workspace:
    return Workspace(url)


def test_it_is_healthy_without_a_token(url: str) -> None:
    status, body, _ = ask(f"{url}/healthz")
    assert (status, body["status"]) == (200, "ok")


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer a.b.c", "Bearer x", "Basic abc"])
def test_a_caller_without_a_token_of_ours_gets_401(url: str, token: str) -> None:
    status, body, _ = ask(f"{url}{WORKSPACE_ID}{VERSION}", Authorization=token)
    assert (status, body["error"]["code"]) == (401, "AuthenticationFailed")


def test_a_token_that_was_tampered_with_gets_401(url: str, workspace: Workspace) -> None:
    signed, _, signature = workspace.headers["Authorization"].rpartition(".")
    forged = f"{signed[:-1]}{'A' if signed[-1] != 'A' else 'B'}.{signature}"
    assert ask(f"{url}{WORKSPACE_ID}{VERSION}", Authorization=forged)[0] == 401


@pytest.mark.parametrize("header", ["", "wrong"])
def test_tokens_are_for_those_who_know_the_identity_header(url: str, header: str) -> None:
    headers = {"X-IDENTITY-HEADER": header}
    assert ask(f"{url}{TOKEN_PATH}?resource=x", **headers)[0] == 401
    assert ask(f"{url}{TOKEN_PATH}", **{"X-IDENTITY-HEADER": HEADER})[0] == 400


@pytest.mark.parametrize(
    "path",
    [
        WORKSPACE_ID.replace("workspaces/local", "workspaces/other"),
        WORKSPACE_ID.replace("resourceGroups/local", "resourceGroups/other"),
        WORKSPACE_ID.replace("0000d157", "00000000"),
        f"{WORKSPACE_ID}/jobs/nope",
        f"{WORKSPACE_ID}/jobs/nope/cancellation",
        f"{WORKSPACE_ID}/datastores/nope",
        f"{WORKSPACE_ID}/models/nope/versions/1",
        f"{WORKSPACE_ID}/computes/cpu",
        "/registrymanagement/v1.0/registries/nope/discovery",
    ],
)
def test_what_does_not_exist_is_404_in_arms_format(workspace: Workspace, path: str) -> None:
    status, body = workspace.ask(path)
    assert status == 404
    assert body["error"]["code"]
    assert body["error"]["message"]


def test_a_call_without_api_version_is_refused(url: str, workspace: Workspace) -> None:
    status, body, _ = ask(f"{url}{WORKSPACE_ID}", **workspace.headers)
    assert (status, body["error"]["code"]) == (400, "MissingApiVersionParameter")


def _with(place: tuple[str, ...], value: object) -> dict[str, Any]:
    """A good body with one value changed; ... removes it."""
    body = job_body(datastore_uri("x"))
    inner: Any = body
    for key in place[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return body


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("properties",), ...),
        (("properties", "jobType"), "Sweep"),
        (("properties", "jobType"), ...),
        (("properties", "surprise"), 1),
        (("properties", "tags"), {"a": 1}),
        (("properties", "experimentName"), "with blanks"),
        (("properties", "outputs"), ...),
        (("properties", "outputs", "registered_model", "assetName"), "a b"),
        (("properties", "outputs", "registered_model", "jobOutputType"), "uri_file"),
        ((*DETAILS, "modelProvider"), "AzureOpenAI"),
        ((*DETAILS, "taskType"), "TextSummarization"),
        ((*DETAILS, "model"), ...),
        ((*DETAILS, "model", "uri"), ""),
        ((*DETAILS, "model", "jobInputType"), "uri_file"),
        ((*DETAILS, "trainingData"), ...),
        ((*DETAILS, "trainingData", "jobInputType"), "mltable"),
        ((*DETAILS, "validationData"), {"uri": "x"}),
        ((*DETAILS, "hyperParameters"), {"num_train_epochs": 1}),
        ((*DETAILS, "hyperParameters"), {"num_train_epochs": "many"}),
        ((*DETAILS, "hyperParameters"), {"lora_rank": "8"}),
    ],
    ids=lambda each: ".".join(each) if isinstance(each, tuple) else repr(each),  # pyright: ignore
)
def test_a_wrong_field_is_refused_by_name(
    workspace: Workspace, place: tuple[str, ...], value: object
) -> None:
    status, body = workspace.ask("jobs/wrong", "PUT", _with(place, value))
    error = body["error"]
    assert (status, error["code"]) == (400, "UserError")
    assert error["target"].startswith(".".join(place))
    assert error["target"] in error["message"]
    assert error["details"][0]["target"] == error["target"]
    assert workspace.ask("jobs/wrong")[0] == 404


def test_all_wrong_fields_are_told_at_once(workspace: Workspace) -> None:
    body = _with((*DETAILS, "modelProvider"), "AzureOpenAI")
    body["properties"]["fineTuningDetails"]["trainingData"]["uri"] = ""
    _, answer = workspace.ask("jobs/wrong", "PUT", body)
    assert len(answer["error"]["details"]) == 2


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_json_object_is_refused(workspace: Workspace, body: bytes) -> None:
    status, answer = workspace.ask("jobs/wrong", "PUT", body)
    assert (status, answer["error"]["code"]) == (400, "InvalidRequestContent")


def test_a_job_name_outside_the_services_alphabet_is_refused(workspace: Workspace) -> None:
    status, answer = workspace.ask("jobs/a.b", "PUT", job_body(datastore_uri("x")))
    assert (status, answer["error"]["target"]) == (400, "name")


@pytest.mark.parametrize(
    "model",
    [
        "Ministral-3B",
        DEFAULT_STUDENT.replace("Ministral-3B", "Nope"),
        DEFAULT_STUDENT.replace("versions/1", "versions/99"),
        DEFAULT_STUDENT.replace("versions/1", "labels/stable"),
        DEFAULT_STUDENT.replace("azureml-mistral", "nope"),
    ],
)
def test_a_model_that_does_not_exist_is_404(workspace: Workspace, model: str) -> None:
    status, body = workspace.ask("jobs/wrong", "PUT", _with((*DETAILS, "model", "uri"), model))
    assert (status, body["error"]["code"]) == (404, "ModelNotFound")
    assert model in body["error"]["message"]


def test_a_job_that_exists_may_change_its_labels_and_nothing_else(workspace: Workspace) -> None:
    body = job_body(datastore_uri("x"))
    assert workspace.ask("jobs/twice", "PUT", body)[0] == 201
    body["properties"]["tags"] = {"new": "tag"}
    status, job = workspace.ask("jobs/twice", "PUT", body)
    assert (status, job["properties"]["tags"]) == (200, {"new": "tag"})
    status, answer = workspace.ask("jobs/twice", "PUT", job_body(datastore_uri("other")))
    assert (status, "fineTuningDetails" in answer["error"]["message"]) == (409, True)
