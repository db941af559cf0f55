"""The contract by which labels, choices and numbers are read: from a place that states the answer,
and from nowhere else.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks import TASKS, Answer, Unreadable
from shared.tasks.replies.reply import Reply
from tests.shared.tasks.test_reading_answers import CHOICES, NLI, PLAIN, REASONED, SUM, read

ROWS = {"math": SUM, "nli": NLI, "nlu_qa": CHOICES}
VALUES = {"math": ("41", "17"), "nli": ("neutral", "entailment"), "nlu_qa": ("B", "C")}


@pytest.mark.parametrize("task", ROWS)
@pytest.mark.parametrize(
    "reply",
    [
        "Result: §",
        "Final answer — §",
        "My answer would be §.",
        "The solution to the exercise is §.",
        "Lösung: §",
        "La réponse finale est §.",
        "La respuesta es §.",
        "Ответ: §",
        "答案：§",
        "答えは§",
        "First I look at both.\n\nSo the answer is §.",
        "# Final Answer\n\n**§**",
        "Okay!\n\n§\n\nPlease tell me if that helps.",
        "§\n§",
        "§ § §",
        "Thus: §",
        "Answer: § since nothing else fits.",
        "> Answer: §",
        "The wrong answer would be ¤. The correct answer is §.",
    ],
)
def test_an_answer_is_read_where_the_reply_states_it(task: str, reply: str) -> None:
    value, other = VALUES[task]
    assert read(task, ROWS[task], reply.replace("§", value).replace("¤", other)) == value


@pytest.mark.parametrize("task", ROWS)
@pytest.mark.parametrize(
    "reply",
    [
        "Answer: §\n\nOops, I was wrong. Answer: ¤",
        "The answer is §. Hold on, that ignores the last line.",
        "§\n\nWait, I misread it.",
        "§\n¤",
        "Answer: §\nAnswer: ¤",
        "\\boxed{§} and \\boxed{¤}",
        '{"answer": "§"} {"answer": "¤"}',
        '{"answer": "§"}\nCorrection: ¤',
        "The wrong answer is §.",
        "Not the right answer: §",
        "The answer isn't §.",
        "The answer could be §.",
        "Answer: § or ¤",
        "Somewhere in this text there is § among other things, and nothing is concluded",
    ],
)
def test_an_answer_that_is_denied_doubted_or_taken_back_is_asked_for_again(
    task: str, reply: str
) -> None:
    value, other = VALUES[task]
    text = reply.replace("§", value).replace("¤", other)
    answer = TASKS[task].read(ROWS[task], PLAIN, Reply(text))
    assert isinstance(answer, Unreadable), answer


@pytest.mark.parametrize("task", ROWS)
@pytest.mark.parametrize(
    "turn",
    [
        "User: and what about ¤?",
        "Question 2: Another one.\nAnswer: ¤",
        "Premise: It snows.\nHypothesis: It is cold.\nLabel: ¤",
        "### Instruction: say ¤\n¤",
        "Human: thanks\nAssistant: ¤",
    ],
)
def test_a_turn_that_the_teacher_invents_changes_nothing(task: str, turn: str) -> None:
    value, other = VALUES[task]
    reply = f"{value}\n\n{turn.replace('¤', other)}"
    assert read(task, ROWS[task], reply) == value


@pytest.mark.parametrize("task", ROWS)
def test_a_teacher_that_reasons_apart_needs_no_json_for_its_chain_of_thought(task: str) -> None:
    value, _ = VALUES[task]
    answer = TASKS[task].read(ROWS[task], REASONED, Reply(value, "I compare both."))
    assert answer == Answer(value, "I compare both.")


@pytest.mark.parametrize("task", ROWS)
def test_prose_that_ends_in_a_mark_is_reasoning_and_answer(task: str) -> None:
    value, _ = VALUES[task]
    reply = Reply(f"I compare both and see that little remains.\nFinal answer: {value}")
    answer = TASKS[task].read(ROWS[task], REASONED, reply)
    assert answer == Answer(value, "I compare both and see that little remains.")


@pytest.mark.parametrize("task", ROWS)
def test_a_bare_answer_without_any_reasoning_is_no_chain_of_thought(task: str) -> None:
    value, _ = VALUES[task]
    assert read(task, ROWS[task], value, REASONED) == "<unreadable>"


@pytest.mark.parametrize("task", ROWS)
@pytest.mark.parametrize(
    "conclusion", ["The final answer is §.", "So \\boxed{§}.", "Hence the answer is §."]
)
def test_a_reasoning_that_concludes_something_else_is_not_taught(
    task: str, conclusion: str
) -> None:
    value, other = VALUES[task]
    reasoning = f"I compare both. {conclusion.replace('§', other)}"
    answer = TASKS[task].read(ROWS[task], REASONED, Reply(value, reasoning))
    assert isinstance(answer, Unreadable)
    assert value in answer.detail
    agreeing = f"I compare both. {conclusion.replace('§', value)}"
    answer = TASKS[task].read(ROWS[task], REASONED, Reply(value, agreeing))
    assert isinstance(answer, Answer)


prose = st.lists(
    st.text(st.characters(categories=["Ll"], max_codepoint=0x24F), min_size=3, max_size=9),
    min_size=3,
    max_size=20,
).map(" ".join)


@pytest.mark.parametrize("task", ROWS)
@given(before=prose, after=prose)
def test_a_value_in_the_middle_of_prose_is_never_taken(task: str, before: str, after: str) -> None:
    value, _ = VALUES[task]
    text = f"{before} xyz {value} xyz {after} and more of it"
    answer = TASKS[task].read(ROWS[task], PLAIN, Reply(text))
    assert isinstance(answer, Unreadable), text


@pytest.mark.parametrize("task", ROWS)
@given(after=prose)
def test_prose_behind_an_answer_never_changes_it_into_another(task: str, after: str) -> None:
    value, _ = VALUES[task]
    answer = TASKS[task].read(ROWS[task], PLAIN, Reply(f"Answer: {value}\n\n{after}"))
    assert isinstance(answer, Unreadable) or answer.text == value
