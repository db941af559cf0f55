"""The HTTP API: keys, errors of one shape with all problems at once, listings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.app import App, sums

ROUTES = [
    ("POST", "/api/runs"),
    ("GET", "/api/runs"),
    ("GET", "/api/runs/math-x"),
    ("POST", "/api/runs/math-x/cancel"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("key", ["", "wrong"])
def test_no_route_answers_without_the_right_key(app: App, method: str, path: str, key: str) -> None:
    assert app.ask(method, path, **{"x-functions-key": key})[0] == 401


def test_the_system_key_opens_durables_api_and_not_ours(app: App) -> None:
    system = {"x-functions-key": app.endpoints.system_key}
    assert app.ask("GET", "/api/runs", **system)[0] == 401
    nobody = "/runtime/webhooks/durabletask/instances/nobody"
    assert app.ask("GET", nobody, **system)[0] == 404
    assert app.ask("GET", nobody)[0] == 401


def problems_of(body: Any) -> dict[str, str]:
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "details"}
    return {detail["where"]: detail["problem"] for detail in body["error"]["details"]}


def test_a_wrong_specification_is_answered_with_every_problem_at_once(app: App) -> None:
    body = {
        "task": "math",
        "train": "datasets/../secrets.jsonl",
        "prompt": {"chain_of_density": True, "tone": "kind"},
        "teacher": {"temperature": 9, "max_tokens": "many"},
        "student": {"backend": "abacus"},
        "colour": "blue",
    }
    status, answer, _ = app.ask("POST", "/api/runs", body)
    assert status == 422
    expected = {
        "train",
        "prompt.tone",
        "teacher.temperature",
        "teacher.max_tokens",
        "student.backend",
        "colour",
    }
    assert expected <= problems_of(answer).keys()
    assert any("chain_of_density" in where for where in problems_of(answer))


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"\xff\xfe", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/json", 422),
        (b'{"task": "' + b"x" * 300_000 + b'"}', "application/json", 413),
    ],
    ids=["no-json", "list", "null", "no-utf8", "media-type", "empty", "too-large"],
)
def test_a_body_that_cannot_be_used_gets_the_status_that_fits(
    app: App, body: bytes, content_type: str, status: int
) -> None:
    given, answer, _ = app.ask("POST", "/api/runs", body, **{"Content-Type": content_type})
    assert given == status
    problems_of(answer)


@pytest.mark.parametrize(
    "train",
    [
        "https://example.com/x.jsonl",
        "datasets/x.jsonl?sig=abc",
        "/datasets/x.jsonl",
        "other/x.jsonl",
        "datasets/",
    ],
)
def test_a_dataset_is_named_by_its_path_in_the_storage_account_alone(app: App, train: str) -> None:
    status, answer, _ = app.ask("POST", "/api/runs", {"task": "math", "train": train})
    assert (status, "train" in problems_of(answer)) == (422, True)


def test_a_dataset_that_does_not_exist_is_404_for_both_files(app: App) -> None:
    body = {
        "task": "math",
        "train": "datasets/none/train.jsonl",
        "validation": "datasets/none/validation.jsonl",
    }
    status, answer, _ = app.ask("POST", "/api/runs", body)
    assert (status, problems_of(answer).keys()) == (404, {"train", "validation"})


def test_a_run_that_does_not_exist_is_404(app: App) -> None:
    assert app.ask("GET", "/api/runs/math-nothing-0123456789ab")[0] == 404
    assert app.ask("POST", "/api/runs/math-nothing-0123456789ab/cancel")[0] == 404


def test_a_sub_orchestration_is_no_run(app: App) -> None:
    run_id = app.upload("math", "sub", {"train.jsonl": app.write("sub.jsonl", sums(45, 500))})
    app.ended(run_id)
    assert app.ask("GET", f"/api/runs/{run_id}:finetune")[0] == 404


def test_a_wrong_query_is_answered_with_every_problem(app: App) -> None:
    status, answer, _ = app.ask("GET", "/api/runs?status=great&limit=0&since=yesterday&page=2")
    assert (status, problems_of(answer).keys()) == (400, {"status", "limit", "since", "page"})


def test_runs_are_listed_page_by_page_and_filtered(app: App) -> None:
    names = [f"page-{number}" for number in range(3)]
    files = {
        name: app.write(f"{name}.jsonl", sums(2, 100 * number)) for number, name in enumerate(names)
    }
    ids: list[str] = []
    for name, path in files.items():
        ids.insert(0, app.upload("math", name, {"train.jsonl": path}))
        app.ended(ids[0])  # as failed: too few rows
    first = app.ask("GET", "/api/runs?prefix=math-page-&limit=2")[1]
    rest = app.ask("GET", f"/api/runs?prefix=math-page-&limit=2&after={first['next']}")[1]
    assert [run["id"] for run in first["runs"] + rest["runs"]] == ids
    assert rest["next"] is None
    failed = app.ask("GET", "/api/runs?prefix=math-page-&status=failed&task=math")[1]["runs"]
    assert [run["id"] for run in failed] == ids
    [found] = app.ask("GET", "/api/runs?dataset=math/page-1")[1]["runs"]
    assert (found["id"], found["dataset"]) == (ids[1], "datasets/math/page-1/train.jsonl")
    assert app.ask("GET", "/api/runs?prefix=math-page-&status=completed")[1]["runs"] == []
    assert app.ask("GET", "/api/runs?prefix=math-page-&since=2999-01-01T00:00:00Z")[1]["runs"] == []
