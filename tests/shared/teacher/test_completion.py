"""Reading what the teacher's server sends, which may be anything."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.teacher.completion import (
    MAX_MESSAGE_CHARACTERS,
    Completion,
    ServiceError,
    TeacherError,
    parse_completion,
    parse_error,
)
from shared.teacher.finish_reasons import Finish
from shared.teacher.message_content import UnusableReply


def body(message: dict[str, Any], **fields: Any) -> bytes:
    choice = {"message": message, "finish_reason": "stop"}
    return json.dumps({"model": "m", "choices": [choice], **fields}).encode()


def test_text_usage_and_model_are_read() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    completion = parse_completion(body({"content": "hi"}, usage=usage))
    assert (completion.text, completion.finish_reason, completion.model) == ("hi", "stop", "m")
    assert (completion.prompt_tokens, completion.completion_tokens, completion.requests) == (
        3,
        2,
        1,
    )


def test_what_a_server_leaves_out_is_empty() -> None:
    completion = parse_completion(b'{"choices": [{"message": {"content": null}}]}')
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
    completion = parse_completion(
        body({"content": None, "refusal": "no", "reasoning_content": "hm"})
    )
    assert (completion.text, completion.refusal, completion.reasoning) == ("", "no", "hm")


THOUGHT: list[Any] = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "6 times 7"}]},
    {"type": "thinking", "thinking": "6 times 7", "signature": "x"},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "6 times 7"}]},
]
WITH_TEXT_PARTS: list[tuple[Any, str, str | None]] = [
    ([{"type": "text", "text": "42"}], "42", None),
    ([{"type": "text", "text": "4"}, {"type": "text", "text": "2"}], "42", None),
    ([{"type": "output_text", "text": "42", "annotations": []}], "42", None),
    ([{"text": "42"}], "42", None),
    ([{"type": "redacted_thinking", "data": "Zm8="}, {"text": "42"}], "42", None),
    *[([thought, {"type": "text", "text": "42"}], "42", "6 times 7") for thought in THOUGHT],
    ([], "", None),
]


@pytest.mark.parametrize(("content", "text", "reasoning"), WITH_TEXT_PARTS)
def test_content_parts_are_joined_and_thinking_is_not_part_of_the_answer(
    content: Any, text: str, reasoning: str | None
) -> None:
    completion = parse_completion(body({"content": content}))
    assert (completion.text, completion.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("reasoning_content", "reasoning"),
    [
        ([{"type": "text", "text": "six "}, {"type": "text", "text": "times"}], "six times"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "six"}]}], "six"),
        ([], None),
    ],
)
def test_reasoning_may_come_as_parts_too(reasoning_content: Any, reasoning: str | None) -> None:
    message = {"content": "42", "reasoning_content": reasoning_content}
    assert parse_completion(body(message)).reasoning == reasoning


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": "six times"},
        {"reasoning": ["six times"], "reasoning_content": "six times"},
        {"reasoning": [{"type": "text", "text": "six times"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "six times", "index": 0}]},
        {
            "reasoning_details": [
                {"type": "reasoning.encrypted", "data": "Zm8="},
                {"type": "reasoning.summary", "summary": "six times"},
            ]
        },
        {"reasoning_content": None, "thinking": "six times"},
        {"thinking_blocks": [{"type": "thinking", "thinking": "six times", "signature": "x"}]},
    ],
)
def test_reasoning_is_read_from_the_field_that_the_server_writes(fields: dict[str, Any]) -> None:
    completion = parse_completion(body({"content": "42", **fields}))
    assert (completion.text, completion.reasoning) == ("42", "six times")


@pytest.mark.parametrize("reasoning", [[{"type": "image", "url": "x"}], {"effort": "low"}, 7, True])
def test_reasoning_of_an_unknown_form_costs_no_answer(reasoning: Any) -> None:
    completion = parse_completion(body({"content": "42", "reasoning": reasoning}))
    assert (completion.text, completion.reasoning) == ("42", None)


def test_a_refusal_may_be_a_part_of_the_content() -> None:
    completion = parse_completion(body({"content": [{"type": "refusal", "refusal": "no"}]}))
    assert (completion.text, completion.refusal) == ("", "no")


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}],
        [{"type": "text", "text": "42"}, {"type": "reference", "reference_ids": [1]}],
        [{"type": "text"}],
        [{"type": "text", "text": {"value": "42"}}],
        [{"type": ["text"], "text": "42"}],
        [{"type": "thinking", "thinking": [{"type": "reference", "reference_ids": [1]}]}],
        [{"text": "42", "weight": 1}],
        ["42"],
        {"type": "text", "text": "42"},
        42,
        True,
    ],
)
@pytest.mark.parametrize("field", ["content", "refusal"])
def test_content_that_cannot_be_read_as_text_is_unusable(field: str, content: Any) -> None:
    with pytest.raises(UnusableReply):
        parse_completion(body({"content": "42", field: content}))


@pytest.mark.parametrize(
    ("content", "excerpt"),
    [
        (b" ", "it is empty"),
        (b"<html><title>Sign in</title></html>", "Sign in .* check TEACHER_BASE_URL"),
        (b'data: {"choices": []}\n\ndata: [DONE]', "it is a stream, .*: data: "),
        (b'{"id": "x"}', '{"id": "x"}'),
    ],
)
def test_a_reply_that_is_not_a_completion_is_shown(content: bytes, excerpt: str) -> None:
    with pytest.raises(UnusableReply, match=f"not a chat completion: {excerpt}"):
        parse_completion(content)


def test_a_completion_may_begin_with_a_byte_order_mark() -> None:
    assert parse_completion(b"\xef\xbb\xbf" + body({"content": "hi"})).text == "hi"


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{}]}', b"[" * 99_999],
)
def test_a_reply_that_is_not_a_completion_is_unusable(content: bytes) -> None:
    with pytest.raises(UnusableReply, match="not a chat completion"):
        parse_completion(content)


ERRORS_UNDER_200: list[tuple[dict[str, Any], int]] = [
    ({"error": {"code": 402, "message": "no money"}}, 402),
    ({"error": {"code": "402", "message": "no money"}}, 402),
    ({"error": {"code": "x1", "message": "no money"}, "status": 403}, 403),
    ({"error": {"type": "overloaded_error", "message": "no money"}, "type": "error"}, 529),
    ({"error": {"status": "RESOURCE_EXHAUSTED", "code": None, "message": "no money"}}, 429),
    ({"object": "error", "message": "no money", "type": "internal", "code": 40101}, 401),
    ({"error": "no money"}, 500),
    ({"message": "no money"}, 500),
    ({"detail": "no money"}, 500),
    ({"error": {"code": 12, "message": "no money"}}, 500),
    ({"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "no money"}}]}, 502),
    ({"error": {"code": 401, "message": "no money"}, "choices": []}, 401),
    ({"statusCode": 429, "message": "no money"}, 429),
    ({"code": "InvalidApiKey", "message": "no money"}, 401),
    ({"code": "Throttling.RateQuota", "message": "no money"}, 429),
    ({"error": {"code": "DeploymentNotFound", "message": "no money"}}, 404),
    ({"error": {"code": "ServiceUnavailable", "message": "no money"}}, 503),
]


@pytest.mark.parametrize(("content", "status"), ERRORS_UNDER_200)
def test_an_error_under_200_keeps_its_words_and_stands_for_a_status(
    content: dict[str, Any], status: int
) -> None:
    with pytest.raises(ServiceError) as failure:
        parse_completion(json.dumps(content).encode())
    assert (failure.value.status, failure.value.error.message) == (status, "no money")


@pytest.mark.parametrize("name", ["tool_calls", "function_call"])
def test_a_text_beside_a_call_is_no_answer_whatever_the_server_says(name: str) -> None:
    reply = parse_completion(body({"content": "42", name: [{"id": "1"}]}))
    assert reply.finish(100) is Finish.INTERRUPTED


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "none",
        [1],
        {"prompt_tokens": "many"},
        {"prompt_tokens": -5},
        {"prompt_tokens": 10**30},
        {"prompt_tokens": "9" * 5000},
        {"prompt_tokens": 1.5},
        {"total": 1e400},
    ],
)
def test_a_usage_of_an_unknown_form_costs_no_answer(usage: Any) -> None:
    reply = parse_completion(body({"content": "42"}, usage=usage))
    assert (reply.text, reply.prompt_tokens) == ("42", 0)


def test_an_empty_error_beside_a_completion_is_no_error() -> None:
    assert parse_completion(body({"content": "hi"}, error=None)).text == "hi"


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b'{"error": {"code": "c", "message": "m"}}', "c", "m"),
        (b'{"error": {"type": "t", "message": "m"}}', "t", "m"),
        (b'{"error": "plain"}', "", "plain"),
        (b'{"message": "m"}', "", "m"),
        (b'{"detail": "d"}', "", "d"),
        (
            b"<html>\n<h1>Bad gateway</h1>\n",
            "",
            "Bad gateway (a web page instead of JSON: if it stays, check TEACHER_BASE_URL)",
        ),
        (b"[1]", "", "[1]"),
        (b'{"detail": [{"msg": "too long"}]}', "", '[{"msg": "too long"}]'),
        (b'{"error": {"code": 400, "message": "m"}}', "400", "m"),
        (b'\xef\xbb\xbf{"error": {"code": 400, "message": "m"}}', "400", "m"),
        (b'[{"error": {"code": 400, "message": "m"}}]', "400", "m"),
        (b'{"error": "invalid_client", "error_description": "d"}', "", "invalid_client: d"),
        (b'{"error": "Unauthorized", "message": "m"}', "", "Unauthorized: m"),
        (b'{"error": null, "message": "m"}', "", "m"),
        (b'{"error": {}, "message": "m"}', "", "m"),
        (b'{"code": 20024, "message": "m", "data": null}', "20024", "m"),
        (b"", "", ""),
    ],
)
def test_errors_of_every_form_are_told(content: bytes, code: str, message: str) -> None:
    assert parse_error(content)[:2] == TeacherError(code, message)[:2]


def test_the_parameter_at_fault_is_told() -> None:
    error = b'{"error": {"code": "c", "message": "m", "param": "seed"}}'
    assert parse_error(error).param == "seed"


KEYS = ["choices", "message", "content", "type", "text", "usage", "error", "code", "prompt_tokens"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=10,
)


@given(st.binary(max_size=50) | values.map(lambda value: json.dumps(value).encode()))
def test_no_response_whatsoever_raises(content: bytes) -> None:
    with contextlib.suppress(UnusableReply):
        assert isinstance(parse_completion(content), Completion)
    error = parse_error(content)
    assert len(error.message) <= MAX_MESSAGE_CHARACTERS
    assert isinstance(error.code, str)
    assert isinstance(error.param, str)
