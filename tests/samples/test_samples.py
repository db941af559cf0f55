"""The samples are clean datasets, as a user of fine-tuning would expect, and each row has an answer
in its task's key.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.emulators.teacher.answer_key import SAMPLES, AnswerKey
from shared.tasks import TASKS
from tests.support.teacher import rows

ROLES = ["user", "assistant"]
SPLITS = ("train", "validation")


def sample_rows(task: str, *splits: str) -> list[dict[str, Any]]:
    return [row for split in splits or SPLITS for row in rows(SAMPLES / task / f"{split}.jsonl")]


def questions(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(message["content"] for message in row["messages"] if message["role"] == "user")


def reference(row: dict[str, Any]) -> str | None:
    last = row["messages"][-1]
    return last["content"] if last["role"] == "assistant" else row.get("answer")


@pytest.mark.parametrize("task", TASKS)
def test_there_are_enough_rows_for_every_gate(task: str) -> None:
    assert len(sample_rows(task, "train")) >= 80
    assert len(sample_rows(task, "validation")) >= 70


@pytest.mark.parametrize("task", TASKS)
def test_no_question_occurs_twice_in_a_split_or_in_both(task: str) -> None:
    asked = [questions(row) for row in sample_rows(task)]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("task", TASKS)
def test_every_user_turn_has_an_answer_in_the_key(task: str) -> None:
    key = AnswerKey([SAMPLES / task / "key.jsonl"])
    for row in sample_rows(task):
        asked = questions(row)
        for turn in range(1, len(asked) + 1):
            assert key.find(asked[:turn]), asked[:turn]


@pytest.mark.parametrize("task", ["nli", "nlu_qa", "math"])
def test_the_key_agrees_with_every_reference_and_gives_reasoning(task: str) -> None:
    key = AnswerKey([SAMPLES / task / "key.jsonl"])
    referenced = [row for row in sample_rows(task) if reference(row) is not None]
    assert len(referenced) >= 80
    for row in referenced:
        answer = key.find(questions(row))
        assert answer is not None
        assert answer.text == reference(row)
        assert answer.text in answer.reasoning


@pytest.mark.parametrize("task", TASKS)
def test_rows_are_shaped_as_the_data_contract_says(task: str) -> None:
    for row in sample_rows(task):
        assert set(row) <= {"id", "messages", "answer"}
        messages = row["messages"]
        turns = messages[1:] if messages[0]["role"] == "system" else messages
        assert [message["role"] for message in turns] == (ROLES * len(turns))[: len(turns)]
        for message in messages:
            assert set(message) == {"role", "content"}
            assert message["content"].strip()
        assert len(questions(row)) in ((2, 3, 4) if task == "conversation" else (1,))
        assert not ("answer" in row and turns[-1]["role"] == "assistant")


@pytest.mark.parametrize("task", TASKS)
def test_both_usual_and_unusual_rows_occur(task: str) -> None:
    train = sample_rows(task, "train")
    assert 0 < sum("id" not in row for row in train) < 20
    assert 0 < sum(row["messages"][0]["role"] != "system" for row in train) < 25
    endings = {row["messages"][-1]["role"] for row in train}
    assert endings == {"user", "assistant"}
    assert any("answer" in row for row in train) == (task != "conversation")


def test_articles_have_120_to_250_words_and_references_keep_the_limit() -> None:
    for row in sample_rows("summarization"):
        assert 120 <= len(questions(row)[0].split()) <= 250
        assert len(row.get("answer", "").split()) <= 60


@pytest.mark.parametrize("task", ["nli", "nlu_qa"])
def test_no_label_dominates(task: str) -> None:
    answers = [row["answer"] for row in sample_rows(task, "train") if "answer" in row]
    assert len(set(answers)) >= 3
    assert max(answers.count(answer) for answer in set(answers)) < 0.6 * len(answers)


def test_run_specifications_show_each_setting_of_a_prompt_and_are_optional() -> None:
    specs: dict[str, Any] = {}
    for path in SAMPLES.glob("*/run.json"):
        specs[path.parent.name] = json.loads(path.read_text())
    assert set(specs) == set(TASKS) - {"conversation"}
    assert specs["nli"]["prompt"]["chain_of_thought"] is True
    assert specs["math"]["prompt"]["student_learns"] == "reasoning"
    assert specs["summarization"]["prompt"]["chain_of_density"] is True
    assert specs["nlu_qa"]["generation"]["rows_per_shard"] == 32
