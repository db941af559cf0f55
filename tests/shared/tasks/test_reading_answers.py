"""Replies that models really write, read to the one value that the student should learn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.rows import Row
from shared.tasks import TASKS, Answer, Unreadable, split_reply
from shared.tasks.prompt_spec import PromptSpec

PLAIN = PromptSpec()
REASONED = PromptSpec(chain_of_thought=True)
DENSE = PromptSpec(chain_of_density=True, max_summary_words=10)


def row(user: str, system: str | None = None) -> Row:
    messages = [{"role": "user", "content": user}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    return Row(tuple(messages))  # pyright: ignore[reportArgumentType]


def checked(task: str, *texts: str) -> Row:
    """The row of a user message and a system prompt, as its task takes it."""
    taken = TASKS[task].check(row(*texts))
    assert isinstance(taken, Row), taken
    return taken


NLI = checked(
    "nli",
    "Premise: It rains.\nHypothesis: It is 'wet'.",
    "Answer with one of 'entailment', 'contradiction', 'neutral'.",
)
YES_NO = checked(
    "nli", "Premise: a\nHypothesis: b", "Your output should be one of the labels 'yes' or 'no'."
)
CHOICES = checked(
    "nlu_qa",
    "Question: Where do fish live?\nAnswer Choices:\n(A) in water\n(B) in trees\n(C) on the moon",
)
SUM = row("How many apples are left?")


def read(task: str, given_row: Row, reply: str, prompt: PromptSpec = PLAIN) -> str:
    """The answer's text, or the reason in brackets."""
    answer = TASKS[task].read(given_row, prompt, split_reply(reply))
    return answer.text if isinstance(answer, Answer) else f"<{answer.reason}>"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("entailment", "entailment"),
        ("Entailment.", "entailment"),
        ("**Neutral**", "neutral"),
        ("Label: contradiction", "contradiction"),
        ("The answer is entailment because it rains.", "entailment"),
        ("```\nneutral\n```", "neutral"),
        ("<think>contradiction? no.</think>entailment", "entailment"),
        ("The premise contradicts the hypothesis.", "contradiction"),
        ("entailed", "entailment"),
        ("entailment or neutral", "<invalid_label>"),
        ("This is not an entailment.", "<invalid_label>"),
        ("maybe", "<invalid_label>"),
        ("", "<empty>"),
        ("<think>I wonder", "<empty>"),
        ("I'm sorry, but I can't help with that.", "<refused>"),
    ],
)
def test_a_label_is_read_however_it_is_dressed(reply: str, expected: str) -> None:
    assert read("nli", NLI, reply) == expected


def test_labels_are_those_that_the_prompt_names() -> None:
    assert read("nli", YES_NO, "Yes") == "yes"
    assert read("nli", YES_NO, "entailment") == "<invalid_label>"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("A", "A"),
        ("(b)", "B"),
        ("C.", "C"),
        ("Answer: B", "B"),
        ("The correct answer is (A).", "A"),
        ("(A) in water", "A"),
        ("in trees", "B"),
        ("B) in trees, of course", "B"),
        ("A or B", "<invalid_choice>"),
        ("D", "<invalid_choice>"),
        ("A fish lives there", "<invalid_choice>"),
    ],
)
def test_a_choice_is_read_by_letter_or_by_text(reply: str, expected: str) -> None:
    assert read("nlu_qa", CHOICES, reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("7", "7"),
        ("-12", "-12"),
        ("$1,234.50", "1234.5"),
        ("The answer is 42.", "42"),
        ("3 + 4 = 7", "7"),
        ("5.00", "5"),
        ("\\boxed{18}", "18"),
        ("3 bags of 4 are\n#### 12", "12"),
        ("12 apples", "12"),
        ("3/4", "0.75"),
        ("1/3", "1/3"),
        ("3 and 4", "<no_number>"),
        ("many", "<no_number>"),
        ("-0", "0"),
    ],
)
def test_a_number_is_read_in_one_canonical_form(reply: str, expected: str) -> None:
    assert read("math", SUM, reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        '{"reasoning": "2 and 5 make 7", "answer": "7"}',
        '```json\n{"reasoning": "2 and 5 make 7", "answer": 7}\n```',
        'Sure! {"reasoning": "2 and 5 make 7", "answer": "7",} Hope it helps.',
        '<think>{"answer": 3}</think>{"reasoning": ["2 and 5 make 7"], "answer": "$7"}',
    ],
)
def test_chain_of_thought_is_read_from_its_json_object(reply: str) -> None:
    assert TASKS["math"].read(SUM, REASONED, split_reply(reply)) == Answer("7", "2 and 5 make 7")


