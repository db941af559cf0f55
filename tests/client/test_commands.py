"""What the commands send and print: results on stdout, errors with a remedy, and no key."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.support.fake_deployment import KEY, URL, Deployment, body_of, refusal, view

STARTED = {
    **view("pending"),
    "links": {"self": f"{URL}/api/runs/math-mine-1", "terminatePostUri": f"{URL}/x?code=system"},
    "statusQueryGetUri": f"{URL}/x?code=system",
}


def test_a_run_is_started_from_a_specification_a_dataset_and_settings(
    deployment: Deployment,
) -> None:
    files = [{"file": "train.jsonl"}, {"file": "validation.jsonl"}, {"file": "run.json"}]
    deployment.answers = {
        "GET /api/datasets/math/mine": {"files": files, "run": None},
        "POST /api/runs": STARTED,
    }
    spec = deployment.folder / "run.json"
    spec.write_text('\ufeff{"quality": {"min_rows": 5}}', encoding="utf-8")
    settings = ("--set", "quality.min_rows=10", "--set", "student=null", "--set", "teacher.stop=x")

    ended = deployment.run("runs", "start", "math/mine", "--spec", str(spec), *settings)

    assert (ended.code, ended.stdout) == (0, "math-mine-1\n")
    [request] = deployment.sent("POST", "/api/runs")
    assert body_of(request) == {
        "task": "math",
        "train": "datasets/math/mine/train.jsonl",
        "validation": "datasets/math/mine/validation.jsonl",
        "quality": {"min_rows": 10},
        "student": None,
        "teacher": {"stop": "x"},
    }
    assert request.headers["x-functions-key"] == KEY
    assert KEY not in str(request.url)


def test_json_has_no_link_with_a_key(deployment: Deployment) -> None:
    deployment.answers["POST /api/runs"] = STARTED
    ended = deployment.run("runs", "start", "--set", "task=math", "--json", "--quiet")
    assert json.loads(ended.stdout)["links"] == {"self": f"{URL}/api/runs/math-mine-1"}
    assert "code=" not in ended.text


def test_quiet_prints_the_id_alone(deployment: Deployment) -> None:
    deployment.answers["POST /api/runs"] = STARTED
    ended = deployment.run("runs", "start", "--set", "task=math", "-q")
    assert ended.text == "math-mine-1\n"


def test_a_dry_run_starts_nothing_and_fails_if_the_run_would(deployment: Deployment) -> None:
    error: dict[str, Any] = {"code": "dataset", "message": "too few rows", "details": []}
    found: dict[str, Any] = {
        "splits": {"train": {"rows": 9, "valid": 8, "rejected": {"duplicate": 1}}},
        "rejected_rows": [{"split": "train", "line": 3, "reason": "duplicate", "detail": "of 1"}],
        "estimate": {"requests": 8, "prompt_tokens": 80, "completion_tokens": 40, "cost": 0.5},
        "warnings": ["no references"],
        "error": error,
    }
    deployment.answers["POST /api/runs"] = found
    ended = deployment.run("runs", "start", "--set", "task=math", "--dry-run", "--probe", "5")
    [request] = deployment.sent("POST", "/api/runs")
    assert dict(request.url.params) == {"dry_run": "true", "probe": "5"}
    assert ended.code == 1
    for text in ("9 rows, 8 usable", "1 duplicate", "line 3", "8 requests", "too few rows"):
        assert text in ended.stdout


def test_a_refusal_is_shown_with_code_places_and_remedies(deployment: Deployment) -> None:
    answer = refusal(422, "invalid_input", "2 problems", **{"teacher.stop": "a", "budget": "b"})
    deployment.answers["POST /api/runs"] = answer
    ended = deployment.run("runs", "start", "--set", "task=math")
    assert (ended.code, ended.stdout) == (1, "")
    for text in ("2 problems (invalid_input, HTTP 422)", "teacher.stop: a", "budget: b"):
        assert text in ended.stderr


def test_runs_are_listed_over_several_pages(deployment: Deployment) -> None:
    pages = [
        {"runs": [view(id="math-a-1"), view(id="math-b-1")], "next": "math-b-1"},
        {"runs": [view("failed", id="math-c-1"), view(id="math-d-1")], "next": None},
    ]
    deployment.answers["GET /api/runs"] = list(pages)
    filters = ("--task", "math", "--dataset", "math/mine")
    ended = deployment.run("runs", "list", "--limit", "3", *filters)
    assert [line.split()[0] for line in ended.stdout.splitlines()] == [
        "run",
        "math-a-1",
        "math-b-1",
        "math-c-1",
    ]
    assert "--all" in ended.stderr
    first, second = deployment.sent("GET", "/api/runs")
    assert dict(first.url.params) == {"limit": "3", "task": "math", "dataset": "math/mine"}
    assert second.url.params["after"] == "math-b-1"
    deployment.answers["GET /api/runs"] = list(pages)
    assert len(json.loads(deployment.run("runs", "list", "--all", "--json").stdout)) == 4


def test_a_run_is_shown_without_control_characters(deployment: Deployment) -> None:
    error: dict[str, Any] = {"code": "x", "message": "\x1b]0;owned\x07 and \x9b2J", "details": []}
    deployment.answers["GET /api/runs/math-mine-1"] = view("failed", error=error)
    ended = deployment.run("runs", "show", "math-mine-1")
    assert "96/96 (6 rejected), 90 accepted" in ended.stdout
    assert "6 no_number" in ended.stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(ended.stdout)


@pytest.mark.parametrize("action", ["cancel", "pause", "resume"])
def test_a_run_is_steered(deployment: Deployment, action: str) -> None:
    deployment.answers[f"POST /api/runs/math-mine-1/{action}"] = view()
    assert deployment.run("runs", action, "math-mine-1").code == 0


def test_a_run_is_resumed_with_changes(deployment: Deployment) -> None:
    deployment.answers["POST /api/runs/math-mine-1/resume"] = view()
    changes = ("--set", "budget.max_cost=2.5", "--take-over")
    deployment.run("runs", "resume", "math-mine-1", *changes)
    [request] = deployment.requests
    assert dict(request.url.params) == {"take_over": "true"}
    assert body_of(request) == {"budget": {"max_cost": 2.5}}


def test_a_run_is_deleted_only_if_a_person_or_a_script_says_so(deployment: Deployment) -> None:
    deployment.answers["DELETE /api/runs/math-mine-1"] = httpx2.Response(202, json={})
    ended = deployment.run("runs", "delete", "math-mine-1")
    assert (ended.code, deployment.requests) == (2, [])
    assert "--yes" in ended.stderr
    assert deployment.run("runs", "delete", "math-mine-1", "--yes", "--dataset").code == 0
    [request] = deployment.requests
    assert dict(request.url.params) == {"dataset": "true"}
    deployment.answers["DELETE /api/runs/math-mine-1"] = refusal(409, "run_active", "cancel it")
    assert "run_active" in deployment.run("runs", "delete", "math-mine-1", "-y").stderr


@pytest.mark.parametrize("action", ["show", "wait", "cancel", "resume", "download"])
def test_an_empty_id_as_of_a_variable_that_is_not_set_is_refused(
    deployment: Deployment, action: str
) -> None:
    deployment.answers["GET /api/runs/"] = {"runs": [], "next": None}  # the host ignores the slash
    ended = deployment.run("runs", action, "")
    assert (ended.code, deployment.requests) == (2, [])
    assert "is empty" in ended.text


def test_an_id_of_a_hostile_form_stays_one_segment_of_the_path(deployment: Deployment) -> None:
    assert deployment.run("runs", "show", "../keys?x=1").code == 1
    [request] = deployment.requests
    assert request.url.raw_path == b"/api/runs/..%2Fkeys%3Fx%3D1"


@pytest.mark.parametrize(
    ("key", "shown"), [("wrong-key-of-another", "DISTILLATION_KEY"), (None, "none was given")]
)
def test_a_wrong_or_missing_key_says_how_to_get_the_right_one(
    deployment: Deployment, key: str | None, shown: str
) -> None:
    ended = deployment.run("runs", "list", key=key)
    assert ended.code == 1
    assert shown in ended.stderr
    assert "az functionapp keys list -g <group> -n fake" in ended.stderr
    assert "wrong-key" not in ended.text


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200, text="<html>Your app is running"),
        httpx2.Response(200, json={"else": 1}),
        httpx2.Response(200, json=[]),
        httpx2.Response(302, headers={"Location": "https://login.example"}),
        httpx2.Response(404, text="<html>"),
        httpx2.Response(200, content=b"[" * 100_000),
    ],
)
def test_another_server_at_the_url_is_called_that(
    deployment: Deployment, answer: httpx2.Response
) -> None:
    deployment.answers["GET /api/runs"] = answer
    ended = deployment.run("runs", "list")
    assert (ended.code, ended.stdout) == (1, "")
    assert f"{URL} isn't this app" in ended.stderr


def test_temporary_errors_are_tried_again_for_requests_that_change_nothing(
    deployment: Deployment,
) -> None:
    busy = httpx2.Response(503, headers={"Retry-After": "7"})
    deployment.answers = {
        "GET /api/runs": [busy, {"runs": [], "next": None}],
        "POST /api/runs": [busy, STARTED],
    }
    assert deployment.run("runs", "list").code == 0
    assert deployment.clock.naps == [7]
    ended = deployment.run("runs", "start", "--set", "task=math")
    assert (ended.code, len(deployment.sent("POST", "/api/runs"))) == (6, 1)


def test_a_certificate_that_is_not_trusted_names_the_variable(deployment: Deployment) -> None:
    error = httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
    deployment.faults.append(lambda request: error)
    ended = deployment.run("runs", "pause", "x")
    assert ended.code == 6
    assert "SSL_CERT_FILE" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("start", "nothing.json"),
        ("start", "mine"),
        ("start",),
        ("start", "--set", "a"),
        ("start", "--set", "a=1", "--set", "a.b=2"),
        ("start", "--set", "task=math", "--probe", "5"),
    ],
)
def test_a_wrong_command_line_sends_nothing(
    deployment: Deployment, arguments: tuple[str, ...]
) -> None:
    ended = deployment.run("runs", *arguments)
    assert (ended.code, ended.stdout, deployment.requests) == (2, "", [])
    assert ended.stderr.startswith("error: ")


def test_datasets_are_listed_with_their_runs_and_problems(deployment: Deployment) -> None:
    problem = {"file": "Train.jsonl", "problem": "It has another case.", "remedy": "Rename it."}
    dataset: dict[str, Any] = {
        "path": "datasets/math/mine",
        "state": "usable",
        "files": [
            {"name": "train.jsonl", "size": 2_000_000},
            {"name": "validation.jsonl", "size": 0},
        ],
        "runs": [{"id": f"math-mine-{'0' * 40}", "status": "completed", "is_current": True}],
        "problems": [problem],
    }
    deployment.answers["GET /api/datasets"] = {"datasets": [dataset], "next": None}
    ended = deployment.run("datasets", "list", "--task", "math")
    run = f"math-mine-{'0' * 40} completed"  # with the rest, wider than a terminal
    for text in ("math/mine", "usable", "train.jsonl, validation.jsonl", "2.0 MB", run):
        assert text in ended.stdout
    assert "datasets/math/mine/Train.jsonl: It has another case. Rename it." in ended.stderr
