"""preflight: one real teacher call and one look at the fine-tuning backend, before any row is paid for."""

from __future__ import annotations

import asyncio

import azure.durable_functions as df

from activities.names import PREFLIGHT
from activities.outcome import Payload, ok, returns_permanent_failures
from activities.prepare import read_spec
from shared.core import settings
from shared.core.errors import ErrorCode, PermanentError, Problem
from shared.core.paths import RunPaths
from shared.core.settings import Settings
from shared.core.storage_account import open_storage
from shared.dataset.rejection import RejectionReason
from shared.finetuning.registry import get_backend
from shared.spec.models import RunSpec
from shared.teacher import RowFailure, TeacherDown, open_teacher

bp = df.Blueprint()

# failures of the one call that say nothing about the rows' own requests
HARMLESS = frozenset({RejectionReason.CONTENT_FILTER})


@bp.activity_trigger(input_name="run", activity=PREFLIGHT)
@returns_permanent_failures
async def preflight(run: Payload) -> Payload:
    """`{run_id}` → `{warnings}`, or failed with everything that stands in the way."""
    own = settings.current()
    async with open_storage(own) as storage:
        spec = await read_spec(storage, RunPaths(run["run_id"]))
    problems = await _teacher_problems(own, spec)
    problems += await asyncio.to_thread(_backend_problems, own, spec)
    if problems:
        listed = "; ".join(problem["problem"] for problem in problems)
        raise PermanentError(
            f"the run cannot begin: {listed}", code=ErrorCode.PREFLIGHT, details=problems
        )
    return ok(warnings=await asyncio.to_thread(_backend_warnings, own, spec))


async def _teacher_problems(own: Settings, spec: RunSpec) -> list[Problem]:
    try:
        async with open_teacher(own, spec.teacher) as teacher:
            await teacher.complete([{"role": "user", "content": "Reply with the word: ready"}])
    except TeacherDown as error:
        return [{"where": "teacher", "problem": str(error)}]
    except RowFailure as failure:
        if failure.reason in HARMLESS:
            return []
        return [
            {"where": "teacher", "problem": f"does not answer ({failure.reason}): {failure.detail}"}
        ]
    return []


def _backend_problems(own: Settings, spec: RunSpec) -> list[Problem]:
    places: dict[
        str, list[str]
    ] = {}  # by problem: students share a workspace, and what is wrong with it is told once
    for number, student in enumerate(spec.students):
        where = f"student.{number}" if isinstance(spec.student, list) else "student"
        for problem in get_backend(student.backend, own).preflight(student):
            places.setdefault(problem, []).append(where)
    return [{"where": ", ".join(where), "problem": problem} for problem, where in places.items()]


def _backend_warnings(own: Settings, spec: RunSpec) -> list[str]:
    found = [
        warning
        for student in spec.students
        for warning in get_backend(student.backend, own).warnings(student)
    ]
    return list(dict.fromkeys(found))
