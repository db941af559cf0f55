"""From decoded JSON to a run specification, with every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, cast

from pydantic import BaseModel, Field, JsonValue, ValidationError

from shared.core.errors import InvalidInput, Problem
from shared.core.json_values import json_object, unwritable_values
from shared.core.section import Section
from shared.spec.checks import contradictions
from shared.spec.models import MAX_PARALLEL_SHARDS, PRINTABLE, SCHEMA_KEY, RunSpec
from shared.spec.target_rows import target_problems

MAX_PROBLEMS = 100
"""Of a kind that a body of 256 KiB could have thousands of."""


class Concurrency(Section):
    """The body of `POST /api/runs/{id}/concurrency`."""

    parallel_shards: int = Field(ge=1, le=MAX_PARALLEL_SHARDS)


def parse_spec(data: object) -> RunSpec:
    """Return the specification in decoded JSON. Raises InvalidInput with every problem's place."""
    data, problems = _without_schema(data)
    for place, problem in islice(unwritable_values(data), MAX_PROBLEMS):
        problems.append({"where": ".".join(place) or "body", "problem": problem})
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


def _without_schema(data: object) -> tuple[object, list[Problem]]:
    """Return the settings without `$schema`, which editors read, and what is wrong with it."""
    settings = json_object(data)
    if settings is None or SCHEMA_KEY not in settings:
        return data, []
    others = {key: value for key, value in settings.items() if key != SCHEMA_KEY}
    if isinstance(settings[SCHEMA_KEY], str):
        return others, []
    problem = "must be a text, such as the URL of the JSON Schema that your editor uses: remove it"
    return others, [{"where": SCHEMA_KEY, "problem": problem}]


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
    """Return what pydantic found, each with its place as users know it.

    Of thousands, the first ones: to look for similar names of settings takes time.
    """
    entries = error.errors(include_url=False)
    problems = [_problem(entry["loc"], entry["msg"]) for entry in entries[:MAX_PROBLEMS]]
    more = len(entries) - len(problems)
    if more:
        problems.append(
            {"where": "body", "problem": f"{more:,} more problems: correct these first"}
        )
    return problems


def _problem(location: tuple[int | str, ...], message: str) -> Problem:
    if location[:2] in (("student", "one"), ("student", "several")):
        location = (location[0], *location[2:])
    if message == "Extra inputs are not permitted":
        message = f"isn't a known setting{_suggestion(location)}"
    if message == f"String should match pattern '{PRINTABLE}'":
        message = "must have no control characters, such as line breaks, and not be empty"
    elif message.startswith("String should match pattern"):
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
