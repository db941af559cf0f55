"""For every reply: markup never changes an answer, doubt is never a value, nothing raises."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.dataset.rows import Row
from shared.tasks import TASKS, Answer, Unreadable, split_reply
from tests.shared.tasks.test_reading_answers import CHOICES, NLI, PLAIN, REASONED, SUM, read

SHORT: dict[str, tuple[Row, tuple[str, ...]]] = {
    "nli": (NLI, ("entailment", "neutral", "contradiction")),
    "nlu_qa": (CHOICES, ("A", "B", "C")),
    "math": (SUM, ("7", "-12", "1234.5", "0.25", "1/3", "0", "-7/3", "1000000")),
}
Wrapper = Callable[[str], str]


def dress(*forms: str) -> list[Wrapper]:
    """Each form has one place for the answer, written §."""
    return [lambda text, form=form: form.replace("§", text) for form in forms]


FENCES = dress("§", "```\n§\n```", "~~~text\n§\n~~~", "```markdown\n§\n```\n", " \n\t§ \r\n")
THINKING = dress(
    "§",
    "<think>It could be neutral, B or 99.</think>\n§",
    "<think>neutral? <think>(B)?</think> Answer: 99</think>§",
    "I count 99, so (B)? neutral?\n</think>\n\n§",
    "§\n<think>Answer: 99, (B), neutral",
)


def around(fence: Wrapper, thinking: Wrapper) -> Wrapper:
    return lambda text: thinking(fence(text))


OUTER = [
    around(fence, thinking) for fence in FENCES for thinking in THINKING
]  # around a whole reply of any task
AROUND_SHORT = dress(  # around a short answer
    "**§**",
    "`§`",
    '"§"',
    "“§”",
    "__§__",
    "§.",
    "```json\n§\n```",
    "Sure! Here is the answer:\n```\n§\n```\nLet me know if you need anything else.",
    "Sure! Here is what I found.\n\n§\n\nLet me know if 3 more (or B, or neutral) would help.",
    "§\n\nExplanation: it is not 99, not (B), and not neutral or contradiction.",
)
MARKED = dress(  # a mark beside a short answer; dress of both may go around it
    "Answer: §",
    "**Answer:** §",
    "answer = §",
    "The final answer is §.",
    "It may seem to be 99, or (B), or neutral.\n\nThe correct answer is **§**.",
    "One might say 41 and 58, (A) or (B), neutral or not. Final answer: §",
    "The answer is 99? No.\nThe final answer is: §",
    "Answer:\n\n§",
    "The answer to the question is §. That was all there is to say.",
    "So \\boxed{§}.",
    "Not 99, (B) or neutral: $\\boxed{\\text{§}}$",
    "<answer>§</answer>",
    '{"answer": "§"}',
    '{"note": ["neutral", 99, "(B)",], "answer": "§",}',
    'Sure! {"Answer": "§"} That is not 99 or neutral.',
    "#### §",
)


@pytest.mark.parametrize("task", SHORT)
@given(data=st.data())
def test_no_dress_changes_what_is_read(task: str, data: st.DataObject) -> None:
    row, values = SHORT[task]
    value = data.draw(st.sampled_from(values))
    inner = data.draw(st.sampled_from([*AROUND_SHORT[:6], *dress("§")]))
    reply = data.draw(st.sampled_from([*AROUND_SHORT, *MARKED]))(inner(value).replace('"', "'"))
    reply = data.draw(st.sampled_from(OUTER))(reply)
    assert read(task, row, reply) == value, reply


@pytest.mark.parametrize("task", SHORT)
@given(data=st.data())
def test_no_dress_changes_a_reasoned_answer(task: str, data: st.DataObject) -> None:
    row, values = SHORT[task]
    value = data.draw(st.sampled_from(values))
    reasoning = data.draw(
        st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40).filter(str.strip)
    )
    said = data.draw(st.sampled_from([*AROUND_SHORT[:5], *MARKED[:5]]))(value)
    reply = json.dumps(
        {"reasoning": reasoning, "answer": said}, ensure_ascii=data.draw(st.booleans())
    )
    around = dress(
        "§",
        "```json\n§\n```",
        "Sure! Here it is: §\nLet me know!",
        '{"note": "99"}\n§',
        "\\frac{1}{2} §",
    )
    reply = data.draw(st.sampled_from(around))(
        reply if data.draw(st.booleans()) else reply[:-1] + ",\n}"
    )
    reply = data.draw(st.sampled_from(OUTER))(reply)
    answer = TASKS[task].read(row, REASONED, split_reply(reply))
    assert answer == Answer(value, reasoning.strip())


sentences = st.text(st.characters(categories=["L"]), min_size=1, max_size=8)
prose = (
    st.lists(sentences, min_size=2, max_size=12)
    .map(lambda words: " ".join(words) + ".")
    .filter(lambda t: len(t) > 8)
)


@pytest.mark.parametrize("task", ["conversation", "summarization"])
@given(text=prose, wrapper=st.sampled_from(OUTER))
def test_no_dress_changes_prose(task: str, text: str, wrapper: Wrapper) -> None:
    assert read(task, SUM, wrapper(text)) == text


@given(
    text=prose,
    wrapper=st.sampled_from(
        dress(
            "Sure! Here is a summary:\n\n§\n\nLet me know if you want a shorter one.",
            "**Summary:**\n§",
            '{"summary": "§"}',
            'Here it is: {"answer": "§",}',
            '"§"',
            "**§**",
            "§ (12 words)",
        )
    ),
)
def test_what_is_said_around_a_summary_is_no_part_of_it(text: str, wrapper: Wrapper) -> None:
    assert read("summarization", SUM, wrapper(text)) == text


def test_code_in_a_conversation_stays_code() -> None:
    reply = "```python\nprint(1)\n```"
    assert read("conversation", SUM, reply) == reply


HEDGES = dress(
    "either § or ¤",
    "§ or ¤",
    "§ and ¤",
    "§, ¤",
    "§\nor\n¤",
    "(§) or (¤)",
    "not §",
    "It is not §.",
    "§?",
    "maybe §",
    "Answer: § or ¤",
    "Answer: maybe §",
    "The answer is not §.",
    "\\boxed{§} or \\boxed{¤}",
    "Answer: §\n\n¤",
)


@pytest.mark.parametrize("task", SHORT)
@given(data=st.data())
def test_an_answer_that_hedges_is_no_answer(task: str, data: st.DataObject) -> None:
    row, values = SHORT[task]
    values = [value for value in values if "/" not in value]
    one, other = data.draw(st.permutations(values))[:2]
    reply = data.draw(st.sampled_from(HEDGES))(one).replace("¤", other)
    reply = data.draw(st.sampled_from(OUTER))(reply)
    answer = TASKS[task].read(row, PLAIN, split_reply(reply))
    assert isinstance(answer, Unreadable), reply


def spellings(number: Fraction) -> list[str]:
    """Ways to write a number that a teacher might use."""
    negative, size = number < 0, abs(number)
    texts = [
        f"{size.numerator}/{size.denominator}",
        f"{size.numerator * 6} / {size.denominator * 6}",
    ]
    texts += [f"\\frac{{{size.numerator}}}{{{size.denominator}}}"]
    if size.denominator == 1:
        texts += [
            f"{size.numerator}",
            f"{size.numerator:,}",
            f"{size.numerator:,}.00",
            f"{size.numerator}.",
            f"0{size}",
        ]
        texts += [
            f"{size.numerator}e0",
            f"{size.numerator}0 × 10^{{-1}}",
            f"{size.numerator:,}.0 apples per child",
        ]
        texts += [
            f"{size.numerator}%",
            f"{size.numerator}\\%",
            f"{size.numerator:,}\\text{{ km}}",
            f"{size.numerator} cm^2",
        ]
    minus = ["-", "−", "–", "-$"] if negative else ["", "+", "$", "€ ", "x = ", "total = "]
    return [
        f"{sign}{text}" for sign in minus for text in texts if not ("$" in sign and "frac" in text)
    ]


@given(
    top=st.integers(-(10**9), 10**9),
    bottom=st.sampled_from([1, 1, 1, 2, 3, 4, 5, 7, 8, 12, 100, 128]),
)
@example(top=-1, bottom=2)
def test_equal_numbers_have_equal_texts(top: int, bottom: int) -> None:
    number = Fraction(top, bottom)
    texts = {read("math", SUM, spelling) for spelling in spellings(number)}
    assert len(texts) == 1, texts
    text = texts.pop()
    assert Fraction(text) == number
    assert read("math", SUM, text) == text
