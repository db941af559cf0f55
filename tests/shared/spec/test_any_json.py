"""Whatever JSON a body has, it is a specification or a refusal with places: never a crash."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given

from shared.core.errors import PermanentError
from shared.core.settings import load
from shared.runs.resume import changed, check_changes
from shared.spec.parse import parse_spec
from shared.spec.resolution import resolve
from tests.support.any_spec import ODD, PLACES, documents

SETTINGS = load(
    {
        "DISTILLATION_STORAGE": "UseDevelopmentStorage=true",
        "TEACHER_BASE_URL": "https://r.openai.azure.com/openai/v1",
        "TEACHER_MODEL": "m",
    }
)


def test_every_section_of_the_specification_is_tried() -> None:
    assert {"teacher", "student", "prompt", "quality", "budget", "generation"} <= {
        name for name, _ in PLACES
    }


@given(documents() | ODD)
def test_any_json_is_a_specification_or_is_refused_with_its_places(document: Any) -> None:
    before = copy.deepcopy(document)
    try:
        spec = parse_spec(document)
        resolve(spec, SETTINGS, "math-x-0")
    except PermanentError as error:
        assert error.details
        assert all(problem["where"] and problem["problem"] for problem in error.details)
        str(error.as_data()).encode("utf-8", "surrogatepass")
    assert str(document) == str(before), "the caller's document stays as it is"


@given(documents() | ODD)
def test_any_json_changes_a_resumed_run_or_is_refused_with_its_places(document: Any) -> None:
    spec = parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl"})
    try:
        changed(spec, check_changes(document))
    except PermanentError as error:
        assert error.details
