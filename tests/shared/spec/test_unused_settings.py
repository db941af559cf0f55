"""Settings for a teacher are refused where rows bring their answers."""

from __future__ import annotations

from typing import Any

import pytest

from shared.core.errors import InvalidInput
from shared.spec.models import TeacherSpec
from shared.spec.parse import parse_spec


def problems(**fields: Any) -> set[str]:
    data = {"task": "math", "train": "datasets/math/x/train.jsonl", **fields}
    try:
        parse_spec({**data, "answers": {"source": "provided"}})
    except InvalidInput as error:
        return {problem["where"] for problem in error.details}
    return set()


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"teacher": {"model": "gpt", "temperature": 1}}, {"teacher.model", "teacher.temperature"}),
        ({"prompt": {"teacher_system": "Be brief."}}, {"prompt.teacher_system"}),
        ({"reuse": "math-mine-0123456789ab"}, {"reuse"}),
        (
            {"quality": {"select": "majority", "samples": 3, "min_agreement": 0.6}},
            {"quality.select", "quality.samples", "quality.min_agreement"},
        ),
        ({"quality": {"keep": 2}}, {"quality.keep"}),
    ],
)
def test_each_setting_without_effect_is_named(fields: dict[str, Any], places: set[str]) -> None:
    assert problems(**fields) == places


def test_defaults_and_settings_that_decide_on_answers_are_accepted() -> None:
    assert problems(teacher=TeacherSpec().model_dump(), quality={"samples": 1}) == set()
    reasoned = {"chain_of_thought": True, "student_learns": "reasoning"}
    quality = {"select": "reference", "tolerance": 0.01}
    assert problems(prompt=reasoned, quality=quality) == set()
