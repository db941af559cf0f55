"""What each trigger of the app does.

`function_app.py` binds these functions to routes and events.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shared.core.counters import Counters
from shared.core.errors import DistillationError, ErrorCode, NotFound, PermanentError, SettingsError
from shared.core.ids import finetuning_id
from shared.core.paths import ASKED_SPLITS, RunPaths, Split, deletion, split_path
from shared.core.process import current
from shared.core.run_actions import UPLOADER, ActionName, record_action, shown_actions
from shared.core.storage_account import open_storage
from shared.generation.journal import split_counters
from shared.generation.split_target import without_outdated
from shared.report.model import report_of
from shared.runs import instances, listing, requests, transfers
from shared.runs.contracts import Event
from shared.runs.dataset_listing import DatasetListing, parse_dataset_filter
from shared.runs.deletion import begin_deletion, parse_deletion
from shared.runs.dry_run import dry_run, parse_dry_run
from shared.runs.http import ApiAnswer, ApiRequest, ErrorBody
from shared.runs.instances import DurableClient
from shared.runs.near_misses import check_name
from shared.runs.openapi import openapi_document
from shared.runs.problem_files import ProblemFiles
from shared.runs.requests import RunRequest, check_hub, claim, write_request
from shared.runs.resume import check_changes, next_round, parse_take_over
from shared.runs.retention import continue_deletions, delete_old_runs
from shared.runs.run_lease import sole_access
from shared.runs.run_queue import QueuePlaces
from shared.runs.status import STAGES_WITH_SHARDS, TERMINAL, RunState
from shared.runs.tombstones import (
    RunGone,
    check_not_deleted,
    deletion_ids,
    read_deletion,
    unfinished_deletion,
)
from shared.runs.view import (
    InstanceStatus,
    RunView,
    round_of,
    run_view,
    show_deletion,
    show_retention,
    view_of_deletion,
)
from shared.spec.parse import parse_parallel_shards, parse_spec
from shared.spec.resolution import read_spec, resolve
from shared.students.catalogue import DEFAULT_STUDENT
from shared.teacher.budget import MonthlySpend, read_monthly_spend

if TYPE_CHECKING:
    from shared.core.storage import Storage

log = logging.getLogger(__name__)
# of answers with a signature in them
UNCACHED = {"Cache-Control": "no-store"}


async def start_uploaded(client: DurableClient, path: str) -> None:
    """Start one run for each version of an uploaded dataset, however often the event arrives.

    Only the storage settings are needed here: if another app setting is wrong, the run starts and
    fails with the code `settings`, so that the upload leaves a trace. Raises SettingsError.
    """
    try:
        storage_settings = current().storage_settings
    except SettingsError as error:
        log.error("no run could be started for %s: %s", path, error)
        raise
    async with open_storage(storage_settings) as storage:
        request = await requests.request_of_upload(storage, path)
        if request is None:
            log.warning("no run was started for %s: the blob no longer exists", path)
            return
        try:
            request = await claim(storage, request, instances.task_hub(client))
        except RunGone as gone:
            log.info("no run was started for %s: %s", path, gone)
            return
        except PermanentError as error:  # an app with another task hub got the same event
            log.warning("no run was started for %s: %s", path, error)
            return
    if await instances.start(client, request):
        log.info("run %s started for %s", request.run_id, path)
        await record_action(request.run_id, ActionName.START, UPLOADER)


async def check_upload(path: str) -> None:
    """Leave a problem file beside a blob that is nearly a dataset; see `problem_files`.

    Most blobs, and the problem files themselves, cost no request. Raises SettingsError.
    """
    _, name = split_path(path)
    if check_name(name) is None:
        return
    async with open_storage(current().storage_settings) as storage:
        await ProblemFiles(storage.datasets, storage).update(name)


async def start_run(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """202 with the run's links; with `?dry_run=true`, 200 with what the run would find."""
    query = parse_dry_run(request.query)
    body = request.json()
    settings = current().settings
    async with open_storage(settings) as storage:
        run_request = await requests.request_of_body(storage, body)
        spec = parse_spec(body)
        run_id = run_request.run_id
        resolved = resolve(spec, settings, run_id)
        if await instances.read_status(client, run_id) is not None:
            raise _exists(run_request)
        await _check_unused(storage, run_request)
        if query.is_dry_run:
            return ApiAnswer(await dry_run(storage, resolved, settings, run_id, query.probe))
        run_request = await claim(storage, run_request, instances.task_hub(client))
    if not await instances.start(client, run_request):
        raise _exists(run_request)
    await record_action(run_id, ActionName.START, request.access.caller)
    return _accepted_request(request, run_request)


