"""Provided answers: what a row brings is read turn by turn, as a teacher's replies are."""

from __future__ import annotations

from typing import Any

import pytest

from shared.dataset.rejection import Rejection
from shared.dataset.rows import Message, Row
from shared.tasks import TASKS, Answer, Unreadable
from shared.tasks.checked_answers import provided_answers
from shared.tasks.prompt_spec import PromptSpec


def conversation(*turns: str) -> Row:
    messages: list[Message] = []
    for position, turn in enumerate(turns):
        messages.append({"role": "assistant" if position % 2 else "user", "content": turn})
    row = Row(tuple(messages)).with_provided_answer()
    assert isinstance(row, Row)
    return row


def answers_of(row: Row, task: str = "conversation", **prompt: Any) -> list[Answer] | Unreadable:
    return provided_answers(TASKS[task], row, PromptSpec(**prompt), ())


def test_every_assistant_turn_is_an_answer_without_its_dress() -> None:
    row = conversation(
        "Hello, who are you?", "A shop assistant.<|im_end|>", "Are you open?", "Until six."
    )
    assert answers_of(row) == [Answer("A shop assistant."), Answer("Until six.")]
    assert TASKS["conversation"].student_messages(
        row, PromptSpec(), [Answer("A shop assistant."), Answer("Until six.")], system_role=True
    ) == [
        {"role": "user", "content": "Hello, who are you?"},
        {"role": "assistant", "content": "A shop assistant."},
        {"role": "user", "content": "Are you open?"},
        {"role": "assistant", "content": "Until six."},
    ]


@pytest.mark.parametrize("bad_turn", [1, 2])
def test_a_bad_turn_anywhere_rejects_the_conversation_and_is_named(bad_turn: int) -> None:
    turns = ["Until six.", "Until six."]
    turns[bad_turn - 1] = "I'm sorry, but I can't help with that."
    answers = answers_of(conversation("Are you open?", turns[0], "And on Sundays?", turns[1]))
    assert isinstance(answers, Unreadable)
    assert answers.reason == "refused"
    assert answers.detail.startswith(f"assistant turn {bad_turn} of 2: ")


def test_a_row_that_ends_with_the_user_has_no_answer() -> None:
    row = Row(({"role": "user", "content": "Are you open?"},), id="a").with_provided_answer()
    assert isinstance(row, Rejection)
    assert (row.reason, row.id) == ("no_answer", "a")


def test_conversations_that_differ_in_an_earlier_answer_ask_for_different_ones() -> None:
    rows = [
        conversation("Open?", "Yes.", "And now?", "Yes."),
        conversation("Open?", "No.", "And now?", "No."),
        conversation("Open?", "Yes.", "And now?", "No."),
    ]
    hashes = [row.question_hash(with_answers=True) for row in rows]
    assert hashes[0] != hashes[1]
    assert hashes[0] == hashes[2]


def test_a_row_that_is_kept_for_evaluation_is_the_same_question_with_its_answer_or_without() -> (
    None
):
    row = conversation("Open?", "Yes.", "And now?", "Yes.")
    answer: Message = {"role": "assistant", "content": "No."}
    evaluated = Row((*row.messages, answer))
    assert evaluated.question_hash(with_answers=True) == row.question_hash(with_answers=True)
