"""Shortcuts for the ordinary row: what they give is what the long way gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.rows import Message, Row, decoded
from shared.dataset.token_estimates import TOKENS_PER_MESSAGE, TOKENS_PER_REQUEST, chat_tokens, fits
from shared.spec.example_length import max_example_tokens
from shared.tasks import TASKS, Answer, Reply
from shared.tasks.prompt_spec import PromptSpec

WORDS = st.from_regex(r"[A-Za-z0-9]{1,18}", fullmatch=True)


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(
        st.sampled_from(["answer", "reasoning", "x"]) | st.text(max_size=5), values, max_size=4
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | objects(inner),
)
TEXTS = st.text(alphabet=st.sampled_from(list('{}",:[] \\\nantwer1x')), max_size=40)


def row(task: str) -> Row:
    system = {
        "nli": "Answer with one of the labels entailment, contradiction or neutral.",
        "nlu_qa": "Answer with the letter of the right choice.",
    }.get(task, "Give the number.")
    user = (
        "Which one?\n(A) yes\n(B) no\n(C) never"
        if task == "nlu_qa"
        else "Premise: a\nHypothesis: b"
    )
    return Row(({"role": "system", "content": system}, {"role": "user", "content": user}))


@pytest.mark.parametrize("task", ["nli", "nlu_qa", "math"])
@given(
    word=WORDS
    | st.sampled_from(["entailment", "Neutral", "A", "B", "42", "007", "no", "true", "1e5", "²"])
)
def test_a_word_alone_is_read_like_one_with_a_line_end(task: str, word: str) -> None:
    alone = TASKS[task].read(row(task), PromptSpec(), Reply(json.dumps({"answer": word})))
    longer = TASKS[task].read(row(task), PromptSpec(), Reply(json.dumps({"answer": f"`{word}`"})))
    assert alone == longer


@given(
    answer=st.builds(Answer, st.text(max_size=30), st.none() | st.text(max_size=30)),
    learns=st.sampled_from(["answer", "reasoning"]),
    system=st.text(max_size=10),
)
@pytest.mark.parametrize("task", list(TASKS))
def test_no_example_is_longer_than_its_length_says_without_building_it(
    task: str, answer: Answer, learns: Any, system: str
) -> None:
    given_row = Row(
        (*([Message(role="system", content=system)] if system else []), *row(task).turns)
    )
    prompt = PromptSpec(
        chain_of_thought=True, student_learns=learns, student_system="Be exact. " * 9
    )
    for system_role in (True, False):
        example = TASKS[task].student_messages(given_row, prompt, [answer], system_role=system_role)
        characters = TOKENS_PER_REQUEST + sum(
            TOKENS_PER_MESSAGE + len(message["content"]) for message in example
        )
        assert characters <= max_example_tokens(given_row, prompt, [answer])


@given(
    content=VALUES.map(json.dumps)
    | st.text().map(json.dumps)
    | TEXTS
    | st.sampled_from(['{"a":1,"a":2}', "1e400", "[NaN]"])
)
def test_json_is_decoded_as_json_loads_does(content: str) -> None:
    assert told(lambda: decoded(content.encode())) == told(lambda: json.loads(content))


def told(decode: Any) -> tuple[str, str]:
    """What decoding gives, or what it raises."""
    try:
        return "value", repr(decode())
    except ValueError as error:
        return "error", str(error)


@given(texts=st.lists(st.text(), max_size=3), context=st.integers(0, 60))
def test_what_fits_is_what_has_no_more_tokens(texts: list[str], context: int) -> None:
    messages: list[Message] = [{"role": "user", "content": text} for text in texts]
    assert fits(messages, context) == (chat_tokens(messages) <= context)
