"""A finished run's answers for another student: by HTTP, through the whole app, with the teacher's
own log as witness.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.cli.verification import check_run
from local.runtime.client import download_outputs
from tests.support.app import App, jsonl, requests_of_rows, serving, sums

PHI_4 = "azureml://registries/azureml/models/Phi-4/versions/7"
PHI_MEDIUM = "azureml://registries/azureml/models/Phi-3-medium-4k-instruct/versions/1"


def problems_of(answer: Any) -> dict[str, str]:
    return {problem["where"]: problem["problem"] for problem in answer["error"]["details"]}


@pytest.mark.slow
def test_a_run_for_another_student_asks_the_teacher_nothing_but_whether_it_is_there(
    tmp_path: Path,
) -> None:
    log = tmp_path / "teacher.jsonl"
    with serving(tmp_path, f"--log={log}") as app:
        first = app.start("bought", sums(45, 200_000))
        assert app.ended(first)["status"] == "completed"
        before = len(jsonl(log.read_bytes()))

        spec: dict[str, Any] = {"reuse": first, "student": {"model": PHI_MEDIUM}}
        train = app.put("again", sums(45, 200_000))
        body = {
            "task": "math",
            "name": "again",
            "train": train,
            "budget": {"max_requests": 1},
            **spec,
        }
        _, found, _ = app.ask("POST", "/api/runs?dry_run=true", body)
        assert (
            found["splits"]["train"]["reused"],
            found["estimate"]["requests"],
            found["error"],
        ) == (45, 0, None)
        status, started, _ = app.ask("POST", "/api/runs", body)
        assert status == 202, started
        view = app.ended(started["id"])
        assert view["status"] == "completed", view
        assert len(jsonl(log.read_bytes())) == before + 1  # the preflight
        assert (
            view["splits"]["train"]["reused"],
            requests_of_rows(view),
            view["tokens"]["completion"],
        ) == (45, 0, view["preflight"]["completion_tokens"])
        assert view["finetune"]["job"] == started["id"]
        assert app.read(started["id"], "train.jsonl") == app.read(first, "train.jsonl")
        with app.storage() as storage:
            download_outputs(storage, started["id"], tmp_path / "out")
        assert (
            check_run(
                view, {"train": app.write("again.jsonl", sums(45, 200_000))}, tmp_path / "out"
            )
            == []
        )

        more = app.start("more", sums(48, 200_000), reuse=started["id"], student={"model": PHI_4})
        view = app.ended(more)
        counts = view["splits"]["train"]
        assert (view["status"], counts["accepted"], counts["reused"]) == ("completed", 48, 45)
        asked = [record for record in app.journal_records(more) if record.get("requests")]
        assert sorted(record["line"] for record in asked) == [46, 47, 48]
        assert len(jsonl(log.read_bytes())) == before + 1 + view["requests"]  # all are counted


def test_a_run_that_cannot_be_reused_is_refused_with_its_place_and_remedy(app: App) -> None:
    train = app.put("refusing", sums(2, 201_000))
    body: dict[str, Any] = {"task": "math", "train": train}
    other = app.start("of-math", sums(2, 202_000))
    wrong = [
        (
            {"reuse": "math-nothing-0123456789ab"},
            404,
            "run math-nothing-0123456789ab doesn't exist",
        ),
        ({"reuse": "../of-math"}, 422, "should match pattern"),
        ({"reuse": other, "task": "nli"}, 422, "has task math: name a run of task nli"),
    ]
    for change, status, told in wrong:
        for query in ("", "?dry_run=true"):
            given, answer, _ = app.ask("POST", f"/api/runs{query}", {**body, **change})
            assert (given, list(problems_of(answer))) == (status, ["reuse"])
            assert told in problems_of(answer)["reuse"]
    assert app.run_ids("math-refusing-") == app.run_ids("nli-refusing-") == []
    app.ended(other)


def test_an_upload_that_names_a_run_that_is_not_there_fails_before_the_teacher_is_asked(
    app: App,
) -> None:
    files = {
        "run.json": app.write("reuse/run.json", b'{"reuse": "math-nothing-0123456789ab"}'),
        "train.jsonl": app.write("reuse/train.jsonl", sums(45, 203_000)),
    }
    view = app.ended(app.upload("math", "unfounded", files))
    assert (view["status"], view["error"]["code"], view["requests"]) == ("failed", "not_found", 0)
    assert problems_of(view)["reuse"].startswith("run ")
