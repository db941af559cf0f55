"""JSON in replies: slips with one meaning are read, others asked again, nothing is invented."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks import Unreadable
from shared.tasks.replies.json_replies import (
    ReasonedAnswer,
    answer_object,
    beside_objects,
    reasoned_object,
    value_of,
)

BOTH = ReasonedAnswer("two and two", "4")


@pytest.mark.parametrize(
    "text",
    [
        '{"reasoning": "two and two", "answer": "4"}',
        '{"answer": 4, "reasoning": "two and two"}',
        'Here: {"reasoning": "two and two", "answer": "4"} Bye.',
        '```json\n{\n  "reasoning": "two and two",\n  "answer": "4",\n}\n```',
        '{"REASONING": "two and two", "Final Answer": "4"}',
        '{"chainOfThought": "two and two", "finalAnswer": "4"}',
        '{"Begründung": "two and two", "Antwort": "4"}',
        '{"推理": "two and two", "答案": "4"}',
        '{"reasoning": "two and two", /* sum */ "answer": "4"}',
        '{\n  // think\n  "reasoning": "two and two", # first\n  "answer": "4"\n}',
        '{\\"reasoning\\": \\"two and two\\", \\"answer\\": \\"4\\"}',
        '"{\\"reasoning\\": \\"two and two\\", \\"answer\\": \\"4\\"}"',
        '"reasoning": "two and two",\n"answer": "4"',
        '"reasoning": "two and two", "answer": "4"}',
        '{"items": [{"reasoning": "two and two", "answer": "4"}]}',
        '{"reasoning": "two and two", "answer": {"value": 4}}',
        '{"reasoning": {"step_1": "two and two"}, "answer": "4"}',
        '{"reasoning": [{"step": 1, "text": "two and two"}], "answer": "4"}',
        "{'reasoning': 'two and two', 'answer': '4'}",
        "{“reasoning”: “two and two”, “answer”: “4”}",
        '{reasoning: "two and two", answer: 4}',
        '{"reasoning": "two and two"\n "answer": "4"}',
        '{"rationale": ["two and two"], "label": ["4"]}',
        '{"output": {"reasoning": "two and two", "answer": "4"}}',
        '{"ok": true, "data": {"reasoning": "two and two", "answer": "4"}}',
        '[{"reasoning": "two and two", "answer": "4"}]',
        '{"reasoning": "two and two", "answer": "4", "confidence": None}',
        '{"thought": "two and two", "answer": "4"}\n{"thought": "two and two", "answer": "4"}',
    ],
)
def test_reasoning_and_answer_are_read_through_slips_of_form(text: str) -> None:
    assert reasoned_object(text) == BOTH


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ('{"reasoning": "she said "yes" twice", "answer": "4"}', 'she said "yes" twice'),
        ("{'reasoning': 'it's the boys' turn', 'answer': '4'}", "it's the boys' turn"),
        ('{"reasoning": "it\\\'s so", "answer": "4"}', "it's so"),
        ('{"reasoning": "one\ntwo", "answer": "4",}', "one\ntwo"),
        ('{"reasoning": ["one", "two",], "answer": "4"}', "one\ntwo"),
        ('{"reasoning": "\\ud83d\\ude00 \\ud800", "answer": "4"}', "😀 \ufffd"),
    ],
)
def test_reasoning_comes_back_as_it_was_meant(text: str, reasoning: str) -> None:
    assert reasoned_object(text) == ReasonedAnswer(reasoning, "4")


@pytest.mark.parametrize(
    ("inside", "meant"),
    [
        (r"so \frac{1}{2} \times 4 = \text{two}", r"so \frac{1}{2} \times 4 = \text{two}"),
        (r"\beta \neq \rho, \tau \to \nu", r"\beta \neq \rho, \tau \to \nu"),
        (r"\boxed{4} \underline{x} \right) \%", r"\boxed{4} \underline{x} \right) \%"),
        (r"\\frac{1}{2} \\times 4", r"\frac{1}{2} \times 4"),
        (r"\\frac{1}{2} \times 4", r"\frac{1}{2} \times 4"),
        (r"one\ntwo\nnext\n\nThen\tthe end", "one\ntwo\nnext\n\nThen\tthe end"),
        (r"one\neither\nnothing\ttimesheet", "one\neither\nnothing\ttimesheet"),
        (r"it is\nless than \\alpha\nu = 5", "it is\nless than \\alpha\nu = 5"),
        (r"it is\nless than 5", "it is\nless than 5"),
        (r"\(3 \nmid 5\)", r"\(3 \nmid 5\)"),
        (r"so $\nexists$ one", r"so $\nexists$ one"),
        (r"A.\nu = 5", "A.\nu = 5"),
        (r"\uplus \unlhd \u00e9", r"\uplus \unlhd é"),
        (r"\begin{cases} a \\ b \end{cases}", r"\begin{cases} a \\ b \end{cases}"),
        (r"\\begin{cases} a \\\\ b \\end{cases}", r"\begin{cases} a \\ b \end{cases}"),
        (r"C:\\new\\table \u0041", "C:\\new\\table A"),
        (r"\sqrt{16} \alpha", r"\sqrt{16} \alpha"),
    ],
)
def test_latex_keeps_its_backslashes_and_line_breaks_stay_line_breaks(
    inside: str, meant: str
) -> None:
    assert reasoned_object(f'{{"reasoning": "{inside}", "answer": "4"}}') == ReasonedAnswer(
        meant, "4"
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"answer": "4"}', "4"),
        ('{"answer": 4.50}', "4.50"),
        ('{"answer": 123456789012345678901234567890}', "123456789012345678901234567890"),
        ('{"answer": true}', "true"),
        ("{'answer': True}", "true"),
        ('{"answer": 3/4,}', "3/4"),
        ('{"answer": "\\frac{1}{4}"}', "\\frac{1}{4}"),
        ('{"total": 4, "unit": "km"}', "4 km"),
        ('{"answer": 4, "total": 9}', "4"),
        ('{"selected_option": "B"} {"selected-option": "B"}', "B"),
        ('{"Predicted Label": "neutral"}', "neutral"),
    ],
)
def test_the_answer_of_an_object_is_read_as_it_is_written(text: str, answer: str) -> None:
    assert answer_object(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": 4} {"answer": 5}',
        '{"answer": 4, "answer": 5}',
        '{"answer": 4, "final_answer": 5}',
        '{"label": "A", "prediction": "B"}',
        '{"answer": 4',
        '{"answer": "4',
        '{"answer": 1,234}',
        '{"answer": 4 apples}',
        '{"answer": 4 # or 5\n}',
        '{"answer": {"value": 4, "total": 5}}',
        '{"answer": "f {"a"} or 5"}',
        '{"reasoning": "x", "answer": }',
        '{"answer": 5 or 6}\n{"answer": 6}',
        '{"answer": ["4", "5"]}',
    ],
)
def test_json_with_several_meanings_or_none_is_unreadable(text: str) -> None:
    assert isinstance(answer_object(text), Unreadable)
    assert reasoned_object(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "the set {4, 5}",
        "\\frac{1}{2}",
        "\\0\\\\",
        '{"note": "4"}',
        '{"answer": null}',
        '{"answer": ""}',
        '{"answers": ["4", "5"]}',
        "[4]",
    ],
)
def test_where_no_object_has_an_answer_none_is_taken(text: str) -> None:
    assert answer_object(text) is None


def test_a_value_under_other_keys_and_the_text_beside_objects() -> None:
    text = 'Here it is: {"Summary": "Rain."} That is all.'
    assert value_of(text, ["summary"]) == "Rain."
    assert value_of(text, ["title"]) is None
    assert beside_objects(text).split("\n") == ["Here it is: ", " That is all."]


plain = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=30).filter(str.strip)


@given(reasoning=plain, answer=plain, indent=st.none() | st.integers(0, 3), escapes=st.booleans())
def test_valid_json_is_read_as_it_is(
    reasoning: str, answer: str, indent: int | None, escapes: bool
) -> None:
    data = {"reasoning": reasoning, "answer": answer}
    text = json.dumps(data, indent=indent, ensure_ascii=escapes)
    assert reasoned_object(text) == ReasonedAnswer(reasoning.strip(), answer.strip())


SLIPS = st.lists(
    st.sampled_from([*"{}[]\"'“”:,\\n 4a", '"answer"', '"reasoning": ', "\\frac", "true"]),
    max_size=25,
).map("".join)


@given(text=SLIPS | st.text(max_size=40))
def test_no_value_is_read_that_the_text_does_not_hold(text: str) -> None:
    answer = answer_object(text)
    if isinstance(answer, str) and "\\" not in text:
        assert answer in text or answer in ("true", "false")


FLOODS = [
    '{"a":', '{"a"', "{", '{"answer": "', '"', "'", '{"answer":[', '{"answer":{', "\\", "\\n",
    "{a:b,", '{"a":"b",', '["', '{a:"', "{a b c ", '{"a":"" ', '{"answer": "x" "',
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_json_is_read_in_linear_time(flood: str) -> None:
    """A quadratic search would take minutes."""
    text = flood * (100_000 // len(flood))
    answer_object(text)
    answer_object('{"answer": "' + text)
