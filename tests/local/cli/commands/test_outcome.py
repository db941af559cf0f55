"""What is told of a run that has ended: what it made and where, or what was wrong."""

from __future__ import annotations

from pathlib import Path

from local.cli.commands.outcome import outcome_lines
from tests.support.views import counts, view

FOLDER = Path("/data/runs/nli-mine")


def test_a_good_run_tells_rows_tokens_model_and_files() -> None:
    ended = view(
        "nli-mine",
        splits={"train": counts(96, 96, rejected=2), "validation": counts(8, 8)},
        tokens={"prompt": 12_000, "completion": 345},
        finetune={"status": "completed", "model": "azureml:student:1"},
    )
    assert [line.strip() for line in outcome_lines(ended, FOLDER, [])] == [
        "ok      nli-mine",
        "rows: train 96/96 (2 rejected), validation 8/8; 12.3k tokens",
        "model: azureml:student:1",
        "files: /data/runs/nli-mine",
    ]


def test_a_run_without_a_student_says_so_in_place_of_a_model() -> None:
    ended = view("nli-mine", splits={"train": counts(3, 3)}, datasets_only=True)
    lines = [line.strip() for line in outcome_lines(ended, FOLDER, [])]
    assert lines[2:-1] == ["datasets only: student is null, so no model was trained"]


def test_the_rows_of_a_test_set_are_told_apart_from_those_that_were_answered() -> None:
    splits = {"train": counts(96, 96), "test": {**counts(20, 2, rejected=2), "not_asked": 18}}
    lines = outcome_lines(view("nli-mine", splits=splits), FOLDER, [])
    assert "rows: train 96/96, test 18 kept for evaluation; 0 tokens" in lines[1]


def test_a_bad_run_tells_each_problem_and_where_its_files_are() -> None:
    assert [
        line.strip() for line in outcome_lines(view("nli-mine"), FOLDER, ["ended as failed", "x"])
    ] == [*("FAILED  nli-mine", "ended as failed", "x", "files: /data/runs/nli-mine")]
