"""What goes to the student is right, and what does not is explained: with a teacher that errs in
every way it can.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.bootstrap import ROOT
from local.cli.verification import check_run
from local.runtime.client import download_outputs
from shared.dataset.rows import as_jsonl
from shared.tasks import TASKS
from tests.support.app import App, jsonl, serving

DATA = ROOT.parent / "shared" / "data"
FAULTS = (
    "--malformed-rate=0.1",
    "--truncated-rate=0.05",
    "--empty-rate=0.03",
    "--refused-rate=0.02",
)
NAMED_REASONS = re.compile(r"[a-z0-9_]+")


def is_label(messages: list[dict[str, str]]) -> bool:
    return messages[-1]["content"] in ("entailment", "neutral", "contradiction")


def is_choice(messages: list[dict[str, str]]) -> bool:
    letter, question = messages[-1]["content"], messages[-2]["content"]
    return len(letter) == 1 and re.search(rf"(?m)^\W*{letter}\W", question) is not None


def is_number(messages: list[dict[str, str]]) -> bool:
    return Decimal(messages[-1]["content"]).is_finite()


def is_short(messages: list[dict[str, str]]) -> bool:
    return 0 < len(messages[-1]["content"].split()) <= 80


def is_dialogue(messages: list[dict[str, str]]) -> bool:
    return (
        all(message["content"].strip() for message in messages)
        and messages[-1]["role"] == "assistant"
    )


VALID: dict[str, Callable[[list[dict[str, str]]], bool]] = {
    "nli": is_label,
    "nlu_qa": is_choice,
    "math": is_number,
    "summarization": is_short,
    "conversation": is_dialogue,
}


@pytest.fixture(scope="module")
def erring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with serving(tmp_path_factory.mktemp("trust"), *FAULTS) as app:
        yield app


@pytest.fixture(scope="module")
def runs(erring: App) -> dict[str, str]:
    return {task: erring.upload(task, "real", files_of(task)) for task in TASKS}


def files_of(task: str) -> dict[str, Path]:
    return {name: DATA / task / name for name in ("train.jsonl", "validation.jsonl")}


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="the real datasets are not beside the checkout")
@pytest.mark.parametrize("task", TASKS)
def test_real_rows_are_all_accounted_for_and_what_is_accepted_is_valid(
    erring: App, runs: dict[str, str], task: str, tmp_path: Path
) -> None:
    view = erring.ended(runs[task])
    with erring.storage() as storage:
        download_outputs(storage, runs[task], tmp_path)
    inputs = {name.removesuffix(".jsonl"): path for name, path in files_of(task).items()}
    assert check_run(view, inputs, tmp_path) == []
    for name in ("train.jsonl", "validation.jsonl"):
        rows = jsonl((tmp_path / name).read_bytes())
        assert [row for row in rows if not VALID[task](row["messages"])] == []
    rejected = jsonl((tmp_path / "rejected.jsonl").read_bytes())
    assert all(NAMED_REASONS.fullmatch(row["reason"]) and row["detail"] for row in rejected)
    report = json.loads((tmp_path / "report.json").read_text())
    assert sum(line["rows"] for line in report["reasons"]) == len(rejected)


def word_problems(count: int) -> bytes:
    """Additions with reference answers that are spelled in their own way."""
    rows: list[dict[str, Any]] = []
    for number in range(count):
        have, more = 11 + number // 50, 1200 + number % 50
        question = (
            f"A shop has {have} apples and buys {more} more. How many apples does it have now?"
        )
        rows.append(
            {"messages": [{"role": "user", "content": question}], "answer": f"{have + more:,}.0"}
        )
    return as_jsonl(rows)


def wrong_answers(rows: list[dict[str, Any]]) -> int:
    sums = [sum(map(int, re.findall(r"\d+", row["messages"][-2]["content"]))) for row in rows]
    return sum(
        row["messages"][-1]["content"] != str(right) for row, right in zip(rows, sums, strict=True)
    )


@pytest.fixture(scope="module", params=["first execution", "second execution"])
def mistaken(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """The app beside a teacher that is wrong one time in five, made anew for each execution."""
    with serving(tmp_path_factory.mktemp("mistaken"), "--wrong-rate=0.2") as app:
        yield app


seen: dict[str, str] = {}  # hash of the datasets of the first execution


@pytest.mark.slow
@pytest.mark.parametrize(
    ("select", "samples", "least", "most_wrong"),
    [("reference", 4, 1980, 0), ("majority", 5, 1850, 28)],
)
def test_choosing_among_answers_mends_a_teacher_that_is_often_wrong(
    mistaken: App, select: str, samples: int, least: int, most_wrong: int
) -> None:
    spec = json.dumps({"quality": {"select": select, "samples": samples}}).encode()
    files = {
        "train.jsonl": mistaken.write("sums.jsonl", word_problems(2000)),
        "run.json": mistaken.write("q.json", spec),
    }
    run_id = mistaken.upload("math", select, files)
    assert mistaken.ended(run_id)["status"] == "completed"
    content = mistaken.read(run_id, "train.jsonl")
    rows = jsonl(content)
    assert len(rows) >= least
    assert wrong_answers(rows) <= most_wrong
    digest = hashlib.sha256(content).hexdigest()
    assert seen.setdefault(select, digest) == digest, "two executions gave different datasets"
