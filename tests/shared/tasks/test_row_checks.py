"""Which rows each task takes: what is wrong with one is found before the teacher is paid."""

from __future__ import annotations

import pytest

from shared.dataset.rejection import Rejection
from shared.dataset.rows import Message, Row
from shared.tasks import TASKS

CHOICES = "Where do fish live?\n(A) in water\n(B) in trees"
QUESTION = {"nli": "Answer with 'yes' or 'no'.\nPremise: a\nHypothesis: b"}
ONE_TURN = ["nli", "nlu_qa", "math", "summarization"]


def check(task: str, *turns: str, reference: str | None = None) -> Row | Rejection:
    messages: list[Message] = []
    for position, turn in enumerate(turns):
        messages.append({"role": "assistant" if position % 2 else "user", "content": turn})
    return TASKS[task].check(Row(tuple(messages), "row-7", reference))


@pytest.mark.parametrize("task", TASKS)
def test_one_question_is_taken_by_every_task(task: str) -> None:
    checked = check(task, QUESTION.get(task, CHOICES))
    assert isinstance(checked, Row)
    assert TASKS[task].turns(checked) == 1


@pytest.mark.parametrize("task", ONE_TURN)
def test_a_final_assistant_turn_is_the_reference_answer(task: str) -> None:
    checked = check(task, QUESTION.get(task, CHOICES), "A")
    assert isinstance(checked, Row)
    assert (checked.reference, len(checked.messages), checked.id) == ("A", 1, "row-7")


@pytest.mark.parametrize("task", ONE_TURN)
def test_an_answer_field_goes_before_the_final_assistant_turn(task: str) -> None:
    checked = check(task, QUESTION.get(task, CHOICES), "A", reference="B")
    assert isinstance(checked, Row)
    assert checked.reference == "B"


@pytest.mark.parametrize("task", ONE_TURN)
def test_a_task_of_one_question_refuses_a_conversation_and_names_itself(task: str) -> None:
    checked = check(task, QUESTION.get(task, CHOICES), "A", "and now?")
    assert isinstance(checked, Rejection)
    assert (checked.reason, checked.id) == ("wrong_turns", "row-7")
    assert task in checked.detail


@pytest.mark.parametrize("turns", [1, 2, 3, 8])
def test_a_conversation_takes_any_number_of_turns(turns: int) -> None:
    checked = check("conversation", *["hello"] * turns)
    assert isinstance(checked, Row)
    assert TASKS["conversation"].turns(checked) == (turns + 1) // 2


@pytest.mark.parametrize(
    "question", ["Where do fish live?", "(A) in water", "A fish (A) or a tree (B)?"]
)
def test_a_choice_question_needs_choices_that_can_be_told_apart(question: str) -> None:
    checked = check("nlu_qa", question)
    assert isinstance(checked, Rejection)
    assert (checked.reason, checked.id) == ("no_choices", "row-7")


@pytest.mark.parametrize(
    "question",
    [CHOICES, "Where?\nA) here\nB) there", "Where?\n  A. here\n  B. there", "?\nA: x\nB: y"],
)
def test_choices_are_seen_in_each_usual_spelling(question: str) -> None:
    assert isinstance(check("nlu_qa", question), Row)
