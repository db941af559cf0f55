"""Reading what the teacher's server sends, which may be anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.teacher.completion import MAX_MESSAGE_CHARACTERS, Completion, error_of, parse_completion


def body(message: dict[str, Any], **fields: Any) -> bytes:
    choice = {"message": message, "finish_reason": "stop"}
    return json.dumps({"model": "m", "choices": [choice], **fields}).encode()


def read(content: bytes) -> Completion:
    completion = parse_completion(content)
    assert completion is not None
    return completion


def test_text_usage_and_model_are_read() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    completion = read(body({"content": "hi"}, usage=usage))
    assert (completion.text, completion.finish_reason, completion.model) == ("hi", "stop", "m")
    assert (completion.prompt_tokens, completion.completion_tokens, completion.requests) == (
        3,
        2,
        1,
    )


def test_what_a_server_leaves_out_is_empty() -> None:
    completion = read(b'{"choices": [{"message": {"content": null}}]}')
    assert (
        completion.text,
        completion.finish_reason,
        completion.refusal,
        completion.prompt_tokens,
    ) == (
        "",
        "",
        None,
        0,
    )


def test_refusals_and_reasoning_are_read_from_their_own_fields() -> None:
    completion = read(body({"content": None, "refusal": "no", "reasoning_content": "hm"}))
    assert (completion.text, completion.refusal, completion.reasoning) == ("", "no", "hm")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"[" * 99_999],
)
def test_what_is_no_completion_is_none(content: bytes) -> None:
    assert parse_completion(content) is None


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b'{"error": {"code": "c", "message": "m"}}', "c", "m"),
        (b'{"error": {"type": "t", "message": "m"}}', "t", "m"),
        (b'{"error": "plain"}', "", "plain"),
        (b'{"message": "m"}', "", "m"),
        (b'{"detail": "d"}', "", "d"),
        (b"<h1>Bad gateway</h1>\n", "", "<h1>Bad gateway</h1>"),
        (b"[1]", "", "[1]"),
        (b"", "", ""),
    ],
)
def test_errors_of_every_form_are_told(content: bytes, code: str, message: str) -> None:
    assert error_of(content) == (code, message)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["choices", "message", "content", "usage", "error", "code", "prompt_tokens"]), inner),
    max_leaves=10,
)  # fmt: skip


@given(st.binary(max_size=50) | values.map(lambda value: json.dumps(value).encode()))
def test_no_response_whatsoever_raises(content: bytes) -> None:
    assert isinstance(parse_completion(content), Completion | None)
    code, message = error_of(content)
    assert len(message) <= MAX_MESSAGE_CHARACTERS
    assert isinstance(code, str)
