"""Model distillation on Azure Durable Functions: the app, every trigger, and nothing else.

A dataset dropped at `datasets/<task>/<name>/train.jsonl`, or `POST /api/runs`, starts a run; the other routes watch it.
Nothing here may fail at import: one missing setting must not hide every function.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import azure.durable_functions as df
import azure.functions as func

from activities import (
    assemble,
    finetune,
    generate,
    preflight,
    prepare,
    progress,
    report,
    reuse,
    scan,
)
from orchestrators import finetune as finetuning
from orchestrators import generate as generation
from orchestrators import run
from orchestrators import scan as scanning
from shared.core import settings
from shared.core.errors import DistillationError, ErrorCode, NotFound, PermanentError
from shared.core.ids import finetuning_id, parts_of
from shared.core.logs import quieten_azure_sdks
from shared.core.paths import TRIGGER_PATH
from shared.core.process import current
from shared.core.storage_account import open_storage
from shared.report.model import report_of
from shared.runs.contracts import DISTILLATION_RUN, Event
from shared.runs.dry_run import parse_dry_run, rehearse
from shared.runs.listing import list_runs, parse_filter
from shared.runs.requests import RunRequest, claim, request_of_body, request_of_upload
from shared.runs.responses import error_body, parse_body, status_of
from shared.runs.resume import check_changes, next_round
from shared.runs.status import (
    STAGES_WITH_SHARDS,
    TERMINAL,
    InstanceState,
    RunState,
    initial_view,
    run_view,
)
from shared.spec.models import MAX_STUDENTS, parse_parallel_shards, parse_spec
from shared.spec.resolution import resolve

quieten_azure_sdks()
app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
orchestrations = (run, scanning, generation, finetuning)
for part in (
    *orchestrations,
    prepare,
    scan,
    reuse,
    preflight,
    generate,
    progress,
    assemble,
    finetune,
    report,
):
    app.register_functions(part.bp)


def _trigger_source() -> func.BlobSource:
    """Needed at indexing, where nothing may fail: a value that means nothing is reported when a run starts."""
    event_grid = settings.trigger_source() == func.BlobSource.EVENT_GRID.value
    return func.BlobSource.EVENT_GRID if event_grid else func.BlobSource.LOGS_AND_CONTAINER_SCAN


Client = df.DurableOrchestrationClient


@cast(Any, app).blob_trigger(
    arg_name="dataset", path=TRIGGER_PATH, connection=settings.STORAGE, source=_trigger_source()
)
@app.durable_client_input(client_name="client")
async def dataset_uploaded(
    dataset: func.InputStream, client: df.DurableOrchestrationClient
) -> None:
    """One run for each version of an uploaded dataset, however often the event is delivered."""
    path = str(dataset.name)
    async with open_storage(current().settings) as storage:
        request = await request_of_upload(storage, path)
        if request is None:
            logging.warning("%s is gone; no run was started", path)
            return
        await claim(storage, request)
    if await _start(client, request):
        logging.info("run %s started for %s", request.run_id, path)


@app.route(route="runs", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_run(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """202 with our status link and Durable's check-status links; with `?dry_run=true`, 200 with what the run would find."""

    async def start() -> func.HttpResponse:
        dry_run = parse_dry_run(_query(req))
        body = parse_body(_content_type(req), req.get_body())
        own = current().settings
        async with open_storage(own) as storage:
            request = await request_of_body(storage, body)
            if dry_run:
                return _json(
                    await rehearse(storage, resolve(parse_spec(body), own, request.run_id))
                )
            if await _status(client, request.run_id) is not None:
                raise _exists(request)
            await claim(storage, request)
        if not await _start(client, request):
            raise _exists(request)
        return _accepted(req, client, request)

    return await _answered(start)