def get_openapi(request: ApiRequest) -> ApiAnswer:
    """200 with the OpenAPI document of these routes."""
    request.check_no_query()
    return ApiAnswer(openapi_document())


async def list_runs(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """200 with a page of runs, and how much of the month's budget is used if there is one."""

    run_filter = listing.parse_filter(request.query)
    async with open_storage(current().storage_settings) as storage:
        places = QueuePlaces(storage)
        deletions = {run_id async for run_id in deletion_ids(storage)}
        days = _retention_days()

        async def view_of(run_id: str) -> RunView | None:
            status = await instances.read_status(client, run_id)
            record = await read_deletion(storage, run_id) if run_id in deletions else None
            links = {"self": request.self_link(run_id)}
            if status is None:
                return view_of_deletion(record, links) if record else None
            view = await _view(storage, status, links)
            await places.show(view)
            show_retention(view, days)
            show_deletion(view, record)
            return view

        page = await listing.list_runs(storage, run_filter, view_of)
        month = await _monthly_spend(storage)
    return ApiAnswer({**page, "monthly_budget": month} if month else page)


async def list_datasets(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """200 with a page of datasets: their files, runs and problems."""
    query = parse_dataset_filter(request.query)

    async def view_of(run_id: str) -> RunView | None:
        status = await instances.read_status(client, run_id)
        return run_view(status, {}) if status is not None else None

    async with open_storage(current().storage_settings) as storage:
        datasets = DatasetListing(
            storage.datasets, storage, lambda prefix: storage.run_ids(prefix, ""), view_of
        )
        return ApiAnswer(await datasets.page(query))


async def _monthly_spend(storage: Storage) -> MonthlySpend | ErrorBody | None:
    """Return how much of the month's budget is used.

    Runs are listed also if a setting is wrong, or if the ledger can't be read, which is told.
    """
    try:
        settings = current().settings
    except SettingsError:
        return None
    try:
        return await read_monthly_spend(storage, settings)
    except PermanentError as error:
        return {"error": error.as_data()}


async def get_run(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """200 with the run's stage, counters, fine-tuning job, error, outputs and links.

    410 if it was deleted.
    """
    run_id = request.run_id
    links = request.links(run_id, durable=request.wants_durable_links)
    try:
        status = await instances.existing_run(client, run_id)
    except NotFound as missing:
        return await _view_without_instance(missing, run_id, links)
    view = run_view(status, links)
    if view.status not in TERMINAL and view.status is not RunState.QUEUED:
        view.actions = await shown_actions(run_id)
        return ApiAnswer(view)
    async with open_storage(current().storage_settings) as storage:
        if "report" not in view.outputs:
            view = await _view(storage, status, links)
        if view.status in TERMINAL and _notifies():
            number = round_of(status)
            view.warnings += await instances.notification_warnings(client, run_id, number)
        view.actions = await shown_actions(run_id)
        await QueuePlaces(storage).show(view)
        show_retention(view, _retention_days())
        # it may have been deleted since its status was read
        show_deletion(view, await unfinished_deletion(storage, run_id))
        if "report" not in view.outputs:
            return ApiAnswer(view)
        report = await report_of(storage, run_id)
    return ApiAnswer({**dict(view), "report": report})


async def _view_without_instance(
    missing: NotFound, run_id: str, links: dict[str, str]
) -> ApiAnswer:
    """Return the view of a run that is being deleted. Raises RunGone, or else `missing`."""
    async with open_storage(current().storage_settings) as storage:
        record = await unfinished_deletion(storage, run_id)
        if record is not None and not record.has_failed:
            return ApiAnswer(view_of_deletion(record, links))
    raise missing


def _notifies() -> bool:
    """Return whether ends of runs are announced, or would be if the settings were right."""
    try:
        return current().notification_target is not None
    except SettingsError:
        return True


def _was_cut_off(view: RunView) -> bool:
    """Return whether a run with counts has ended without a last step: terminated, or broken."""
    is_broken = view.error is not None and view.error["code"] == ErrorCode.ORCHESTRATION
    return bool(view.splits) and (view.status is RunState.TERMINATED or is_broken)


async def _view(storage: Storage, status: InstanceStatus, links: Mapping[str, str]) -> RunView:
    """Return the view of a run. One that was cut off could not count its last answers.

    They are in its journals.
    """
    view = run_view(status, links)
    if not _was_cut_off(view):
        return view
    paths = RunPaths(view.id)
    try:
        spec = await read_spec(storage, paths)
    except NotFound:  # somebody has deleted the run's folder
        return view
    counters: dict[Split, Counters] = {}
    for split in ASKED_SPLITS:
        if split in view.splits:
            stored = await split_counters(storage, paths, split)
            counters[split] = without_outdated(spec, split, stored)
    return run_view(status, links, counters, spec.budget)


def _retention_days() -> int | None:
    """Return RETENTION_DAYS. Runs are shown also if a setting is wrong."""
    try:
        return current().settings.retention_days
    except SettingsError:
        return None


async def delete_run(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """202: the run is being deleted. 409 while it is active, 410 once it was deleted."""
    run_id = request.run_id
    query = parse_deletion(request.query)
    links = {"self": request.self_link(run_id)}
    async with open_storage(current().storage_settings) as storage:
        record = await begin_deletion(storage, client, run_id, query)
    log.info("run %s: delete by %s", run_id, request.access.caller)
    headers = {"Location": links["self"], "Retry-After": "5"}
    return ApiAnswer(view_of_deletion(record, links), 202, headers)


async def look_after_deletions(client: DurableClient) -> None:
    """Go on with interrupted deletions, and delete runs whose retention period is over.

    Whatever fails is logged: the next look tries it again.
    """
    try:
        async with open_storage(current().storage_settings) as storage:
            await continue_deletions(storage, client)
            days = current().settings.retention_days
            if days is not None:
                await delete_old_runs(storage, client, days)
    except DistillationError as error:
        log.error("runs that are to be deleted could not be looked for: %s", error)


async def cancel_run(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """202: generation stops, the fine-tuning jobs are cancelled. 409 if the run has ended."""
    request.check_no_query()
    run_id = request.run_id
    view = await instances.unfinished_view(client, run_id, request.links(run_id))
    if not await instances.raise_event(client, run_id, Event.CANCEL, "user"):
        raise instances.run_ended(run_id)
    if view.status == RunState.SUSPENDED:  # a suspended orchestration does not see events
        await client.resume(run_id, "cancelled")
    for student in range(max(1, len(view.students))):
        instance_id = finetuning_id(run_id, student)
        if await instances.is_active(client, instance_id):
            await instances.raise_event(client, instance_id, Event.CANCEL, "user")
    await record_action(run_id, ActionName.CANCEL, request.access.caller)
    return _accepted(view)


async def resume_run(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """202: a run that has ended starts another round, a paused one continues, or starts another
    round if settings change. 409 if it is active, or resumed by another request at this moment, or
    if it belongs to another task hub, unless `?take_over=true` says that this one is gone.
    """
    takes_over = parse_take_over(request.query)
    run_id = request.run_id
    changes = check_changes(request.json() if request.body else {})
    is_suspended = await _is_suspended(client, run_id)
    if is_suspended and not changes:
        await client.resume(run_id, "user")
        await record_action(run_id, ActionName.RESUME, request.access.caller)
        status = await instances.existing_run(client, run_id)
        view = run_view(status, request.links(run_id))
        if view.stage == "queue":  # others may have passed it meanwhile
            await instances.raise_event(client, run_id, Event.TURN)
        return ApiAnswer(view, 202)
    settings = current().settings
    default_student = settings.student_model or DEFAULT_STUDENT
    async with open_storage(settings) as storage, _sole_resume(storage, run_id) as lease:
        is_suspended = await _is_suspended(client, run_id)  # another request may have resumed it
        if not is_suspended:
            await instances.check_inactive(client, run_id)
        hub = instances.task_hub(client)
        if not takes_over:
            await check_hub(storage, run_id, hub)
        run_request = await next_round(storage, run_id, changes, default_student)
        if is_suspended:
            await instances.terminate(client, run_id, "resumed with changes")
        await instances.end_parts(client, run_id)
        before = await storage.read(RunPaths(run_id).request)
        await write_request(storage, run_request, lease, hub)
        try:
            await instances.restart(client, run_request)
        except Exception:  # the SDK has no type for "is active"
            await storage.write(RunPaths(run_id).request, before, lease=lease)
            await instances.check_inactive(client, run_id)
            raise
        await storage.delete(deletion(run_id))  # of one that has failed
    await record_action(run_id, ActionName.RESUME, request.access.caller)
    return _accepted_request(request, run_request)


@asynccontextmanager
async def _sole_resume(storage: Storage, run_id: str) -> AsyncGenerator[str]:
    """Be the only one that resumes or deletes a run, and give the lease of its request.

    Raises NotFound, and PermanentError for a run that is being deleted or was.
    """
    await check_not_deleted(storage, run_id)
    async with sole_access(storage, run_id) as lease:
        await check_not_deleted(storage, run_id)
        yield lease


async def pause_run(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """202: no further requests to the teacher until the run is resumed. 409 if it has ended."""
    request.check_no_query()
    run_id = request.run_id
    view = await instances.unfinished_view(client, run_id, request.links(run_id))
    await client.suspend(run_id, "user")
    await record_action(run_id, ActionName.PAUSE, request.access.caller)
    return _accepted(view)


async def set_concurrency(client: DurableClient, request: ApiRequest) -> ApiAnswer:
    """202: `parallel_shards` of each split run at a time from now on. 409 after generation."""
    request.check_no_query()
    run_id = request.run_id
    parallel_shards = parse_parallel_shards(request.json())
    status = await instances.existing_run(client, run_id)
    view = run_view(status, request.links(run_id))
    if view.status in TERMINAL or view.stage not in STAGES_WITH_SHARDS:
        message = f"run {run_id} has no shards left to answer (stage {view.stage})"
        raise PermanentError(message, code=ErrorCode.RUN_PAST_GENERATION)
    if not await instances.raise_event(client, run_id, Event.CONCURRENCY, parallel_shards):
        raise instances.run_ended(run_id)
    await record_action(run_id, ActionName.CONCURRENCY, request.access.caller)
    return _accepted(view)


async def get_dataset(request: ApiRequest, task: str, name: str) -> ApiAnswer:
    """200 with the files of a dataset, and the run that its training set starts."""
    request.check_no_query()
    task, name = transfers.checked_dataset(task, name)
    async with open_storage(current().storage_settings) as storage:
        return ApiAnswer(await transfers.dataset_of(storage, task, name))


async def upload_dataset(request: ApiRequest, task: str, name: str) -> ApiAnswer:
    """200 with a URL for each file of a dataset, to write it to. 409 if one exists."""
    request.check_no_query()
    task, name = transfers.checked_dataset(task, name)
    upload = transfers.parse_upload(request.json())
    async with open_storage(current().storage_settings) as storage:
        answer = await transfers.upload_urls(storage, task, name, upload)
    return ApiAnswer(answer, headers=UNCACHED)


async def list_run_files(request: ApiRequest) -> ApiAnswer:
    """200 with the names and sizes of a run's files."""
    request.check_no_query()
    async with open_storage(current().storage_settings) as storage:
        return ApiAnswer(await transfers.run_files(storage, request.run_id))


async def download_run_file(request: ApiRequest) -> ApiAnswer:
    """200 with a URL to read one file of a run from."""
    request.check_no_query()
    download = transfers.parse_download(request.json())
    async with open_storage(current().storage_settings) as storage:
        answer = await transfers.download_url(storage, request.run_id, download)
    return ApiAnswer(answer, headers=UNCACHED)


async def _is_suspended(client: DurableClient, run_id: str) -> bool:
    status = await instances.read_status(client, run_id)
    return status is not None and run_view(status, {}).status == RunState.SUSPENDED


async def _check_unused(storage: Storage, request: RunRequest) -> None:
    """Raise PermanentError if the run's id was that of a deleted run."""
    try:
        await check_not_deleted(storage, request.run_id)
    except RunGone as gone:
        message = f"{gone}, and its id isn't used again: give the new run another name"
        raise PermanentError(message, code=ErrorCode.RUN_EXISTS) from None


def _exists(request: RunRequest) -> PermanentError:
    message = f"run {request.run_id} already exists: give the new run another name"
    return PermanentError(message, code=ErrorCode.RUN_EXISTS)


def _accepted(view: RunView) -> ApiAnswer:
    return ApiAnswer(view, 202, {"Location": view.links["self"]})


def _accepted_request(request: ApiRequest, run_request: RunRequest) -> ApiAnswer:
    links = request.links(run_request.run_id, durable=True)
    view = RunView(
        id=run_request.run_id,
        status=RunState.PENDING,
        task=run_request.task,
        name=run_request.name,
        links=links,
    )
    headers = {"Location": links["self"], "Retry-After": "5"}
    return ApiAnswer({**dict(view), **links}, 202, headers)
