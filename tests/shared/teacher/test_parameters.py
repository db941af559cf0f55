"""Optional parameters: never dropped, and named where the teacher refuses one."""

from __future__ import annotations

from typing import Any

import pytest

from shared.spec.models import TeacherSpec
from shared.teacher import RowFailure
from shared.teacher.completion import TeacherError
from shared.teacher.parameters import (
    ParameterRefused,
    refused_parameter,
    set_parameters,
    without_parameter,
)
from tests.support.http_teacher import HELLO, Script, teacher_of

SENT = ("temperature", "top_p", "seed", "stop", "reasoning_effort", "guided_regex", "thinking")
REFUSALS = [
    (
        "temperature",
        "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default "
        "(1) value is supported.",
    ),
    (
        "temperature",
        "Unsupported value: temperature does not support 0.7 with this model. Only the default (1) "
        "value is supported.",
    ),
    ("top_p", "Unsupported parameter: 'top_p' is not supported with this model."),
    ("stop", "Unsupported parameter: 'stop' is not supported with this model."),
    ("reasoning_effort", "Unrecognized request argument supplied: reasoning_effort"),
    ("guided_regex", "Unknown parameter: 'guided_regex'."),
    ("seed", "seed: Extra inputs are not permitted"),
    (
        "seed",
        '[{"type": "extra_forbidden", "loc": ["body", "seed"], '
        '"msg": "Extra inputs are not permitted"}]',
    ),
    ("seed", "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs', …}]"),
    ("thinking", '[{"loc": ["body", "thinking", "budget"], "msg": "Extra inputs"}]'),
    ("stop", '[{"loc": ["body", "stop", 0], "msg": "Input should be a valid string"}]'),
    ("thinking", "The parameter `thinking` is not supported by this deployment."),
]
OTHER_ERRORS = [
    "Unsupported parameter: 'max_tokens' is not supported with this model.",
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported.",
    "The prompt is too long: stop and seed are fine.",
    "This model does not support images.",
    '[{"loc": ["body", "messages", 0, "seed"], "msg": "Extra inputs are not permitted"}]',
    "temperature: 0.7 was fine, but the prompt is empty",
    "",
]


@pytest.mark.parametrize(("name", "message"), REFUSALS)
def test_a_refused_parameter_is_known_by_the_message(name: str, message: str) -> None:
    for status in (400, 422):
        assert refused_parameter(status, TeacherError("", message), SENT) == name
    assert refused_parameter(400, TeacherError("", message), ("presence_penalty",)) is None
    assert refused_parameter(500, TeacherError("", message), SENT) is None


@pytest.mark.parametrize("message", OTHER_ERRORS)
def test_other_errors_are_no_refusals_of_a_parameter(message: str) -> None:
    assert refused_parameter(400, TeacherError("", message), SENT) is None


@pytest.mark.parametrize(
    ("code", "param", "name"),
    [
        ("unsupported_value", "temperature", "temperature"),
        ("unsupported_parameter", "thinking.budget_tokens", "thinking"),
        ("unsupported_parameter", "max_tokens", None),
        ("unsupported_value", "messages[0].role", None),
        ("invalid_value", "temperature", None),
    ],
)
def test_the_parameter_that_a_teacher_names_is_the_one(
    code: str, param: str, name: str | None
) -> None:
    error = TeacherError(code, "That doesn't work; 'seed' is not supported.", param)
    assert refused_parameter(400, error, SENT) == name


async def test_a_refused_parameter_ends_the_run_with_the_name_of_the_setting() -> None:
    error = {"code": "unsupported_value", "param": "temperature", "message": REFUSALS[0][1]}
    script = Script((400, {"error": error}, {}))
    async with teacher_of(script, temperature=0.7) as teacher:
        with pytest.raises(ParameterRefused) as refusal:
            await teacher.complete(HELLO)
    assert refusal.value.setting == "teacher.temperature"
    assert "Only the default (1) value" in str(refusal.value)
    assert len(script.bodies) == 1


async def test_a_parameter_that_was_not_sent_is_not_to_blame() -> None:
    script = Script((400, {"error": {"message": REFUSALS[0][1]}}, {}))
    async with teacher_of(script) as teacher:
        with pytest.raises(RowFailure):
            await teacher.complete(HELLO)


async def test_effort_and_extra_parameters_are_sent_as_they_are() -> None:
    script = Script()
    extra: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}, "min_p": 0.1}
    async with teacher_of(script, reasoning_effort="xhigh", extra_body=extra) as teacher:
        await teacher.complete(HELLO)
    assert script.bodies == [
        {
            "model": "m",
            "messages": HELLO,
            "max_tokens": 1024,
            "reasoning_effort": "xhigh",
            **extra,
        }
    ]


def test_settings_without_a_parameter_send_all_the_others() -> None:
    spec = TeacherSpec(temperature=0.5, seed=3, extra_body={"min_p": 0.1, "top_k": 5})
    for name in ("temperature", "min_p", "absent"):
        spec = without_parameter(spec, name)
    assert set_parameters(spec) == {"seed": 3, "top_k": 5}
