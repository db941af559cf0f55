"""prepare_run: the specification resolved and written down, the inputs copied into the run's own folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.names import PREPARE_RUN
from activities.outcome import Payload, ok, returns_permanent_failures
from shared.core import settings
from shared.core.errors import NotFound
from shared.core.paths import SPLITS, RunPaths, Split
from shared.core.settings import Settings
from shared.core.storage_account import open_storage
from shared.runs.requests import RunRequest, reuse_refusal, specification
from shared.runs.resume import changed, check_student
from shared.scan.stored_scan import ranges_of
from shared.spec.models import RunSpec, StudentSpec, parse_spec
from shared.students.catalogue import DEFAULT_STUDENT, check_hyperparameters, find_student

if TYPE_CHECKING:
    from shared.core.storage import Storage

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=PREPARE_RUN)
@returns_permanent_failures
async def prepare_run(request: Payload) -> Payload:
    """RunRequest → `{spec, etags, ranges, warnings}`. A second execution finds the first one's `run.json` and copies."""
    given = RunRequest.model_validate(request)
    own = settings.current()
    paths = RunPaths(given.run_id)
    async with open_storage(own) as storage:
        first = await _first_specification(storage, given)
        spec = resolve(changed(first, given.changes), own, given.run_id)
        if given.round:  # again: only now is known which student no model at all stands for
            check_student(first, spec, given.run_id)
        etags: dict[Split, str] = {
            "train": await storage.copy_in(spec.train, paths.input("train"), given.etag)
        }
        if spec.validation:
            etags["validation"] = await storage.copy_in(spec.validation, paths.input("validation"))
        if given.round:
            await storage.delete(paths.report)  # what it names is about to change
            await storage.write(paths.specification, _document(spec))
        else:
            await storage.create(paths.specification, _document(spec))
            spec = await read_spec(storage, paths)
        ranges = await ranges_of(storage, paths, [split for split in SPLITS if split in etags])
    resolved = spec.model_dump(mode="json", exclude_none=True)
    return ok(spec=resolved, etags=etags, ranges=ranges, warnings=spec.student_warnings)


async def _first_specification(storage: Storage, given: RunRequest) -> RunSpec:
    """As the run was started with; a resumed run does not look again at a `run.json` that may have changed since."""
    if given.round:
        try:
            return await read_spec(storage, RunPaths(given.run_id))
        except NotFound:  # it never came so far
            pass
    spec = await specification(storage, given)
    if refusal := await reuse_refusal(storage, spec, given.run_id):
        raise refusal
    return spec


def resolve(spec: RunSpec, own: Settings, run_id: str) -> RunSpec:
    """The specification with every default that comes from the settings filled in."""
    students = [_resolve_student(student, own) for student in spec.students]
    for number, student in enumerate(students):
        if student.registered_model_name is None:
            name = f"{run_id}-s{number + 1}" if number else run_id
            students[number] = student.model_copy(update={"registered_model_name": name})
    teacher = spec.teacher.model_copy(update={"model": spec.teacher.model or own.teacher_model})
    student = students if isinstance(spec.student, list) else students[0]
    filled = spec.model_copy(update={"student": student, "teacher": teacher})
    return parse_spec(
        filled.model_dump(mode="json", exclude_none=True)
    )  # settings may not fit the default student


def _resolve_student(student: StudentSpec, own: Settings) -> StudentSpec:
    """A student with its model, its backend, and hyperparameters by the backend's names, which `parse_spec` checks."""
    model = student.model or own.student_model or DEFAULT_STUDENT
    known = find_student(model)
    backend = student.backend or known.backend
    hyperparameters, problems = check_hyperparameters(known, dict(student.hyperparameters), backend)
    update = {"model": model, "backend": backend} | (
        {} if problems else {"hyperparameters": hyperparameters}
    )
    return student.model_copy(update=update)


async def read_spec(storage: Storage, paths: RunPaths) -> RunSpec:
    """The resolved specification of a run that was prepared."""
    return parse_spec(await storage.read_json(paths.specification))


def _document(spec: RunSpec) -> bytes:
    return json.dumps(
        spec.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False
    ).encode()
