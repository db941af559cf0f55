from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.token_estimates import chat_tokens, text_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("word", 1),
        ("entailment", 3),
        ("1234567", 3),
        ("a, b", 3),
        ("漢字かな", 4),
        ("привет", 3),
        ("\n \t", 0),
    ],
)
def test_the_rule_is_as_stated(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


@given(first=st.text(), second=st.text())
def test_a_longer_text_never_has_fewer_tokens(first: str, second: str) -> None:
    assert text_tokens(f"{first} {second}") == text_tokens(first) + text_tokens(second)


def test_messages_cost_more_than_their_texts() -> None:
    assert (
        chat_tokens([{"role": "user", "content": "word"}, {"role": "assistant", "content": "word"}])
        == 3 + 4 + 1 + 4 + 1
    )
