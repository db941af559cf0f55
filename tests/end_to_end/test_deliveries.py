"""One run for each version of a dataset, however often its event is delivered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.app import App, sums
from tests.support.polling import wait_for

pytestmark = pytest.mark.slow


def test_an_event_that_is_delivered_again_starts_no_second_run(app: App) -> None:
    run_id = app.upload("math", "again", {"train.jsonl": app.write("again.jsonl", sums(45, 2000))})
    app.wait(run_id, lambda _: True)
    master = {"x-functions-key": app.endpoints.master_key}
    event = {"input": "datasets/math/again/train.jsonl"}
    for _ in range(3):
        assert app.ask("POST", "/admin/functions/dataset_uploaded", event, **master)[0] == 202
    assert app.ended(run_id)["status"] == "completed"
    assert app.ask("POST", "/admin/functions/dataset_uploaded", event, **master)[0] == 202
    assert app.run_ids("math-again-") == [run_id]
    assert app.run(run_id) == app.ended(run_id)


def test_the_same_bytes_uploaded_again_are_a_new_version_with_a_run_of_its_own(app: App) -> None:
    files = {"train.jsonl": app.write("versions.jsonl", sums(2))}
    first, second = app.upload("math", "versions", files), app.upload("math", "versions", files)
    assert first != second
    assert app.ended(second)["status"] == "failed"  # too few rows, like the first
    wait_for(lambda: second in app.run_ids("math-versions-"), "a run of the second version")


def test_files_beside_a_dataset_start_nothing(app: App) -> None:
    with app.storage() as storage:
        for name in (
            "math/beside/validation.jsonl",
            "math/beside/test.jsonl",
            "math/beside/run.json",
            "math/beside/train.jsonl.bak",
        ):
            storage.get_blob_client("datasets", name).upload_blob(b"{}", overwrite=True)
    later = app.upload("math", "later", {"train.jsonl": app.write("later.jsonl", sums(2, 50))})
    app.ended(later)  # the scan that found this one has seen the others
    assert app.run_ids("math-beside") == []


def test_a_near_miss_says_why_it_starts_nothing_until_the_right_file_comes(app: App) -> None:
    wrong = "math/nearly/Train.JSONL"
    problem_file = f"{wrong}.problem.json"
    with app.storage() as storage:
        datasets = storage.get_container_client("datasets")
        datasets.upload_blob(wrong, b"{}", overwrite=True)
        wait_for(lambda: datasets.get_blob_client(problem_file).exists(), "a problem file")
        problem = json.loads(datasets.download_blob(problem_file).readall())
        assert (problem["code"], problem["blob"]) == ("file_name", f"datasets/{wrong}")
        assert problem["use"] == "datasets/math/nearly/train.jsonl"
        (dataset,) = listed(app, "math/nearly")
        assert dataset["state"] == "unusable"
        assert dataset["problems"][0]["remedy"] == problem["remedy"]
        datasets.upload_blob("math/nearly/val.jsonl", b"{}", overwrite=True)
        datasets.upload_blob("math/nearly/train.jsonl", sums(2, 70), overwrite=True)
        wait_for(lambda: bool(app.run_ids("math-nearly-")), "the run")
        (run_id,) = app.run_ids("math-nearly-")
        view = app.ended(run_id)
        assert any("`val.jsonl` isn't read" in warning for warning in view["warnings"])
        wait_for(lambda: not datasets.get_blob_client(problem_file).exists(), "no problem file")
        names = set(datasets.list_blob_names(name_starts_with="math/nearly/"))
    own = {name for name in names if name.endswith(".problem.json")}
    assert own == {"math/nearly/val.jsonl.problem.json"}  # none about another one
    assert app.run_ids("math-nearly-") == [run_id]
    (dataset,) = listed(app, "math/nearly")
    assert (dataset["state"], dataset["runs"][0]["id"]) == ("usable", run_id)
    assert [problem["file"] for problem in dataset["problems"]] == ["val.jsonl"]


def listed(app: App, prefix: str) -> list[dict[str, Any]]:
    """Return the datasets whose path begins so."""
    status, body, _ = app.ask("GET", f"/api/datasets?prefix={prefix}")
    assert status == 200, body
    return body["datasets"]


def test_a_folder_that_names_no_task_fails_with_the_remedy(app: App) -> None:
    run_id = app.upload("poetry", "odes", {"train.jsonl": app.write("odes.jsonl", sums(45))})
    view = app.ended(run_id)
    assert view["status"] == "failed"
    assert "datasets/<task>/<name>/train.jsonl" in view["error"]["details"][0]["problem"]
