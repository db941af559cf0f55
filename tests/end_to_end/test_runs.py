"""A dataset is dropped; a fine-tuned student comes out.

For all five tasks, through the real parts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.cli.verification import check_run
from local.runtime.client import download_outputs
from shared.dataset.rows import as_jsonl
from shared.tasks import TASKS
from tests.support.app import App, durable_links, jsonl, sample, sums
from tests.support.polling import wait_for
from tests.support.receiver import Receiver


@pytest.fixture(scope="module")
def runs(app: App) -> dict[str, str]:
    """Run id by task. All five go on at the same time."""
    return {task: app.upload(task, "whole", sample(task)) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_a_dropped_dataset_becomes_a_registered_model(
    app: App, runs: dict[str, str], task: str, tmp_path: Path
) -> None:
    view = app.ended(runs[task])
    with app.storage() as storage:
        download_outputs(storage, runs[task], tmp_path)
    inputs = {
        name.removesuffix(".jsonl"): path
        for name, path in sample(task).items()
        if name != "run.json"
    }
    assert check_run(view, inputs, tmp_path) == []
    assert view["finetune"]["model"] == f"{runs[task]}:1"


def test_durables_own_status_endpoint_shows_the_same_run(app: App, runs: dict[str, str]) -> None:
    view = app.ended(runs["math"])
    status, durable, _ = app.ask("GET", durable_links(app, runs["math"])["statusQueryGetUri"])
    assert (status, durable["runtimeStatus"]) == (200, "Completed")
    for split, counts in durable["customStatus"]["splits"].items():
        assert counts == {name: view["splits"][split][name] for name in counts}
    assert durable["output"]["outputs"] == view["outputs"]


def test_no_row_passes_through_history(app: App, runs: dict[str, str]) -> None:
    app.ended(runs["conversation"])
    links = durable_links(app, runs["conversation"])
    url = f"{links['statusQueryGetUri']}&showHistory=true&showHistoryOutput=true"
    _, durable, _ = app.ask("GET", url)
    first = jsonl(sample("conversation")["train.jsonl"].read_bytes())[0]
    assert len(durable["historyEvents"]) > 10
    assert first["messages"][-1]["content"] not in str(durable)


@pytest.mark.slow
def test_bad_rows_are_listed_with_line_and_reason_and_the_rest_goes_on(app: App) -> None:
    bad = [
        b"{not json",
        b"",
        b'{"messages": []}',
        sums(1),
        b'{"messages": [{"role": "user", "content": null}]}',
    ]
    train = app.write("bad.jsonl", sums(50) + b"\n".join(line.rstrip(b"\n") for line in bad))
    run_id = app.upload("math", "bad-rows", {"train.jsonl": train})
    view = app.ended(run_id)
    assert (view["status"], view["splits"]["train"]["accepted"]) == ("completed", 50)
    rejected = [(row["line"], row["reason"]) for row in jsonl(app.read(run_id, "rejected.jsonl"))]
    expected = [
        (51, "invalid_json"),
        (53, "missing_messages"),
        (54, "duplicate"),
        (55, "invalid_content"),
    ]
    assert rejected == expected
    assert view["splits"]["train"]["rows"] == 50 + len(expected)


def test_rows_with_their_own_answers_make_a_student_without_a_request(app: App) -> None:
    rows = jsonl(sums(50, 3000))
    for number, row in enumerate(rows, 3001):
        row["messages"].append({"role": "assistant", "content": f"The answer is {number}."})
    view = app.ended(app.start("own-answers", as_jsonl(rows), answers={"source": "provided"}))
    assert view["status"] == "completed", view
    assert (view["splits"]["train"]["accepted"], view["requests"]) == (50, 0)
    assert view["finetune"]["model"]
    taught = [row["messages"][-1]["content"] for row in jsonl(app.read(view["id"], "train.jsonl"))]
    assert taught == [str(number) for number in range(3001, 3051)]


def test_too_few_rows_fail_before_the_teacher_is_asked_and_whoever_is_notified_learns_it(
    app: App, receiver: Receiver
) -> None:
    run_id = app.upload("math", "few", {"train.jsonl": app.write("few.jsonl", sums(3))})
    view = app.ended(run_id)
    assert (view["status"], view["error"]["code"], view["tokens"]["prompt"]) == (
        "failed",
        "dataset",
        0,
    )
    assert "at least 40" in view["error"]["details"][0]["problem"]
    assert not app.exists(run_id, "shards/train/00000000.jsonl")
    wait_for(lambda: run_id in str(receiver.received), "the notification of the run's end")
    [event] = [event for event in map(json.loads, receiver.bodies) if event["subject"] == run_id]
    assert event["type"] == "distillation.run.failed"
    assert event["data"]["error"] == view["error"]
    assert (
        app.ask(
            "GET", event["data"]["links"]["self"], **{"x-functions-key": app.endpoints.function_key}
        )[1]["status"]
        == "failed"
    )


def test_a_wrong_run_json_fails_the_run_with_every_problem(app: App) -> None:
    spec = app.write(
        "wrong.json",
        b'{"prompt": {"chain_of_density": true}, "teacher": {"temperature": 3}, "extra": 1}',
    )
    files = {"train.jsonl": app.write("wrong.jsonl", sums(50)), "run.json": spec}
    view = app.ended(app.upload("math", "wrong", files))
    assert view["status"] == "failed"
    assert {problem["where"] for problem in view["error"]["details"]} >= {
        "teacher.temperature",
        "extra",
    }


def test_a_run_by_http_is_the_same_as_by_upload(app: App) -> None:
    with app.storage() as storage:
        storage.get_blob_client("datasets", "shared/sums.jsonl").upload_blob(
            sums(45, 1000), overwrite=True
        )
    body: dict[str, Any] = {
        "task": "math",
        "train": "datasets/shared/sums.jsonl",
        "name": "by-http",
    }
    status, started, headers = app.ask("POST", "/api/runs", body)
    assert (status, headers["Location"]) == (202, started["links"]["self"])
    assert {"statusQueryGetUri", "terminatePostUri", "sendEventPostUri"} <= started.keys()
    view = app.ended(started["id"])
    assert (view["status"], view["name"]) == ("completed", "by-http")
    assert app.ask("POST", "/api/runs", body)[0] == 409