def test_chain_of_thought_without_its_json_object_is_unreadable() -> None:
    assert read("math", SUM, '{"answer": "7"}', REASONED) == "<unreadable>"


def test_a_summary_over_the_word_limit_is_not_accepted_and_says_by_how_much() -> None:
    summary = " ".join(f"word{number}" for number in range(11))
    task = TASKS["summarization"]
    answer = task.read(SUM, DENSE, split_reply(f'{{"steps": [{{"summary": "{summary}"}}]}}'))
    assert answer == Answer(summary)
    problem = task.checked(SUM, DENSE, [], Answer(summary), [])
    assert isinstance(problem, Unreadable)
    assert "11 words, the limit is 10" in problem.detail


def test_chain_of_density_gives_the_last_summary() -> None:
    reply = (
        '{"steps": [{"missing_entities": ["x"], "summary": "first"}, '
        '{"missing_entities": [], "summary": "last"}]}'
    )
    assert read("summarization", SUM, reply, DENSE) == "last"


DENSER = '{"missing_entities": [], "summary": "last"}'


@pytest.mark.parametrize(
    "reply",
    [
        f'[{{"Missing_Entities": "x", "Denser_Summary": "first"}}, {DENSER}]',
        f'{{"result": {{"steps": [{{"summary": "first"}}, {DENSER}]}}}}',
        f'{{"step_1": {{"summary": "first"}}, "step_2": {DENSER}}}',
        '{"steps": [{"summary": "first"}], "final_summary": "last"}',
        '{"steps": [{"summary": "first"}, {"summary": "Summary: last"}]}',
    ],
)
def test_the_steps_of_a_chain_of_density_have_several_forms(reply: str) -> None:
    assert read("summarization", SUM, reply, DENSE) == "last"


@pytest.mark.parametrize(
    "reply",
    [
        '{"steps": [{"summary": "first"}, {"missing_entities": ["x"], "summ',
        '{"steps": [{"summary": "first"}, {"summary": ""}]}',
        '{"steps": [{"summary": "first"}, {"summary": null}]}',
        '{"steps": []}',
    ],
)
def test_no_earlier_summary_takes_the_place_of_a_missing_last_one(reply: str) -> None:
    assert read("summarization", SUM, reply, DENSE) == "<unreadable>"


@pytest.mark.parametrize(
    ("reply", "reasoning"),
    [
        ("### Reasoning\nTwo and two.\n\n### Answer\n4", "Two and two."),
        ("**Reasoning:** Two and two.\n\n**Answer:** 4", "Two and two."),
        ("reasoning: |\n  Two and two.\nanswer: 4", "Two and two."),
        ("Two and two make four.\nSo the answer is 4.", "Two and two make four."),
        ("Two and two. So the answer is 4.", "Two and two. So the answer is 4."),
        ("Add. So $2 + 2 = \\boxed{4}$.", "Add. So $2 + 2 = \\boxed{4}$."),
    ],
)
def test_the_reasoning_of_prose_is_kept_in_whole_sentences(reply: str, reasoning: str) -> None:
    row = Row(({"role": "user", "content": "2 + 2?"},))
    answer = TASKS["math"].read(row, REASONED, split_reply(reply))
    assert answer == Answer("4", reasoning)


def test_empty_conversation_turns_are_never_training_data() -> None:
    assert read("conversation", SUM, " \n ") == "<empty>"


@given(task=st.sampled_from(sorted(TASKS)), reply=st.text(max_size=200), reasoned=st.booleans())
def test_any_reply_gives_a_value_or_a_named_reason(task: str, reply: str, reasoned: bool) -> None:
    prompt = REASONED if reasoned and "chain_of_thought" in TASKS[task].prompt_settings else PLAIN
    answer = TASKS[task].read(CHOICES, prompt, split_reply(reply))
    assert answer.text if isinstance(answer, Answer) else answer.reason


@given(
    value=st.sampled_from(["entailment", "neutral", "contradiction"]),
    dress=st.sampled_from(
        ["{}", "```\n{}\n```", "<think>hm</think>\n{}", "  {}\n\n", "Answer: {}", "**{}**"]
    ),
)
def test_dressing_a_valid_answer_never_changes_what_is_read(value: str, dress: str) -> None:
    assert read("nli", NLI, dress.format(value)) == value
