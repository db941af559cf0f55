"""Resume: another round of a run that has ended, with its journals and possibly other settings.

Rows that the teacher failed to answer are retried, and those whose stored replies don't pass the
settings of now: shared/generation/recheck.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, JsonValue
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from shared.core.errors import InvalidInput, NotFound, Problem
from shared.core.json_values import JsonObject, json_object, unwritable_values
from shared.core.paths import RunPaths
from shared.runs.http import invalid_query, truth_of, unknown_parameters
from shared.runs.requests import RunRequest, read_request
from shared.spec.models import SCHEMA_KEY, BudgetSpec, QualitySpec, RunSpec, Students, TeacherSpec
from shared.spec.parse import MAX_PROBLEMS, Concurrency, parse_spec

if TYPE_CHECKING:
    from shared.core.storage import Storage

CHANGEABLE = ("teacher", "quality", "budget", "student")
# of section `generation`: its other settings decide how shards are cut, which is done already
PARALLEL_SHARDS = "parallel_shards"
NEAR_DUPLICATES = "near_duplicates"


class Changes(TypedDict, total=False):
    """The body of `POST /api/runs/{id}/resume`: sections, each with the settings that change."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # pyright: ignore[reportGeneralTypeIssues]

    teacher: TeacherSpec
    quality: QualitySpec
    budget: BudgetSpec
    student: Students
    generation: Concurrency


class ResumeQuery(TypedDict, total=False):
    """The query of `POST /api/runs/{id}/resume`, for its description."""

    take_over: Annotated[
        bool, Field(description="the run's task hub is gone: continue the run in that of this app")
    ]


def parse_take_over(query: Mapping[str, str]) -> bool:
    """Return the value of `?take_over=`. Raises InvalidInput for any other query."""
    problems = unknown_parameters(query, ResumeQuery.__annotations__)
    takes_over = truth_of(query, "take_over", problems, default=False)
    if problems:
        raise invalid_query(problems)
    return takes_over


def check_changes(body: object) -> JsonObject:
    """Return the sections that change, checked as far as they can be without the others.

    Raises InvalidInput.
    """
    changes = json_object(body)
    if changes is None:
        raise InvalidInput(
            "the body must be a JSON object",
            details=[{"where": "body", "problem": "isn't an object"}],
        )
    changes = {key: value for key, value in changes.items() if key != SCHEMA_KEY}  # of editors
    problems: list[Problem] = []
    for place, problem in islice(unwritable_values(changes), MAX_PROBLEMS):
        problems.append({"where": ".".join(place) or "body", "problem": problem})
    for key, value in changes.items():
        if key not in (*CHANGEABLE, "generation"):
            listed = ", ".join((*CHANGEABLE, f"generation.{PARALLEL_SHARDS}"))
            problem = (
                "cannot change once a run has started: start a new run with this run's id as "
                "`reuse` to take over its "
                f"answers; these can change: {listed}"
            )
            problems.append({"where": key, "problem": problem})
        elif key == "student" and (value is None or isinstance(value, list)):
            continue
        elif not isinstance(value, dict):
            problems.append({"where": key, "problem": "isn't an object"})
        elif key == "generation" and set(value) - {PARALLEL_SHARDS}:
            problems.append(
                {
                    "where": key,
                    "problem": f"only {PARALLEL_SHARDS} can change once a run has started",
                }
            )
        elif key == "quality" and NEAR_DUPLICATES in value:
            problem = (
                "decides which rows a run has, which cannot change once it has started: start a "
                "new run with this run's id as `reuse`"
            )
            problems.append({"where": f"quality.{NEAR_DUPLICATES}", "problem": problem})
    if problems:
        raise InvalidInput(
            f"the run cannot be resumed with these changes: {len(problems)} problem(s)",
            details=problems,
        )
    return changes


def changed(spec: RunSpec, changes: Mapping[str, JsonValue]) -> RunSpec:
    """Return a specification with some settings replaced. Raises InvalidInput."""
    if not changes:
        return spec
    data = spec.document
    for section, settings in changes.items():
        data[section] = _merged_section(section, data.get(section, {}), settings)
    return parse_spec(data)


def _merged(before: JsonValue, settings: JsonValue) -> JsonValue:
    """Return a section with some settings replaced. A list of students replaces all of it."""
    if not isinstance(before, dict) or not isinstance(settings, dict):
        return settings
    return before | settings


def _merged_student(before: JsonValue, settings: JsonValue) -> JsonValue:
    """Return the student with some settings replaced.

    Another model is another student: settings of the one before would be refused, or would train it
    where and how nobody asked for.
    """
    if isinstance(before, dict) and isinstance(settings, dict):
        model = settings.get("model")
        if model is not None and model != before.get("model"):
            return settings
    return _merged(before, settings)


def _merged_section(section: str, before: JsonValue, settings: JsonValue) -> JsonValue:
    return (_merged_student if section == "student" else _merged)(before, settings)


def check_student(spec: RunSpec, after: RunSpec, run_id: str) -> None:
    """Raise InvalidInput if accepted rows may be too long for the student.

    A student without a model, which the app settings name, is checked once it is resolved. Rows of
    datasets that no student was trained on are checked against its context when they are read
    again.
    """
    if not spec.students:
        return
    before = spec.taught.context_tokens
    is_unresolved = any(student.model is None for student in after.students)
    if is_unresolved or after.taught.context_tokens >= before:
        return
    problem = (
        f"takes {after.taught.context_tokens:,} tokens, but the run's rows were accepted for "
        f'{before:,}: start a new run with "reuse": "{run_id}", which takes over every answer'
    )
    details: list[Problem] = [{"where": "student.model", "problem": problem}]
    raise InvalidInput("the run cannot be resumed with this student", details=details)


def _with_default(spec: RunSpec, model: str | None) -> RunSpec:
    """Return the specification with the model of students that name none."""
    students = [
        student.model_copy(update={"model": student.model or model}) for student in spec.students
    ]
    if not students:
        return spec
    one_or_several = students if isinstance(spec.student, list) else students[0]
    return spec.model_copy(update={"student": one_or_several})


async def next_round(
    storage: Storage,
    run_id: str,
    changes: Mapping[str, JsonValue],
    default_student: str | None = None,
) -> RunRequest:
    """Return the request of a run's next round.

    `default_student` is the model of students that name none. Raises NotFound, InvalidInput.
    """
    paths = RunPaths(run_id)
    try:
        before = await read_request(storage, run_id)
    except NotFound:
        raise NotFound(f"run {run_id} doesn't exist") from None
    # a run that ended before its specification was written is checked when it is prepared
    with contextlib.suppress(NotFound):
        spec = parse_spec(await storage.read_json(paths.specification))
        check_student(spec, _with_default(changed(spec, changes), default_student), run_id)
    merged = {
        section: _merged_section(section, before.changes.get(section, {}), settings)
        for section, settings in changes.items()
    }
    return before.model_copy(
        update={"round": before.round + 1, "changes": {**before.changes, **merged}}
    )
