"""Section `teacher`: `extra_body` holds no credential and nothing that the app sends itself."""

from __future__ import annotations

import math
from typing import Any

import pytest

from shared.core.errors import InvalidInput
from shared.spec.models import RunSpec, TeacherSpec
from shared.spec.parse import parse_spec
from shared.spec.teacher_checks import MAX_EXTRA_BYTES, MAX_EXTRA_DEPTH

SENT_BY_THE_APP = (
    "model", "messages", "max_tokens", "max_completion_tokens", "response_format", "stream",
    "stream_options", "n", "seed", "temperature", "top_p", "frequency_penalty", "presence_penalty",
    "stop", "reasoning_effort", "extra_body",
)  # fmt: skip


def parse(**teacher: Any) -> RunSpec:
    return parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl", "teacher": teacher})


def problems(**teacher: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as error:
        parse(**teacher)
    return {problem["where"]: problem["problem"] for problem in error.value.details}


def test_parameters_of_other_servers_are_taken_as_they_are() -> None:
    extra: dict[str, Any] = {
        "chat_template_kwargs": {"enable_thinking": False},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "top_k": 20,
        "stop_token_ids": [1, 2],
        "skip_special_tokens": True,
        "eos_token": "</s>",
        "store": None,
    }
    spec = parse(extra_body=extra, reasoning_effort="minimal")
    assert spec.teacher.extra_body == extra
    assert parse_spec(spec.document) == spec


@pytest.mark.parametrize("name", SENT_BY_THE_APP)
def test_what_the_app_sends_itself_is_refused_at_its_place(name: str) -> None:
    found = problems(extra_body={"top_k": 1, name: None})
    assert list(found) == [f"teacher.extra_body.{name}"]
    assert "remove it" in found[f"teacher.extra_body.{name}"]


@pytest.mark.parametrize(
    "key",
    [
        "api_key", "api-key", "apiKey", "API_KEY", "x-api-key", "openai_api_key", "Authorization",
        "password", "secret", "client_secret", "access_token", "token", "connectionString",
        "accountKey", "credentials",
    ],
)  # fmt: skip
def test_credentials_are_refused_however_deep_they_are(key: str) -> None:
    for extra, place in (({key: "x"}, key), ({"a": [{"b": {key: "x"}}]}, f"a.0.b.{key}")):
        found = problems(extra_body=extra)
        assert list(found) == [f"teacher.extra_body.{place}"]
        assert "TEACHER_API_KEY" in found[f"teacher.extra_body.{place}"]


def test_no_value_of_a_credential_is_in_the_message() -> None:
    found = problems(extra_body={"api_key": "sk-1234567890"})
    assert "sk-1234567890" not in str(found)


def test_size_and_depth_are_bounded() -> None:
    assert parse(extra_body={"a": "x" * (MAX_EXTRA_BYTES - 20)})
    found = problems(extra_body={"a": "x" * MAX_EXTRA_BYTES})
    assert f"{MAX_EXTRA_BYTES:,} at most" in found["teacher.extra_body"]
    nested: Any = 1
    for _ in range(MAX_EXTRA_DEPTH + 1):
        nested = [nested]
    assert "nested" in problems(extra_body={"a": nested})["teacher.extra_body"]


def test_an_endless_nesting_is_an_error_like_any_other() -> None:
    nested: Any = 1
    for _ in range(900):
        nested = {"a": nested}
    assert any(place.startswith("teacher.extra_body") for place in problems(extra_body=nested))


def test_a_number_that_json_does_not_have_is_refused() -> None:
    assert "finite" in problems(extra_body={"a": [math.nan]})["teacher.extra_body.a.0"]


@pytest.mark.parametrize(
    ("extra_body", "where"), [({"a": "\ud800"}, "a"), ({"a": [{"\udc00": 1}]}, "a.0")]
)
def test_a_text_that_no_request_can_hold_is_refused(extra_body: Any, where: str) -> None:
    assert "surrogate" in problems(extra_body=extra_body)[f"teacher.extra_body.{where}"]


def test_a_name_that_no_model_has_is_refused() -> None:
    assert "control characters" in problems(model="a\nb")["teacher.model"]


def test_an_effort_that_no_api_documents_is_refused() -> None:
    assert "teacher.reasoning_effort" in problems(reasoning_effort="enormous")


def test_the_ceiling_follows_from_the_tokens_and_is_never_below_them() -> None:
    assert TeacherSpec().most_tokens == 32_768
    assert TeacherSpec(max_tokens=100_000).most_tokens == 131_072
    assert TeacherSpec(max_tokens=100, max_tokens_ceiling=150).most_tokens == 150
    found = problems(max_tokens=200, max_tokens_ceiling=150)
    assert "less than teacher.max_tokens, 200" in found["teacher.max_tokens_ceiling"]
    assert "teacher.max_tokens_ceiling" in problems(max_tokens_ceiling=500)
