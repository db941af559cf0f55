"""The trial of a teacher before rows are paid for: one request to each of its deployments.

A run needs one deployment that works. A parameter that any of them refuses is a problem all the
same: the rows that it answers would not be asked as the specification says. So is one that rejects
the request itself: it would reject its share of the rows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from shared.core.errors import Problem
from shared.core.paths import RunPaths
from shared.core.process import current
from shared.core.settings import Settings
from shared.core.teacher_endpoints import TeacherEndpoint
from shared.dataset.rejection import RejectionReason
from shared.spec.models import RunSpec, TeacherSpec
from shared.tasks import TASKS
from shared.teacher.budget import Budget, OverBudget
from shared.teacher.capabilities import Dialect
from shared.teacher.client import deployment_names, open_teacher
from shared.teacher.completion import RowFailure, TeacherDown
from shared.teacher.diagnosis import Ask, Rejected, accepted_dialect, refused_parameters
from shared.teacher.learned import LearnedCapabilities, keep_capabilities
from shared.teacher.left_out import begin_left_out
from shared.teacher.minimal_request import IN_JSON, IN_WORDS, SCHEMA
from shared.teacher.parameters import ParameterRefused, without_parameter

if TYPE_CHECKING:
    from shared.core.storage import Storage

# failures of the one request that say nothing about the rows' requests
HARMLESS = frozenset({RejectionReason.CONTENT_FILTER})
# With several deployments, one that doesn't answer is given less time: others may work.
MAX_ATTEMPTS_OF_SEVERAL = 3
MAX_SECONDS_OF_SEVERAL = 120.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found: problems end the run, and deployments that don't work are left out."""

    problems: list[Problem] = field(default_factory=list[Problem])
    left_out: dict[str, str] = field(default_factory=dict[str, str])  # by their setting
    warnings: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class _DeploymentTrial:
    endpoint: TeacherEndpoint
    refused: list[ParameterRefused]
    problem: str | None  # why it can't be asked
    is_rejected: bool = False  # whether it answers, and rejects the request
    over_budget: OverBudget | None = None  # why it wasn't asked at all

    @property
    def not_tried(self) -> list[str]:
        """What to warn of, if it wasn't asked."""
        if self.over_budget is None:
            return []
        return [f"{self.endpoint.url_setting} wasn't tried: {self.over_budget.with_details}"]


async def try_teacher(settings: Settings, spec: RunSpec, budget: Budget) -> Trial:
    """Ask each deployment once, and again without each parameter that it refuses.

    Raises OverBudget if the run's budget allows no such request.
    """
    endpoints = settings.endpoints
    if len(endpoints) == 1:
        trial = await _try_deployment(settings, spec, endpoints[0], spec.teacher, budget)
        if trial.over_budget is not None:
            raise trial.over_budget
        problems = _refusals([trial])
        if trial.problem is not None:
            problems.append({"where": "teacher", "problem": trial.problem})
        return Trial(problems)
    brief = {
        "max_attempts": min(spec.teacher.max_attempts, MAX_ATTEMPTS_OF_SEVERAL),
        "row_deadline_seconds": min(spec.teacher.row_deadline_seconds, MAX_SECONDS_OF_SEVERAL),
    }
    teacher = spec.teacher.model_copy(update=brief)
    try:
        async with asyncio.TaskGroup() as group:
            tries = [
                group.create_task(_try_deployment(settings, spec, endpoint, teacher, budget))
                for endpoint in endpoints
            ]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    results = [task.result() for task in tries]
    trials = [trial for trial in results if trial.over_budget is None]
    if not trials and results[0].over_budget is not None:
        raise results[0].over_budget
    not_tried = [warning for trial in results for warning in trial.not_tried]
    left_out = {
        trial.endpoint.url_setting: trial.problem for trial in trials if trial.problem is not None
    }
    problems = _refusals(trials)
    rejecting = [trial for trial in trials if trial.is_rejected]
    if rejecting and len(left_out) < len(trials):
        problems += [_rejection(trial) for trial in rejecting]
        return Trial(problems)
    if len(left_out) == len(results):
        problems += [Problem(where=place, problem=text) for place, text in left_out.items()]
        return Trial(problems)
    return Trial(problems, left_out, not_tried)


