"""Model distillation on Azure Durable Functions: every trigger of the app.

A dataset uploaded to `datasets/<task>/<name>/train.jsonl`, or `POST /api/runs`, starts a run; the
other routes watch and control it. Nothing here may fail at import: one missing setting must not
hide every function.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import azure.durable_functions as df
import azure.functions as func

import activities.assemble
import activities.deletion
import activities.finetune
import activities.first_wave
import activities.generate
import activities.notify
import activities.preflight
import activities.prepare
import activities.progress
import activities.queue
import activities.report
import activities.reuse
import activities.scan
import orchestrators.deletion
import orchestrators.finetune
import orchestrators.generate
import orchestrators.notify
import orchestrators.run
import orchestrators.scan
from shared.core.errors import DistillationError, SettingsError
from shared.core.ids import checked_run_id
from shared.core.logs import quieten_azure_sdks, redact_logs
from shared.core.paths import TRIGGER_PATH, UPLOADS_PATH
from shared.core.process import current
from shared.core.settings import STORAGE, trigger_source
from shared.runs import handlers
from shared.runs.activity import raise_without_secrets
from shared.runs.callers import Access, access_of
from shared.runs.http import ApiAnswer, ApiRequest, error_answer, query_of
from shared.runs.routes import FOR_READERS

BLUEPRINTS = (
    orchestrators.run.bp,
    orchestrators.scan.bp,
    orchestrators.generate.bp,
    orchestrators.finetune.bp,
    orchestrators.notify.bp,
    orchestrators.deletion.bp,
    activities.prepare.bp,
    activities.scan.bp,
    activities.reuse.bp,
    activities.preflight.bp,
    activities.generate.bp,
    activities.first_wave.bp,
    activities.progress.bp,
    activities.queue.bp,
    activities.assemble.bp,
    activities.finetune.bp,
    activities.report.bp,
    activities.notify.bp,
    activities.deletion.bp,
)
DELETIONS_SCHEDULE = "0 17 * * * *"  # each hour, but not with everybody else's timers
Client = df.DurableOrchestrationClient
Trigger = Callable[[func.HttpRequest, Client], Awaitable[func.HttpResponse]]

quieten_azure_sdks()
redact_logs()
app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in BLUEPRINTS:
    app.register_functions(blueprint)


def answers_errors(trigger: Trigger) -> Trigger:
    """Refuse who may only look, and answer this app's own errors as JSON.

    Any other exception is left to the host, which logs it: without secrets.
    """

    @functools.wraps(trigger)
    async def answering(req: func.HttpRequest, client: Client) -> func.HttpResponse:
        try:
            if trigger.__name__ not in FOR_READERS:
                access_of_request(req).check_change()
            return await trigger(req, client)
        except DistillationError as error:
            return response(error_answer(error))
        except Exception as error:
            try:
                raise_without_secrets(error)
            except DistillationError as redacted:
                return response(error_answer(redacted))
            raise

    return answering


def access_of_request(req: func.HttpRequest) -> Access:
    """Return who sends a request. While CALLERS is wrong, nobody may change anything."""
    headers = cast(Mapping[str, str], req.headers)
    try:
        keys = current().api_keys
    except SettingsError as error:
        return Access(refusal=error)
    return access_of(req.url, req.params, headers, keys, os.environ)


def api_request(req: func.HttpRequest, client: Client) -> ApiRequest:
    """Return the request without the SDK's types, and without the function key in its query.

    Raises NotFound if its path names no run id.
    """
    headers = cast(Mapping[str, str], req.headers)
    return ApiRequest(
        url=req.url,
        query=query_of(req.url, req.params),
        content_type=headers.get("Content-Type", ""),
        body=req.get_body(),
        run_id=checked_run_id(req.route_params["id"]) if "id" in req.route_params else "",
        durable_links=lambda run_id: client.get_client_response_links(req, run_id),
        access=access_of_request(req),
    )


def response(answer: ApiAnswer) -> func.HttpResponse:
    """Return the answer as the SDK's response."""
    return func.HttpResponse(
        answer.content(current().redact),
        status_code=answer.status,
        headers=answer.headers or None,
        mimetype="application/json",
    )


def blob_source() -> func.BlobSource:
    """Return the source of the blob trigger. A wrong setting is reported when a run starts."""
    if trigger_source() == func.BlobSource.EVENT_GRID.value:
        return func.BlobSource.EVENT_GRID
    return func.BlobSource.LOGS_AND_CONTAINER_SCAN


dataset_trigger = cast(Any, app).blob_trigger(
    arg_name="dataset", path=TRIGGER_PATH, connection=STORAGE, source=blob_source()
)


