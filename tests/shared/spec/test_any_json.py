"""Whatever JSON a body has, it is a specification or a refusal with places: never a crash."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import PermanentError
from shared.core.settings import load
from shared.runs.resume import changed, check_changes
from shared.spec.parse import parse_spec, spec_schema
from shared.spec.resolution import resolve

NUMBERS = (0, -1, 1, 3, 2**31, 10**400, 0.5, float("nan"), float("inf"), -0.0)
TEXTS = ("", "x", "azureml", "azure_openai", "gpt-4.1", "\ud800", "\0", "0", "../x", "a" * 5000)
ODD = st.recursive(
    st.sampled_from((None, True, False, *NUMBERS, *TEXTS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("model", "backend", "", "$ref", "\ud800")), inner)
    ),
    max_leaves=4,
)
SETTINGS = load(
    {
        "DISTILLATION_STORAGE": "UseDevelopmentStorage=true",
        "TEACHER_BASE_URL": "https://r.openai.azure.com/openai/v1",
        "TEACHER_MODEL": "m",
    }
)


def whole_document() -> dict[str, Any]:
    """A specification that has every section with every setting, each None."""
    definitions: dict[str, Any] = spec_schema()["$defs"]  # pyright: ignore[reportAssignmentType]
    properties: dict[str, Any] = spec_schema()["properties"]  # pyright: ignore[reportAssignmentType]
    document: dict[str, Any] = {}
    for name in properties:
        section = definitions.get(f"{name.title().replace('_', '')}Spec", {})
        document[name] = dict.fromkeys(section.get("properties", ()))
    return document


SECTIONS = whole_document()
PLACES = [(name, setting) for name, settings in SECTIONS.items() for setting in settings]


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A small specification in which some places have any JSON."""
    document: dict[str, Any] = {"task": "math", "train": "datasets/math/x/train.jsonl"}
    for name, setting in draw(st.lists(st.sampled_from(PLACES), max_size=3)):
        section = document.setdefault(name, {})
        if isinstance(section, dict):
            section[setting] = draw(ODD)
    for name in draw(st.lists(st.sampled_from([*SECTIONS, "\ud800"]), max_size=1)):
        document[name] = draw(ODD)
    return document


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