@app.route(route="runs", methods=["GET"])
@app.durable_client_input(client_name="client")
async def get_runs(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """A page of runs: `?status=&task=&prefix=&since=&limit=&after=`."""

    async def view_of(run_id: str) -> dict[str, Any] | None:
        durable = await _status(client, run_id)
        return None if durable is None else run_view(durable, {"self": _self_link(req, run_id)})

    async def page() -> func.HttpResponse:
        wanted = parse_filter(_query(req))
        async with open_storage(current().settings) as storage:
            return _json(await list_runs(storage, wanted, view_of))

    return await _answered(page)


@app.route(route="runs/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def get_run(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """One run: stage, counts, fine-tuning job, error, outputs, links."""

    async def view() -> func.HttpResponse:
        run_id = req.route_params["id"]
        seen = run_view(await _existing(client, run_id), _links(req, client, run_id))
        if "report" in seen["outputs"]:
            async with open_storage(current().settings) as storage:
                seen["report"] = await report_of(storage, run_id)
        return _json(seen)

    return await _answered(view)


@app.route(route="runs/{id}/cancel", methods=["POST"])
@app.durable_client_input(client_name="client")
async def cancel_run(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """202: generation stops, the fine-tuning job is cancelled, the run ends as `cancelled`. 409 when it has ended."""

    async def cancel() -> func.HttpResponse:
        run_id = req.route_params["id"]
        links = _links(req, client, run_id)
        view = run_view(await _existing(client, run_id), links)
        if view["status"] in TERMINAL:
            raise PermanentError(
                f"run {run_id} has ended already: {view['status']}", code=ErrorCode.RUN_ENDED
            )
        await client.raise_event(run_id, Event.CANCEL, "user")
        if view["status"] == RunState.SUSPENDED:  # or it would not hear of it
            await client.resume(run_id, "cancelled")
        for student in range(max(1, len(view["students"]))):
            follower = finetuning_id(run_id, student)
            if _is_running(await _status(client, follower)):
                await client.raise_event(follower, Event.CANCEL, "user")
        return _json(view, 202, {"Location": links["self"]})

    return await _answered(cancel)


@app.route(route="runs/{id}/resume", methods=["POST"])
@app.durable_client_input(client_name="client")
async def resume_run(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """202: a run that has ended goes on with what it has, with changed settings where the body gives them; one that was paused
    goes on as it is. 409 while it runs."""

    async def resume() -> func.HttpResponse:
        run_id = req.route_params["id"]
        changes = check_changes(
            parse_body(_content_type(req), req.get_body()) if req.get_body() else {}
        )
        if not changes and await _status_of(client, run_id) == RunState.SUSPENDED:
            await client.resume(run_id, "user")
            return _json(
                run_view(await _existing(client, run_id), _links(req, client, run_id)), 202
            )
        for instance_id in (run_id, *parts_of(run_id, MAX_STUDENTS)):
            if _is_running(await _status(client, instance_id)):
                raise PermanentError(
                    f"run {run_id} is active ({instance_id}): cancel it first",
                    code=ErrorCode.RUN_ACTIVE,
                )
        async with open_storage(current().settings) as storage:
            request = await next_round(storage, run_id, changes)
        await client.start_new(DISTILLATION_RUN, run_id, request.model_dump())
        return _accepted(req, client, request)

    return await _answered(resume)


@app.route(route="runs/{id}/pause", methods=["POST"])
@app.durable_client_input(client_name="client")
async def pause_run(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """202: the teacher is asked for nothing more until the run is resumed; answers on their way are kept. 409 when it has ended."""

    async def pause() -> func.HttpResponse:
        run_id = req.route_params["id"]
        links = _links(req, client, run_id)
        view = run_view(await _existing(client, run_id), links)
        if view["status"] in TERMINAL:
            raise PermanentError(
                f"run {run_id} has ended already: {view['status']}", code=ErrorCode.RUN_ENDED
            )
        await client.suspend(run_id, "user")
        return _json(view, 202, {"Location": links["self"]})

    return await _answered(pause)


@app.route(route="runs/{id}/concurrency", methods=["POST"])
@app.durable_client_input(client_name="client")
async def steer_run(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """202: `{"parallel_shards": n}` shards of each split at a time from now on. 409 when no shard is to be answered any more."""

    async def steer() -> func.HttpResponse:
        run_id = req.route_params["id"]
        wanted = parse_parallel_shards(parse_body(_content_type(req), req.get_body()))
        links = _links(req, client, run_id)
        view = run_view(await _existing(client, run_id), links)
        if view["status"] in TERMINAL or view["stage"] not in STAGES_WITH_SHARDS:
            raise PermanentError(
                f"run {run_id} answers no shards any more ({view['stage']})",
                code=ErrorCode.RUN_PAST_GENERATION,
            )
        await client.raise_event(run_id, Event.CONCURRENCY, wanted)
        return _json(view, 202, {"Location": links["self"]})

    return await _answered(steer)


async def _status_of(client: Client, run_id: str) -> str | None:
    """The run's status, None where there is no such run."""
    durable = await _status(client, run_id)
    return None if durable is None else run_view(durable, {})["status"]


async def _status(client: Client, instance_id: str) -> dict[str, Any] | None:
    """Durable's status JSON of an instance, None where there is none."""
    status: Any = await client.get_status(instance_id, show_input=True)
    if status.runtime_status is None:
        return None
    return status.to_json()


async def _existing(client: Client, run_id: str) -> dict[str, Any]:
    durable = None if ":" in run_id else await _status(client, run_id)
    if durable is None or durable.get("name") != DISTILLATION_RUN:
        raise NotFound(f"there is no run {run_id}")
    return durable


def _is_running(durable: dict[str, Any] | None) -> bool:
    return durable is not None and InstanceState.is_active(durable.get("runtimeStatus"))


async def _start(client: Client, request: RunRequest) -> bool:
    """Start a run, unless it exists already, or comes to exist at this moment. Returns whether this call did it."""
    if await _status(client, request.run_id) is not None:
        return False
    try:
        await client.start_new(DISTILLATION_RUN, request.run_id, request.model_dump())
    except Exception:  # the SDK has no type for "exists already"
        if await _status(client, request.run_id) is None:
            raise
        return False
    return True


def _exists(request: RunRequest) -> PermanentError:
    message = f"run {request.run_id} exists already: give the new run another name"
    return PermanentError(message, code=ErrorCode.RUN_EXISTS)


def _accepted(req: func.HttpRequest, client: Client, request: RunRequest) -> func.HttpResponse:
    links = _links(req, client, request.run_id)
    view = {**initial_view(request.run_id, request.task, request.name), "links": links, **links}
    return _json(view, 202, {"Location": links["self"], "Retry-After": "5"})


def _links(req: func.HttpRequest, client: Client, run_id: str) -> dict[str, str]:
    own = _self_link(req, run_id)
    durable = {
        key: url
        for key, url in client.get_client_response_links(req, run_id).items()
        if key != "id"
    }
    actions = {action: f"{own}/{action}" for action in ("cancel", "pause", "resume", "concurrency")}
    return {"self": own, **actions, **durable}


def _content_type(req: func.HttpRequest) -> str:
    return cast(Mapping[str, str], req.headers).get("Content-Type", "")


def _query(req: func.HttpRequest) -> dict[str, str]:
    """The query without the key that may be in it."""
    return {key: value for key, value in req.params.items() if key != "code"}


def _self_link(req: func.HttpRequest, run_id: str) -> str:
    base, _, _ = req.url.partition("/api/runs")
    return f"{base}/api/runs/{run_id}"


async def _answered(answer: Callable[[], Awaitable[func.HttpResponse]]) -> func.HttpResponse:
    try:
        return await answer()
    except DistillationError as error:
        return _json(error_body(error), status_of(error))


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> func.HttpResponse:
    text = json.dumps(body, ensure_ascii=False, default=str)
    return func.HttpResponse(text, status_code=status, headers=headers, mimetype="application/json")
