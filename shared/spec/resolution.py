"""The resolved specification of a run: every default filled in, kept as `<run id>/run.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.core.paths import RunPaths
from shared.core.settings import Settings
from shared.spec.models import GenerationSpec, RunSpec, StudentSpec
from shared.spec.parse import parse_spec
from shared.spec.teacher_prices import teacher_prices
from shared.students.catalogue import DEFAULT_STUDENT, find_student
from shared.students.hyperparameters import check_hyperparameters

if TYPE_CHECKING:
    from shared.core.storage import Storage

MIN_ROWS_PER_SHARD = 128  # each shard takes an activity and a few requests to the storage
TARGET_SHARDS_OF_WORKER = 32


def resolve(spec: RunSpec, settings: Settings, run_id: str) -> RunSpec:
    """Return the specification with the defaults that come from the app settings.

    Raises InvalidInput: settings may not fit the default student, or the teacher have no price that
    a monthly budget needs. Raises SettingsError if the teacher is to be asked and isn't configured,
    or a student trained without a service.
    """
    students = [
        _resolve_student(student, settings, _model_name(run_id, number))
        for number, student in enumerate(spec.students)
    ]
    check_services(spec, settings)
    update: dict[str, Any] = {"generation": _resolve_generation(spec)}
    if students:
        update["student"] = students if isinstance(spec.student, list) else students[0]
    if not spec.answers.are_provided:
        model = spec.teacher.model or settings.teacher_model
        update["teacher"] = spec.teacher.model_copy(update={"model": model})
    resolved = spec.model_copy(update=update)
    return parse_spec(resolved.document)


def _resolve_generation(spec: RunSpec) -> GenerationSpec:
    """Return how the work is divided: into smaller shards if the run ends at a number of rows.

    The last of them then run one after the other, while other workers wait.
    """
    generation = spec.generation
    target = spec.quality.target_rows
    if target is None or "rows_per_shard" in generation.model_fields_set:
        return generation
    rows = target // (TARGET_SHARDS_OF_WORKER * generation.parallel_shards)
    rows = max(MIN_ROWS_PER_SHARD, min(generation.rows_per_shard, rows))
    return generation.model_copy(update={"rows_per_shard": rows})


def check_services(spec: RunSpec, settings: Settings) -> None:
    """Raise SettingsError if the run needs a service that isn't configured.

    Raises InvalidInput if the app has a monthly budget, but the run's teacher no price.
    """
    if not spec.answers.are_provided:
        settings.check_teacher()
        if settings.monthly_budget is not None:
            teacher_prices(spec, settings)
    if spec.students:
        settings.check_fine_tuning()


def _model_name(run_id: str, number: int) -> str:
    """Return the name under which a student is registered unless its settings name one."""
    return f"{run_id}-s{number + 1}" if number else run_id


def _resolve_student(student: StudentSpec, settings: Settings, model_name: str) -> StudentSpec:
    """Return a student with its model, backend, and hyperparameters under the backend's names.

    Wrong hyperparameters stay as they are, for `parse_spec` to report.
    """
    model = student.model or settings.student_model or DEFAULT_STUDENT
    catalogued = find_student(model)
    backend = student.backend or catalogued.backend
    hyperparameters, problems = check_hyperparameters(
        catalogued, dict(student.hyperparameters), backend
    )
    update: dict[str, Any] = {
        "model": model,
        "backend": backend,
        "registered_model_name": student.registered_model_name or model_name,
    }
    if not problems:
        update["hyperparameters"] = hyperparameters
    return student.model_copy(update=update)


async def read_spec(storage: Storage, paths: RunPaths) -> RunSpec:
    """Return the resolved specification of a run. Raises NotFound before it is prepared."""
    return parse_spec(await storage.read_json(paths.specification))


def spec_document(spec: RunSpec) -> bytes:
    """Return the content of `run.json`."""
    return json.dumps(spec.document, indent=1, ensure_ascii=False).encode()
