"""The committed samples are what the generator writes, and what a user of fine-tuning would call a clean dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samples.make import HERE, RECIPES, write

TASKS = sorted(RECIPES)
ROLES = ["user", "assistant"]


def rows(task: str, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / task / f"{split}.jsonl").read_text().splitlines()]


def asked(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(message["content"] for message in row["messages"] if message["role"] == "user")


def test_the_generator_writes_the_committed_bytes_again(tmp_path: Path) -> None:
    written = {path.relative_to(tmp_path): path.read_bytes() for path in write(tmp_path)}
    committed = {
        path.relative_to(HERE): path.read_bytes()
        for task in TASKS
        for path in (HERE / task).iterdir()
        if path.is_file()
    }
    assert written == committed


@pytest.mark.parametrize("task", TASKS)
def test_there_are_enough_rows_for_every_gate(task: str) -> None:
    assert len(rows(task, "train")) >= 80
    assert len(rows(task, "validation")) >= 70


@pytest.mark.parametrize("task", TASKS)
def test_no_question_occurs_twice_in_a_split_or_in_both(task: str) -> None:
    questions = [asked(row) for split in ("train", "validation") for row in rows(task, split)]
    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize("task", TASKS)
def test_rows_are_shaped_as_the_data_contract_says(task: str) -> None:
    for row in rows(task, "train") + rows(task, "validation"):
        assert set(row) <= {"id", "messages", "answer"}
        messages = row["messages"]
        turns = messages[1:] if messages[0]["role"] == "system" else messages
        assert [message["role"] for message in turns] == (ROLES * len(turns))[: len(turns)]
        assert all(
            set(message) == {"role", "content"} and message["content"].strip()
            for message in messages
        )
        users = sum(message["role"] == "user" for message in turns)
        assert users in ((2, 3, 4) if task == "conversation" else (1,))
        assert not ("answer" in row and turns[-1]["role"] == "assistant")


@pytest.mark.parametrize("task", TASKS)
def test_both_usual_and_unusual_rows_occur(task: str) -> None:
    train = rows(task, "train")
    assert 0 < sum("id" not in row for row in train) < 20
    assert 0 < sum(row["messages"][0]["role"] != "system" for row in train) < 25
    endings = {row["messages"][-1]["role"] for row in train}
    assert endings == {"user", "assistant"}
    assert any("answer" in row for row in train) == (task != "conversation")


def test_articles_have_120_to_250_words_and_references_keep_the_limit() -> None:
    for row in rows("summarization", "train") + rows("summarization", "validation"):
        assert 120 <= len(asked(row)[0].split()) <= 250
        assert len(row.get("answer", "").split()) <= 60


@pytest.mark.parametrize("task", ["nli", "nlu_qa"])
def test_no_label_dominates(task: str) -> None:
    answers = [row["answer"] for row in rows(task, "train") if "answer" in row]
    assert len(set(answers)) >= 3
    assert max(answers.count(answer) for answer in set(answers)) < 0.6 * len(answers)


def test_run_specifications_show_each_setting_of_a_prompt_and_are_optional() -> None:
    found = {
        task: json.loads(path.read_text())
        for task in TASKS
        if (path := HERE / task / "run.json").is_file()
    }
    assert set(found) == set(TASKS) - {"conversation"}
    assert found["nli"]["prompt"]["chain_of_thought"] is True
    assert found["math"]["prompt"]["student_learns"] == "reasoning"
    assert found["summarization"]["prompt"]["chain_of_density"] is True
    assert found["nlu_qa"]["generation"]["rows_per_shard"] == 32