async def keep_trial(
    storage: Storage, paths: RunPaths, settings: Settings, spec: RunSpec, trial: Trial
) -> list[str]:
    """Write what was learned into the run's folder. Return what to warn of."""
    names = deployment_names(settings, spec.teacher.model or "", settings.endpoints)
    warnings = await keep_capabilities(storage, paths, names)
    return warnings + await begin_left_out(storage, paths, trial.left_out)


async def _try_deployment(
    settings: Settings,
    spec: RunSpec,
    endpoint: TeacherEndpoint,
    teacher: TeacherSpec,
    budget: Budget,
) -> _DeploymentTrial:
    ask = partial(_ask_once, settings, spec, endpoint, budget)
    refused: list[ParameterRefused] = []
    has_learned = False
    while True:
        try:
            problem = await ask(teacher)
            return _DeploymentTrial(endpoint, refused, problem)
        except OverBudget as error:
            # a parameter that was refused before is a problem, whatever comes after it
            not_asked = None if refused else error
            return _DeploymentTrial(endpoint, refused, None, over_budget=not_asked)
        except ParameterRefused as refusal:
            refusals = [refusal]
        except Rejected as rejection:
            problem = _no_answer(RejectionReason.TEACHER_REJECTED, str(rejection))
            rejected = _DeploymentTrial(endpoint, refused, problem, is_rejected=True)
            try:
                refusals = await refused_parameters(ask, teacher, rejection)
                if not refusals:
                    if has_learned or not await _learn(ask, settings, spec, endpoint, teacher):
                        return rejected
                    has_learned = True
            except OverBudget as error:
                problem += f". The cause wasn't looked for: {error.with_details}"
                return replace(rejected, problem=problem)
        for refusal in refusals:
            refused.append(refusal)
            teacher = without_parameter(teacher, refusal.name)


async def _learn(
    ask: Ask, settings: Settings, spec: RunSpec, endpoint: TeacherEndpoint, teacher: TeacherSpec
) -> bool:
    """Try other dialects, and keep the first that is accepted. Return whether there is one."""
    [name] = deployment_names(settings, teacher.model or "", [endpoint])
    capabilities = current().part(LearnedCapabilities).of(*name)
    has_schema = _may_send_schema(spec)
    dialect = await accepted_dialect(ask, teacher, capabilities.dialect, has_schema=has_schema)
    if dialect is None:
        return False
    capabilities.dialect = dialect
    return True


async def _ask_once(
    settings: Settings,
    spec: RunSpec,
    endpoint: TeacherEndpoint,
    budget: Budget,
    teacher: TeacherSpec,
    dialect: Dialect | None = None,
) -> str | None:
    """Return why a deployment can't be asked, None if it can.

    Raises ParameterRefused, Rejected and OverBudget.
    """
    try:
        async with open_teacher(
            settings, teacher, endpoints=[endpoint], dialect=dialect, budget=budget
        ) as client:
            if _may_send_schema(spec):
                await client.complete(IN_JSON, schema=SCHEMA, unformatted=IN_WORDS)
            else:
                await client.complete(IN_WORDS)
    except ParameterRefused:
        raise
    except TeacherDown as error:
        return str(error)
    except RowFailure as failure:
        if failure.reason == RejectionReason.TEACHER_REJECTED:
            raise Rejected(failure.detail) from None
        if failure.reason not in HARMLESS:
            return _no_answer(failure.reason, failure.detail)
    return None


def _no_answer(reason: RejectionReason, detail: str) -> str:
    return f"gives no usable answer ({reason}): {detail}"


def _may_send_schema(spec: RunSpec) -> bool:
    """Return whether requests of the run may have a `response_format`, to be learned too."""
    prompt = spec.prompt
    asks_for_json = prompt.chain_of_thought or prompt.chain_of_density
    return asks_for_json or TASKS[spec.task].has_values


def _rejection(trial: _DeploymentTrial) -> Problem:
    problem = f"rejects every request: correct it, or take it out of the list. {trial.problem}"
    return {"where": trial.endpoint.url_setting, "problem": problem}


def _refusals(trials: list[_DeploymentTrial]) -> list[Problem]:
    """Return each refused parameter once, with every deployment that refuses it."""
    problems: dict[str, Problem] = {}
    for trial in trials:
        for refusal in trial.refused:
            problem = problems.setdefault(
                refusal.setting, {"where": refusal.setting, "problem": refusal.problem}
            )
            if len(trials) > 1:
                problem["problem"] += f" ({trial.endpoint.url_setting})"
    return list(problems.values())
