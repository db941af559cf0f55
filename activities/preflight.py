"""preflight: one call to the teacher, if it is asked, and one look at each fine-tuning backend.

It runs before any row is paid for.
"""

from __future__ import annotations

import asyncio

import azure.durable_functions as df

from shared.core.errors import ErrorCode, PermanentError, Problem
from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.settings import Settings
from shared.core.storage_account import open_storage
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message
from shared.finetuning.registry import get_backend
from shared.runs.activity import implements
from shared.runs.contracts import PREFLIGHT, PreflightPassed, RunReference
from shared.spec.models import RunSpec, TeacherSpec
from shared.spec.resolution import read_spec
from shared.tasks import TASKS
from shared.tasks.base import object_schema
from shared.teacher import RowFailure, TeacherDown, open_teacher
from shared.teacher.learned import keep_capabilities
from shared.teacher.parameters import ParameterRefused, without_parameter

bp = df.Blueprint()

IN_WORDS: list[Message] = [{"role": "user", "content": "Reply with the word: ready"}]
IN_JSON: list[Message] = [{"role": "user", "content": 'Reply with the JSON: {"answer": "ready"}'}]
SCHEMA = object_schema(answer={"type": "string"})
HARMLESS = frozenset({RejectionReason.CONTENT_FILTER})
"""Failures of the one call that say nothing about the rows' requests."""


@bp.activity_trigger(input_name="run", activity=PREFLIGHT)
@implements(PREFLIGHT)
async def preflight(run: RunReference) -> PreflightPassed:
    """Check the teacher and the backends. Fails with every problem at once."""
    app_settings = current().settings
    async with open_storage(app_settings) as storage:
        paths = RunPaths(run.run_id)
        spec = await read_spec(storage, paths)
        problems: list[Problem] = []
        warnings: list[str] = []
        if not spec.answers.are_provided:
            problems += await _teacher_problems(app_settings, spec)
            base_url = app_settings.teacher_base_url or ""
            learned = await keep_capabilities(storage, paths, base_url, spec.teacher.model or "")
            warnings += learned.warnings
    problems += await asyncio.to_thread(_backend_problems, app_settings, spec)
    if problems:
        listed = "; ".join(problem["problem"] for problem in problems)
        message = f"the run cannot begin: {listed}"
        raise PermanentError(message, code=ErrorCode.PREFLIGHT, details=problems)
    warnings += await asyncio.to_thread(_backend_warnings, app_settings, spec)
    return PreflightPassed(warnings=warnings)


async def _teacher_problems(app_settings: Settings, spec: RunSpec) -> list[Problem]:
    """Ask the teacher once, and again without each parameter that it refuses."""
    problems: list[Problem] = []
    teacher = spec.teacher
    while True:
        try:
            problems += await _problems_of_one_request(app_settings, spec, teacher)
            return problems
        except ParameterRefused as refusal:
            problems.append({"where": refusal.setting, "problem": refusal.problem})
            teacher = without_parameter(teacher, refusal.name)


async def _problems_of_one_request(
    app_settings: Settings, spec: RunSpec, settings: TeacherSpec
) -> list[Problem]:
    """Raises ParameterRefused."""
    try:
        async with open_teacher(app_settings, settings) as teacher:
            if _may_send_schema(spec):
                await teacher.complete(IN_JSON, schema=SCHEMA, unformatted=IN_WORDS)
            else:
                await teacher.complete(IN_WORDS)
    except ParameterRefused:
        raise
    except TeacherDown as error:
        return [{"where": "teacher", "problem": str(error)}]
    except RowFailure as failure:
        if failure.reason in HARMLESS:
            return []
        problem = f"gives no usable answer ({failure.reason}): {failure.detail}"
        return [{"where": "teacher", "problem": problem}]
    return []


def _may_send_schema(spec: RunSpec) -> bool:
    """Return whether requests of the run may have a `response_format`, to be learned too."""
    prompt = spec.prompt
    asks_for_json = prompt.chain_of_thought or prompt.chain_of_density
    return asks_for_json or TASKS[spec.task].has_values


def _backend_problems(app_settings: Settings, spec: RunSpec) -> list[Problem]:
    """Return each problem once, with every student it concerns: students may share a workspace."""
    places: dict[str, list[str]] = {}
    for number, student in enumerate(spec.students):
        place = f"student.{number}" if isinstance(spec.student, list) else "student"
        for problem in get_backend(student.backend, app_settings).preflight(student):
            places.setdefault(problem, []).append(place)
    return [
        {"where": ", ".join(students), "problem": problem} for problem, students in places.items()
    ]


def _backend_warnings(app_settings: Settings, spec: RunSpec) -> list[str]:
    warnings: list[str] = []
    for student in spec.students:
        warnings += get_backend(student.backend, app_settings).warnings(student)
    return list(dict.fromkeys(warnings))