@dataset_trigger
@app.durable_client_input(client_name="client")
async def dataset_uploaded(dataset: func.InputStream, client: Client) -> None:
    """Start one run for each version of an uploaded dataset."""
    await handlers.start_uploaded(client, str(dataset.name))


uploads_trigger = cast(Any, app).blob_trigger(
    arg_name="blob", path=UPLOADS_PATH, connection=STORAGE, source=blob_source()
)


@uploads_trigger
async def upload_checked(blob: func.InputStream) -> None:
    """Leave a file beside a blob that is nearly a dataset, and says why it starts nothing.

    The blob isn't read, but the host hands over its content all the same.
    """
    await handlers.check_upload(str(blob.name))


@app.route(route="openapi.json", methods=["GET"])
@app.durable_client_input(client_name="client")
@answers_errors
async def get_openapi(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Describe this API: OpenAPI 3.1."""
    return response(handlers.get_openapi(api_request(req, client)))


@app.timer_trigger(arg_name="timer", schedule=DELETIONS_SCHEDULE)
@app.durable_client_input(client_name="client")
async def look_after_deletions(timer: func.TimerRequest, client: Client) -> None:
    """Delete runs whose retention period is over, and go on with interrupted deletions."""
    await handlers.look_after_deletions(client)


@app.route(route="runs", methods=["POST"])
@app.durable_client_input(client_name="client")
@answers_errors
async def start_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Start a run. `?dry_run=true` returns what the run would find."""
    return response(await handlers.start_run(client, api_request(req, client)))


@app.route(route="datasets", methods=["GET"])
@app.durable_client_input(client_name="client")
@answers_errors
async def get_datasets(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Return a page of datasets, with their problems: `?task=&prefix=&limit=&after=`."""
    return response(await handlers.list_datasets(client, api_request(req, client)))


@app.route(route="runs", methods=["GET"])
@app.durable_client_input(client_name="client")
@answers_errors
async def get_runs(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Return a page of runs: `?status=&task=&prefix=&since=&limit=&after=`."""
    return response(await handlers.list_runs(client, api_request(req, client)))


@app.route(route="runs/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
@answers_errors
async def get_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Return a run: stage, counters, fine-tuning job, error, outputs, links."""
    return response(await handlers.get_run(client, api_request(req, client)))


@app.route(route="runs/{id}", methods=["DELETE"])
@app.durable_client_input(client_name="client")
@answers_errors
async def delete_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Delete a run that has ended. `?dataset=true` deletes its dataset, too."""
    return response(await handlers.delete_run(client, api_request(req, client)))


@app.route(route="runs/{id}/cancel", methods=["POST"])
@app.durable_client_input(client_name="client")
@answers_errors
async def cancel_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Cancel a run and its fine-tuning jobs."""
    return response(await handlers.cancel_run(client, api_request(req, client)))


@app.route(route="runs/{id}/resume", methods=["POST"])
@app.durable_client_input(client_name="client")
@answers_errors
async def resume_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Resume a paused run, or start another round of one that has ended."""
    return response(await handlers.resume_run(client, api_request(req, client)))


@app.route(route="runs/{id}/pause", methods=["POST"])
@app.durable_client_input(client_name="client")
@answers_errors
async def pause_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Pause a run: answers that are on their way are kept."""
    return response(await handlers.pause_run(client, api_request(req, client)))


@app.route(route="runs/{id}/concurrency", methods=["POST"])
@app.durable_client_input(client_name="client")
@answers_errors
async def steer_run(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Change how many shards of each split are answered at a time."""
    return response(await handlers.set_concurrency(client, api_request(req, client)))


@app.route(route="runs/{id}/files", methods=["GET"])
@app.durable_client_input(client_name="client")
@answers_errors
async def get_run_files(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Return the names and sizes of a run's files."""
    return response(await handlers.list_run_files(api_request(req, client)))


@app.route(route="runs/{id}/files", methods=["POST"])
@app.durable_client_input(client_name="client")
@answers_errors
async def download_run_file(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Return a URL that reads one file of a run for a few minutes."""
    return response(await handlers.download_run_file(api_request(req, client)))


@app.route(route="datasets/{task}/{name}", methods=["GET"])
@app.durable_client_input(client_name="client")
@answers_errors
async def get_dataset(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Return the files of a dataset, and the run that its training set starts."""
    task, name = req.route_params["task"], req.route_params["name"]
    return response(await handlers.get_dataset(api_request(req, client), task, name))


@app.route(route="datasets/{task}/{name}/uploads", methods=["POST"])
@app.durable_client_input(client_name="client")
@answers_errors
async def upload_dataset(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    """Return URLs that write the files of a dataset for a few minutes."""
    task, name = req.route_params["task"], req.route_params["name"]
    return response(await handlers.upload_dataset(api_request(req, client), task, name))
