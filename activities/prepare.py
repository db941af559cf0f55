"""prepare_run: resolves the specification, and copies the inputs into the run's own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import azure.durable_functions as df

from shared.core.errors import NotFound
from shared.core.paths import SPLITS, RunPaths, Split
from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.report.teachers import write_settings
from shared.runs.activity import implements
from shared.runs.contracts import PREPARE_RUN, PreparedRun
from shared.runs.monthly_budget import month_limit
from shared.runs.problem_files import unused_files
from shared.runs.requests import RunRequest, reuse_refusal, specification
from shared.runs.resume import changed, check_student
from shared.runs.tombstones import check_not_deleted
from shared.scan.stored_scan import ranges_of
from shared.spec.models import RunSpec
from shared.spec.resolution import read_spec, resolve, spec_document

if TYPE_CHECKING:
    from shared.core.storage import Storage

bp = df.Blueprint()


@bp.activity_trigger(input_name="request", activity=PREPARE_RUN)
@implements(PREPARE_RUN)
async def prepare_run(request: RunRequest) -> PreparedRun:
    """Prepare the run. A second execution finds the first one's `run.json` and copies."""
    app_settings = current().settings
    paths = RunPaths(request.run_id)
    async with open_storage(app_settings) as storage:
        await check_not_deleted(storage, request.run_id)  # it may have been since it was started
        first = await _first_specification(storage, request)
        spec = resolve(changed(first, request.changes), app_settings, request.run_id)
        if request.round:  # checked again, now that the default student is resolved
            check_student(first, spec, request.run_id)
        etags = await _copy_inputs(storage, paths, spec, request.etag)
        spec = await _write_specification(storage, paths, spec, request.round)
        if not spec.answers.are_provided:
            await write_settings(storage, paths, spec, request.round)
        ranges = await ranges_of(storage, paths, [split for split in SPLITS if split in etags])
        unused = await _unused_files(storage, request)
    return PreparedRun(
        spec=spec,
        etags=etags,
        ranges=ranges,
        is_queued=app_settings.max_active_runs is not None,
        notifies=app_settings.notification_target is not None,
        month=month_limit(spec, app_settings),
        warnings=spec.student_warnings + app_settings.key_warnings + unused,
    )


async def _unused_files(storage: Storage, request: RunRequest) -> list[str]:
    """Return warnings of files beside an upload that it was meant to be used with."""
    if request.source != "upload" or request.round:
        return []
    return await unused_files(storage.datasets, request.train)


async def _first_specification(storage: Storage, request: RunRequest) -> RunSpec:
    """Return the specification that the run was started with.

    A resumed run ignores a `run.json` beside the dataset that may have changed since.
    """
    if request.round:
        try:
            return await read_spec(storage, RunPaths(request.run_id))
        except NotFound:  # the run ended before it was prepared
            pass
    spec = await specification(storage, request)
    if refusal := await reuse_refusal(storage, spec, request.run_id):
        raise refusal
    return spec


async def _copy_inputs(
    storage: Storage, paths: RunPaths, spec: RunSpec, train_etag: str
) -> dict[Split, str]:
    """Copy the inputs, and return the version of each."""
    etags: dict[Split, str] = {}
    for split, path in spec.inputs.items():
        etag = train_etag if split == "train" else ""
        etags[split] = await storage.copy_in(path, paths.input(split), etag)
    return etags


async def _write_specification(
    storage: Storage, paths: RunPaths, spec: RunSpec, round_: int
) -> RunSpec:
    """Write `run.json`, and return what is in it: only a resumed run replaces it."""
    if round_:
        for outdated in (paths.report, paths.card):  # the files they list are about to change
            await storage.delete(outdated)
        await storage.write(paths.specification, spec_document(spec))
        return spec
    await storage.create(paths.specification, spec_document(spec))
    return await read_spec(storage, paths)
