"""From decoded JSON to a run specification, with every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast

from pydantic import BaseModel, Field, JsonValue, ValidationError

from shared.core.errors import InvalidInput, Problem
from shared.core.section import Section
from shared.spec.checks import contradictions
from shared.spec.models import MAX_PARALLEL_SHARDS, RunSpec
from shared.spec.target_rows import target_problems


class Concurrency(Section):
    """The body of `POST /api/runs/{id}/concurrency`."""

    parallel_shards: int = Field(ge=1, le=MAX_PARALLEL_SHARDS)


def parse_spec(data: object) -> RunSpec:
    """Return the specification in decoded JSON. Raises InvalidInput with every problem's place."""
    problems: list[Problem] = []
    spec: RunSpec | None = None
    try:
        spec = RunSpec.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error)
    if isinstance(data, Mapping):
        problems += contradictions(cast(Mapping[str, Any], data))
    if spec is not None:
        problems += target_problems(spec)
    if problems or spec is None:
        message = f"the run specification has {_count(problems)}"
        raise InvalidInput(message, details=problems)
    return spec


def parse_parallel_shards(body: object) -> int:
    """Return the number in `{"parallel_shards": n}`. Raises InvalidInput."""
    try:
        return Concurrency.model_validate(body).parallel_shards
    except ValidationError as error:
        problems = problems_of(error)
        raise InvalidInput(f"the body has {_count(problems)}", details=problems) from None


def spec_schema() -> dict[str, JsonValue]:
    """Return the JSON Schema of the specification, for editors and the docs."""
    return RunSpec.model_json_schema()


def problems_of(error: ValidationError) -> list[Problem]:
    """Return what pydantic found, each with its place as users know it."""
    return [_problem(entry["loc"], entry["msg"]) for entry in error.errors(include_url=False)]


def _problem(location: tuple[int | str, ...], message: str) -> Problem:
    if location[:2] in (("student", "one"), ("student", "several")):
        location = (location[0], *location[2:])
    if message == "Extra inputs are not permitted":
        message = f"isn't a known setting{_suggestion(location)}"
    if message.startswith("String should match pattern"):
        message = f"{message}: use only the characters in brackets"
    message = message.replace(" after validation", "")
    return {"where": ".".join(map(str, location)) or "body", "problem": message}


def _suggestion(location: tuple[int | str, ...]) -> str:
    """Return a question for the setting at the same place whose name is most similar, if any."""
    model: type[BaseModel] = RunSpec
    if len(location) > 1:
        field = RunSpec.model_fields.get(str(location[0]))
        section = field.default if field else None
        model = type(section) if isinstance(section, Section) else Section
    close = get_close_matches("".join(map(str, location[-1:])), model.model_fields, n=1)
    return f": did you mean {close[0]}?" if close else ""


def _count(problems: list[Problem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
