"""Runs that go on after they ended, and runs that are only tried: by HTTP, as their users do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.cli.verification import check_run
from local.runtime.client import download_outputs
from tests.support.app import App, jsonl, requests_of_rows, sums

SLOW: dict[str, Any] = {"teacher": {"concurrency": 1}, "generation": {"rows_per_shard": 20}}


def test_a_cancelled_run_is_resumed_to_its_end_and_asks_no_row_twice(
    app: App, tmp_path: Path
) -> None:
    rows = sums(60, 100_000)
    run_id = app.start("stopped", rows, **SLOW, holdout={"fraction": 0.2})
    app.wait(
        run_id, lambda view: view["stage"] == "generate" and view["splits"]["train"]["done"] > 0
    )
    assert app.ask("POST", f"/api/runs/{run_id}/resume")[0] == 409
    assert app.ask("POST", f"/api/runs/{run_id}/cancel")[0] == 202
    stopped = app.ended(run_id)
    assert (stopped["status"], stopped["splits"]["train"]["done"] < 60) == ("cancelled", True)
    before = {record["line"]: record for record in app.journal_records(run_id)}
    app.resume(run_id, teacher={"concurrency": 32})
    view = app.ended(run_id)
    assert (view["status"], view["report"]["round"]) == ("completed", 1)
    after = app.journal_records(run_id)
    assert requests_of_rows(view) == sum(record["requests"] for record in after)
    assert sorted(record["line"] for record in after) == list(range(1, 61))
    assert [record for record in after if record["line"] in before] == list(before.values())
    with app.storage() as storage:
        download_outputs(storage, run_id, tmp_path)
    assert check_run(view, {"train": app.write("stopped.jsonl", rows)}, tmp_path) == []
    assert (
        view["splits"]["train"]["held_out"]
        == len(jsonl((tmp_path / "validation.jsonl").read_bytes()))
        > 0
    )
    assert view["finetune"]["job"] == run_id  # the first that was submitted


@pytest.mark.slow
def test_a_completed_run_tells_its_report_and_is_fine_tuned_again_when_resumed(app: App) -> None:
    run_id = app.start("twice", sums(45, 101_000) + b"{\n")
    view = app.ended(run_id)
    assert view["status"] == "completed"
    assert [(line["reason"], line["rows"]) for line in view["report"]["reasons"]] == [
        ("invalid_json", 1)
    ]
    assert view["report"]["datasets"]["train"]["other_answers"] == 45 - 20
    assert view["report"]["outputs"]["train"]["lines"] == 45
    dataset = app.read(run_id, "train.jsonl")
    app.resume(run_id, student={"hyperparameters": {"num_train_epochs": 2}})
    again = app.ended(run_id)
    assert (again["status"], again["finetune"]["job"]) == ("completed", f"{run_id}-2")
    assert requests_of_rows(again) == requests_of_rows(view)
    assert app.read(run_id, "train.jsonl") == dataset


@pytest.mark.slow
def test_a_run_over_its_budget_ends_before_the_teacher_is_asked_and_goes_on_with_a_higher_one(
    app: App,
) -> None:
    run_id = app.start("dear", sums(45, 102_000), budget={"max_requests": 5, "max_tokens": 10})
    view = app.ended(run_id)
    assert (view["status"], view["error"]["code"], view["requests"]) == ("failed", "budget", 0)
    assert [problem["where"] for problem in view["error"]["details"]] == [
        "budget.max_requests",
        "budget.max_tokens",
    ]
    app.resume(run_id, budget={"max_requests": 5000, "max_tokens": 500_000})
    assert app.ended(run_id)["status"] == "completed"


def test_what_cannot_be_resumed_is_told_with_every_problem(app: App) -> None:
    assert app.ask("POST", "/api/runs/math-nothing-0123456789ab/resume")[0] == 404
    run_id = app.start("refused", sums(2, 103_000))
    app.ended(run_id)
    refused: list[tuple[Any, set[str]]] = [
        ({"prompt": {"chain_of_thought": True}, "train": "datasets/x.jsonl"}, {"prompt", "train"}),
        (
            {"teacher": {"temperature": 9}, "quality": {"samples": 3}},
            {"teacher.temperature", "quality.samples"},
        ),
        ([], {"body"}),
    ]
    for body, places in refused:
        status, answer, _ = app.ask("POST", f"/api/runs/{run_id}/resume", body)
        assert (status, {problem["where"] for problem in answer["error"]["details"]}) == (
            422,
            places,
        )
    assert app.ended(run_id)["status"] == "failed"


def test_a_dry_run_tells_what_a_run_would_find_and_starts_none(app: App) -> None:
    train = app.put("tried", sums(5, 104_000) + b"{\n")
    prices = {"prompt_price": 2, "completion_price": 8}
    body: dict[str, Any] = {"task": "math", "name": "tried", "train": train, "budget": prices}
    status, found, _ = app.ask("POST", "/api/runs?dry_run=true", body)
    assert (status, found["dry_run"]) == (200, True)
    assert found["splits"]["train"] == {
        "rows": 6,
        "valid": 5,
        "shards": 1,
        "rejected": {"invalid_json": 1},
    }
    assert (found["estimate"]["requests"], found["estimate"]["cost"] > 0) == (5, True)
    assert [row["line"] for row in found["rejected_rows"]] == [6]
    assert found["error"]["code"] == "dataset"
    assert app.run_ids("math-tried-") == []


def test_a_dry_run_that_may_not_have_been_meant_as_one_starts_no_run(app: App) -> None:
    body = {"task": "math", "name": "doubtful", "train": app.put("doubtful", sums(2, 105_000))}
    status, answer, _ = app.ask("POST", "/api/runs?dry_run=perhaps", body)
    assert (status, answer["error"]["details"][0]["where"]) == (400, "dry_run")
    assert app.run_ids("math-doubtful-") == []
