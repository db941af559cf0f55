"""The demo's exit code: a good run has no problems, and every kind of damage is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.cli.verification import check_run, rows_in
from tests.support.views import View, counts, view

RUN_ID = "nli-mine-0123456789ab"
ROW = json.dumps(
    {"messages": [{"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "5"}]}
)
REJECTED = json.dumps({"split": "train", "line": 3, "reason": "not_json", "detail": "x"})


@dataclass
class Run:
    """A run of 5 + 2 rows, of which one was rejected, as it should be; tests damage it."""

    folder: Path
    inputs: tuple[str, ...] = ("train", "validation")
    view: View = field(
        default_factory=lambda: view(
            RUN_ID,
            status="completed",
            stage="done",
            splits={"train": counts(5, 5, rejected=1), "validation": counts(2, 2)},
            finetune={"status": "completed", "model": "azureml:student:1"},
        )
    )

    def __post_init__(self) -> None:
        (self.folder / "in").mkdir()
        (self.folder / "out").mkdir()
        self.put("in/train", *["row"] * 5)
        self.put("in/validation", "row", "", "row")
        self.put("out/train.jsonl", *[ROW] * 4)
        self.put("out/validation.jsonl", *[ROW] * 2)
        self.put("out/rejected.jsonl", REJECTED)
        self.put("out/report.json", json.dumps({"run": RUN_ID, "status": "completed"}))

    def put(self, name: str, *lines: str) -> None:
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def problems(self) -> list[str]:
        inputs = {split: self.folder / "in" / split for split in self.inputs}
        return check_run(self.view, inputs, self.folder / "out")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_run_as_it_should_be_has_no_problems(run: Run) -> None:
    assert run.problems() == []


def test_a_run_that_ends_with_its_datasets_needs_no_model(run: Run) -> None:
    run.view.update(finetune=None, datasets_only=True)
    assert run.problems() == []


def test_a_run_may_reject_nothing(run: Run) -> None:
    run.put("out/rejected.jsonl")
    run.put("out/train.jsonl", *[ROW] * 5)
    run.view["splits"]["train"] = counts(5, 5)
    assert run.problems() == []


def test_rows_that_are_not_needed_have_no_example_and_no_reason(run: Run) -> None:
    run.put("out/train.jsonl", *[ROW] * 3)
    run.view["splits"]["train"] = {**counts(5, 4, rejected=1), "not_needed": 1}
    assert run.problems() == []
    run.put("out/train.jsonl", *[ROW] * 2)
    assert (
        "train: 5 rows went in, but 2 came out and 1 were rejected, and 1 were not needed"
        in run.problems()
    )


def test_a_row_may_make_several_examples(run: Run) -> None:
    run.view["splits"]["train"]["examples"] = 6
    run.put("out/train.jsonl", *[ROW] * 6)
    assert run.problems() == []
    run.put("out/train.jsonl", *[ROW] * 5)
    assert "train: 5 rows went in, but 3 came out and 1 were rejected" in run.problems()


@pytest.fixture
def held_out(run: Run) -> Run:
    """A run of five rows without a validation set: two of its four accepted rows are held out."""
    run.view["splits"] = {"train": {**counts(5, 5, rejected=1), "held_out": 2}}
    run.inputs = ("train",)
    run.put("out/train.jsonl", *[ROW] * 2)
    return run


def test_rows_that_were_held_out_have_come_out_too(held_out: Run) -> None:
    assert held_out.problems() == []


def test_held_out_rows_that_are_not_in_the_validation_set_are_lost(held_out: Run) -> None:
    held_out.put("out/validation.jsonl", ROW)
    assert held_out.problems() == [
        "train: 2 rows were held out, but validation.jsonl has 1",
        "train: 5 rows went in, but 3 came out and 1 were rejected",
        "train: the status says {'rows': 5, 'done': 5, 'accepted': 4, 'rejected': 1}, "
        "the files say {'rows': 5, 'done': 5, 'accepted': 3, 'rejected': 1}",
    ]
    held_out.remove("out/validation.jsonl")
    assert "validation.jsonl is missing" in held_out.problems()


def test_rows_of_a_test_set_are_rejected_or_kept_for_evaluation(run: Run) -> None:
    run.inputs = (*run.inputs, "test")
    run.put("in/test", *["row"] * 4)
    run.put("out/rejected.jsonl", REJECTED, REJECTED.replace("train", "test"))
    run.view["splits"]["test"] = {**counts(4, 1, rejected=1), "accepted": 0, "not_asked": 3}
    assert run.problems() == []
    run.view["splits"]["test"]["not_asked"] = 2
    [problem] = run.problems()
    assert problem.startswith("test: the status says")


DAMAGE: dict[str, tuple[Callable[[Run], object], str]] = {
    "lost row": (
        lambda run: run.put("out/train.jsonl", *[ROW] * 3),
        "train: 5 rows went in, but 3 came out and 1 were rejected",
    ),
    "doubled row": (
        lambda run: run.put("out/validation.jsonl", *[ROW] * 3),
        "validation: 2 rows went in, but 3 came out and 0 were rejected",
    ),
    "rejection of the wrong split": (
        lambda run: run.put("out/rejected.jsonl", REJECTED.replace("train", "validation")),
        "train: 5 rows went in, but 4 came out and 0 were rejected",
    ),
    "training set missing": (lambda run: run.remove("out/train.jsonl"), "train.jsonl is missing"),
    "validation set missing": (
        lambda run: run.remove("out/validation.jsonl"),
        "validation.jsonl is missing",
    ),
    "training row damaged": (
        lambda run: run.put("out/train.jsonl", ROW, "{}", ROW, ROW),
        "train.jsonl:2: has keys [] instead of messages alone",
    ),
    "status counts other rows": (
        lambda run: run.view["splits"].update(train=counts(6, 5, rejected=1)),
        "train: the status says {'rows': 6",
    ),
    "status counts fewer accepted": (
        lambda run: run.view["splits"]["train"].update(accepted=3),
        "train: the status says {'rows': 5, 'done': 5, 'accepted': 3",
    ),
    "status is not done": (
        lambda run: run.view["splits"]["validation"].update(done=1),
        "validation: the status says {'rows': 2, 'done': 1",
    ),
    "split unknown to the status": (
        lambda run: run.view["splits"].pop("validation"),
        "validation: the status says None, the files say {'rows': 2",
    ),
    "rejections missing": (
        lambda run: run.remove("out/rejected.jsonl"),
        "rejected.jsonl is missing",
    ),
    "rejections cut": (
        lambda run: run.put("out/rejected.jsonl", REJECTED[:9]),
        "rejected.jsonl cannot be read",
    ),
    "rejections without split": (
        lambda run: run.put("out/rejected.jsonl", "{}"),
        "rejected.jsonl cannot be read",
    ),
    "rejections of another kind": (
        lambda run: run.put("out/rejected.jsonl", "[]"),
        "rejected.jsonl cannot be read",
    ),
    "report missing": (lambda run: run.remove("out/report.json"), "report.json is missing"),
    "report cut": (
        lambda run: run.put("out/report.json", '{"run": '),
        "report.json cannot be read",
    ),
    "report of another kind": (
        lambda run: run.put("out/report.json", "[]"),
        "report.json cannot be read",
    ),
    "report without status": (
        lambda run: run.put("out/report.json", json.dumps({"run": RUN_ID})),
        "report.json cannot be read",
    ),
    "report of another run": (
        lambda run: run.put(
            "out/report.json", json.dumps({"run": "nli-other", "status": "completed"})
        ),
        "report.json is of run nli-other, status completed",
    ),
    "report of a failure": (
        lambda run: run.put("out/report.json", json.dumps({"run": RUN_ID, "status": "failed"})),
        f"report.json is of run {RUN_ID}, status failed",
    ),
    "no fine-tuning": (lambda run: run.view.update(finetune=None), "no model was registered"),
    "no model": (
        lambda run: run.view.update(finetune={"status": "running"}),
        "no model was registered (fine-tuning status: running)",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_a_problem_with_a_name(run: Run, what: str) -> None:
    damage, problem = DAMAGE[what]
    damage(run)
    assert [text for text in run.problems() if problem in text], run.problems()


@pytest.mark.parametrize("status", ["failed", "cancelled", "terminated"])
def test_a_run_that_did_not_complete_says_so_and_why(run: Run, status: str) -> None:
    run.view["status"] = status
    assert run.problems() == [f"ended as {status}"]
    details = [
        {"where": "prompt.x", "problem": "is unknown"},
        {"where": "train", "problem": "is empty"},
    ]
    run.view["error"] = {
        "code": "specification",
        "message": "run.json is wrong",
        "details": details,
    }
    assert run.problems() == [
        f"ended as {status}: run.json is wrong (specification)\n"
        "      prompt.x: is unknown\n      train: is empty"
    ]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", 0),
        (b"\n\n", 0),
        (b"{}", 1),
        (b"{}\n{}\n", 2),
        (b"{}\r\n\r\n{}\r\n", 2),
        (b" \t\n{}", 1),
        (b"\xef\xbb\xbf{}\n", 1),
        (b"\xef\xbb\xbf\n{}\n", 1),
        ('{"text": "a\u2028b\x85c"}\n'.encode(), 1),
    ],
)
def test_rows_are_lines_that_are_not_blank(tmp_path: Path, content: bytes, rows: int) -> None:
    (tmp_path / "train.jsonl").write_bytes(content)
    assert rows_in(tmp_path / "train.jsonl") == rows
