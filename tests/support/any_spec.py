"""Specifications for property tests: settings that fit the JSON Schema, and any JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hypothesis import strategies as st

from shared.spec.parse import spec_schema

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
Schema = Mapping[str, Any]
SCHEMA = cast(Schema, spec_schema())
TRAIN = "datasets/math/x/train.jsonl"


def _fields(section: str) -> Schema:
    """Return the settings of a section, empty if it is a plain value."""
    return SCHEMA["$defs"].get(f"{section.title()}Spec", {}).get("properties", {})


SECTIONS: dict[str, Schema] = {name: _fields(name) for name in SCHEMA["properties"]}
PLACES = [(name, setting) for name, fields in SECTIONS.items() for setting in fields]


def fitting(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that a schema of a single setting may have, its limits among them."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return st.one_of([fitting(choice) for choice in choices])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    limits = [schema[key] for key in ("minimum", "maximum") if key in schema]
    match schema.get("type"):
        case "integer":
            return st.sampled_from([int(limit) for limit in limits] + [2, 64])
        case "number":
            return st.sampled_from([*limits, 0.5, 1, 60])
        case "boolean":
            return st.booleans()
        case "string":
            return st.sampled_from(("x", "gpt-4.1-mini", "org/model", "env:1", "Standard_X"))
        case "array":
            return st.lists(fitting(schema["items"]), min_size=1, max_size=2)
        case "object":
            return st.dictionaries(st.sampled_from(("a", "n_epochs")), st.just("1"), max_size=1)
        case _:
            return st.none()


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A small specification in which some settings fit, and some are any JSON."""
    tasks = SCHEMA["properties"]["task"]["enum"]
    document: dict[str, Any] = {"task": draw(st.sampled_from(tasks)), "train": TRAIN}
    document["student"] = draw(st.sampled_from((None, {}, {"model": "gpt-4.1-mini"})))
    for name, setting in draw(st.lists(st.sampled_from(PLACES), max_size=3)):
        section = document.setdefault(name, {})
        if isinstance(section, dict):
            section[setting] = draw(fitting(SECTIONS[name][setting]) | ODD)
    for name in draw(st.lists(st.sampled_from([*SECTIONS, "\ud800"]), max_size=1)):
        document[name] = draw(ODD)
    return document
