"""preflight: a request to each deployment of the teacher, and a look at each fine-tuning backend.

It runs before any row is paid for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import azure.durable_functions as df

from shared.core.errors import ErrorCode, PermanentError, Problem
from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.settings import Settings
from shared.core.storage_account import open_storage
from shared.finetuning.base import FineTuningBackend
from shared.finetuning.registry import get_backend
from shared.generation.run_budget import open_run_budget
from shared.runs.activity import implements
from shared.runs.contracts import PREFLIGHT, PreflightPassed, RunReference
from shared.spec.budget import Usage
from shared.spec.models import RunSpec, StudentSpec
from shared.spec.resolution import read_spec
from shared.teacher.budget import OverBudget, read_ledger
from shared.teacher.trial import Trial, keep_trial, try_teacher

if TYPE_CHECKING:
    from shared.core.storage import Storage

bp = df.Blueprint()


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
        usage = Usage()
        if not spec.answers.are_provided:
            trial = await _try_teacher(storage, paths, app_settings, spec)
            problems += trial.problems
            warnings += trial.warnings
            warnings += await keep_trial(storage, paths, app_settings, spec, trial)
            usage = (await read_ledger(storage, paths)).preflight
    backends = await asyncio.to_thread(_open_backends, app_settings, spec)
    problems += await asyncio.to_thread(_backend_problems, backends, spec)
    if problems:
        listed = "; ".join(f"{problem['where']}: {problem['problem']}" for problem in problems)
        message = f"the run cannot begin: {listed}"
        raise PermanentError(message, code=ErrorCode.PREFLIGHT, details=problems)
    warnings += await asyncio.to_thread(_backend_warnings, backends)
    return PreflightPassed(warnings=warnings, usage=usage)


async def _try_teacher(
    storage: Storage, paths: RunPaths, app_settings: Settings, spec: RunSpec
) -> Trial:
    """Try the teacher, unless the budget is used up: there may be no row left to ask."""
    try:
        async with open_run_budget(storage, paths, spec, app_settings, is_preflight=True) as budget:
            return await try_teacher(app_settings, spec, budget)
    except OverBudget as error:
        return Trial(warnings=[f"the teacher wasn't tried: {error.with_details}"])


def _open_backends(
    app_settings: Settings, spec: RunSpec
) -> list[tuple[StudentSpec, FineTuningBackend]]:
    """Open each student's backend, once: one may remember what it has read of its service."""
    return [(student, get_backend(student.backend, app_settings)) for student in spec.students]


def _backend_problems(
    backends: list[tuple[StudentSpec, FineTuningBackend]], spec: RunSpec
) -> list[Problem]:
    """Return each problem once, with every student it concerns: students may share a workspace."""
    places: dict[str, list[str]] = {}
    for number, (student, backend) in enumerate(backends):
        place = f"student.{number}" if isinstance(spec.student, list) else "student"
        for problem in backend.preflight(student):
            places.setdefault(problem, []).append(place)
    return [
        {"where": ", ".join(students), "problem": problem} for problem, students in places.items()
    ]


def _backend_warnings(backends: list[tuple[StudentSpec, FineTuningBackend]]) -> list[str]:
    warnings: list[str] = []
    for student, backend in backends:
        warnings += backend.warnings(student)
    return list(dict.fromkeys(warnings))
