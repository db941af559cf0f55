"""The teacher gets and the student learns the row's own words, never the user's answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.rows import Message, Row
from shared.tasks import TASKS, Answer
from shared.tasks.prompt_spec import PromptSpec
from shared.tasks.prompts import STUDENT_REASONING

SYSTEM = "Answer with 'yes' or 'no', in lower case, and be kind."
QUESTION = "Does it rain?"
PLAIN = PromptSpec()
REASONED = PromptSpec(chain_of_thought=True)
LEARNED = PromptSpec(chain_of_thought=True, student_learns="reasoning")
DENSE = PromptSpec(chain_of_density=True, max_summary_words=33)


def row(*turns: str, system: str | None = SYSTEM) -> Row:
    """Turns are from the user and the assistant by turns."""
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    for position, turn in enumerate(turns):
        messages.append({"role": "assistant" if position % 2 else "user", "content": turn})
    return Row(tuple(messages))


def sent(
    task: str,
    asked: Row,
    prompt: PromptSpec = PLAIN,
    answers: tuple[str, ...] = (),
    complaint: str | None = None,
) -> list[tuple[str, str]]:
    given_answers = [Answer(text) for text in answers]
    messages = TASKS[task].teacher_messages(asked, prompt, given_answers, complaint)
    return [(message["role"], message["content"]) for message in messages]


def learned(
    task: str, asked: Row, *answers: Answer, prompt: PromptSpec = PLAIN, system_role: bool = True
) -> list[tuple[str, str]]:
    messages = TASKS[task].student_messages(asked, prompt, answers, system_role=system_role)
    return [(message["role"], message["content"]) for message in messages]


@pytest.mark.parametrize("task", ["nli", "nlu_qa", "math", "conversation"])
def test_a_plain_question_reaches_the_teacher_as_it_is(task: str) -> None:
    assert sent(task, row(QUESTION)) == [("system", SYSTEM), ("user", QUESTION)]
    assert sent(task, row(QUESTION, system=None)) == [("user", QUESTION)]


@pytest.mark.parametrize(
    ("task", "prompt"),
    [("nli", REASONED), ("nlu_qa", REASONED), ("math", REASONED), ("summarization", DENSE)],
)
def test_instructions_are_added_to_the_rows_own_prompt_and_replace_nothing(
    task: str, prompt: PromptSpec
) -> None:
    (role, system), user = sent(task, row(QUESTION), prompt)
    assert (role, user) == ("system", ("user", QUESTION))
    assert system.startswith(SYSTEM)
    assert "JSON" in system.removeprefix(SYSTEM)
    (role, alone), user = sent(task, row(QUESTION, system=None), prompt)
    assert (role, user, alone) == (
        "system",
        ("user", QUESTION),
        system.removeprefix(SYSTEM).lstrip(),
    )


def test_the_teacher_is_told_the_word_limit() -> None:
    for prompt in (DENSE, PromptSpec(max_summary_words=33)):
        assert "33 words" in sent("summarization", row(QUESTION), prompt)[0][1]


def test_the_word_limit_of_the_run_is_told_only_where_it_is_set_and_the_row_has_none() -> None:
    limited = row(QUESTION, system="Summarize in at most 120 words.")
    assert sent("summarization", limited, PromptSpec(max_summary_words=33)) == sent(
        "summarization", limited
    )
    assert sent("summarization", row(QUESTION)) == [("system", SYSTEM), ("user", QUESTION)]
    lower = row(QUESTION, system="Use at least 10 words.")
    system = sent("summarization", lower, PromptSpec(max_summary_words=33))[0][1]
    assert system.endswith("at most 33 words.")


@pytest.mark.parametrize("task", TASKS)
def test_a_second_try_says_what_was_wrong_with_the_first(task: str) -> None:
    complaint = "the reply names several labels"
    first, second = sent(task, row(QUESTION)), sent(task, row(QUESTION), complaint=complaint)
    assert complaint not in str(first)
    assert complaint in second[0][1]
    assert second[0][1].startswith(SYSTEM)
    assert second[1:] == first[1:]


@pytest.mark.parametrize("task", TASKS)
def test_the_users_own_answer_is_never_sent(task: str) -> None:
    checked = TASKS[task].check(row("Is (A) it?\n(A) yes\n(B) no", "my own answer"))
    assert isinstance(checked, Row)
    assert "my own answer" not in str(sent(task, checked))


def test_a_conversation_is_continued_from_the_teachers_own_turns() -> None:
    asked = row("one", "the user's own reply", "two", "another one", "three")
    assert TASKS["conversation"].turns(asked) == 3
    assert sent("conversation", asked) == [("system", SYSTEM), ("user", "one")]
    assert sent("conversation", asked, answers=("uno", "due")) == [
        ("system", SYSTEM),
        ("user", "one"),
        ("assistant", "uno"),
        ("user", "two"),
        ("assistant", "due"),
        ("user", "three"),
    ]


def test_the_student_learns_the_rows_own_prompt_without_our_instructions() -> None:
    expected = [("system", SYSTEM), ("user", QUESTION), ("assistant", "yes")]
    for prompt in (PLAIN, REASONED):
        assert learned("nli", row(QUESTION), Answer("yes", "it is wet"), prompt=prompt) == expected


def test_the_student_learns_the_reasoning_where_that_is_asked_for() -> None:
    [*_, (role, text)] = learned("nli", row(QUESTION), Answer("yes", "It is wet."), prompt=LEARNED)
    assert role == "assistant"
    assert text.startswith("It is wet.")
    assert text.endswith("yes")


def test_an_answer_without_reasoning_is_learned_alone() -> None:
    assert learned("nli", row(QUESTION), Answer("yes"), prompt=LEARNED)[-1] == ("assistant", "yes")


def test_a_student_without_a_system_role_reads_it_in_the_first_user_turn_only() -> None:
    asked = row("one", "x", "two")
    answers = (Answer("uno"), Answer("due"))
    assert learned("conversation", asked, *answers, system_role=False) == [
        ("user", f"{SYSTEM}\n\none"),
        ("assistant", "uno"),
        ("user", "two"),
        ("assistant", "due"),
    ]


def test_a_student_without_a_system_role_reads_a_row_without_one_unchanged() -> None:
    assert learned("nli", row(QUESTION, system=None), Answer("yes"), system_role=False) == [
        ("user", QUESTION),
        ("assistant", "yes"),
    ]


PIRATE = "You speak like a pirate."


def test_a_text_for_the_teacher_follows_the_rows_own_prompt_or_replaces_it() -> None:
    appended = PromptSpec(teacher_system=PIRATE)
    replaced = PromptSpec(teacher_system=PIRATE, teacher_system_mode="replace")
    assert sent("math", row(QUESTION), appended)[0] == ("system", f"{SYSTEM}\n\n{PIRATE}")
    assert sent("math", row(QUESTION, system=None), appended)[0] == ("system", PIRATE)
    assert sent("math", row(QUESTION), replaced)[0] == ("system", PIRATE)
    for prompt in (appended, replaced):
        assert learned("math", row(QUESTION), Answer("1"), prompt=prompt)[0] == ("system", SYSTEM)


def test_our_instructions_follow_the_text_for_the_teacher_in_every_request() -> None:
    prompt = PromptSpec(teacher_system=PIRATE, teacher_system_mode="replace", chain_of_thought=True)
    last = TASKS["math"].last_request(row(QUESTION), prompt, [], "it was empty")
    requests = [sent("math", row(QUESTION), prompt)[0][1]]
    requests += [messages[0]["content"] for messages in (last.messages, last.unformatted or [])]
    for system in requests:
        assert system.startswith(f"{PIRATE}\n\n")
        assert SYSTEM not in system
        assert "step by step" in system


def test_a_text_for_the_student_follows_the_rows_own_prompt_or_replaces_it() -> None:
    appended = PromptSpec(student_system=PIRATE)
    replaced = PromptSpec(student_system=PIRATE, student_system_mode="replace")
    answer = Answer("1")
    for prompt, system in ((appended, f"{SYSTEM}\n\n{PIRATE}"), (replaced, PIRATE)):
        assert learned("math", row(QUESTION), answer, prompt=prompt)[0] == ("system", system)
        merged = learned("math", row(QUESTION), answer, prompt=prompt, system_role=False)
        assert merged[0] == ("user", f"{system}\n\n{QUESTION}")
        assert sent("math", row(QUESTION), prompt)[0] == ("system", SYSTEM)


def test_a_student_that_learns_the_reasoning_is_told_that_it_comes_before_the_answer() -> None:
    terse = row(QUESTION, system="Answer with one word only.")
    example = learned("nli", terse, Answer("yes", "It is wet."), prompt=LEARNED)
    system = example[0][1]
    assert system.startswith("Answer with one word only.\n\n")
    assert "last line `Answer: <answer>`" in system
    assert example[-1][1].splitlines()[-1] == "Answer: yes"
    alone = learned("nli", row(QUESTION, system=None), Answer("yes", "Wet."), prompt=LEARNED)
    assert alone[0] == ("system", STUDENT_REASONING)
    assert STUDENT_REASONING not in str(sent("nli", terse, LEARNED))


def test_a_text_of_the_users_keeps_or_replaces_the_sentence_about_the_reasoning() -> None:
    learns: dict[str, Any] = {"chain_of_thought": True, "student_learns": "reasoning"}
    appended = PromptSpec(**learns, student_system=PIRATE)
    replaced = PromptSpec(**learns, student_system=PIRATE, student_system_mode="replace")
    answer = Answer("yes", "It is wet.")
    assert learned("nli", row(QUESTION), answer, prompt=appended)[0][1] == (
        f"{SYSTEM}\n\n{PIRATE}\n\n{STUDENT_REASONING}"
    )
    assert learned("nli", row(QUESTION), answer, prompt=replaced)[0][1] == PIRATE


turns = st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=7)


@given(given_turns=turns, system=st.none() | st.just(SYSTEM), system_role=st.booleans())
def test_roles_take_turns_and_every_user_turn_is_answered(
    given_turns: list[str], system: str | None, system_role: bool
) -> None:
    asked = row(*given_turns, system=system)
    answers = tuple(Answer(f"answer {n}") for n in range(TASKS["conversation"].turns(asked)))
    example = learned("conversation", asked, *answers, system_role=system_role)
    roles = [role for role, _ in example if role != "system"]
    assert roles == ["user", "assistant"] * len(answers)
    assert [text for role, text in example if role == "assistant"] == [
        answer.text for answer in answers
    ]
    assert (example[0][0] == "system") == (system is not None and system_role)
