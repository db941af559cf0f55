"""From decoded JSON to a run specification, with every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import Field, JsonValue, ValidationError

from shared.core.errors import InvalidInput, Problem
from shared.core.section import Section
from shared.spec.checks import contradictions
from shared.spec.models import MAX_PARALLEL_SHARDS, RunSpec


class _Concurrency(Section):
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
    if problems or spec is None:
        message = f"the run specification has {_count(problems)}"
        raise InvalidInput(message, details=problems)
    return spec


def parse_parallel_shards(body: object) -> int:
    """Return the number in `{"parallel_shards": n}`. Raises InvalidInput."""
    try:
        return _Concurrency.model_validate(body).parallel_shards
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
    if message == "Extra inputs are not permitted":
        message = "isn't a known setting"
    if location[:2] in (("student", "one"), ("student", "several")):
        location = (location[0], *location[2:])
    return {"where": ".".join(map(str, location)) or "body", "problem": message}


def _count(problems: list[Problem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
