"""The HTTP side: the routes that the SDK calls for fine-tuning jobs, on the loopback interface."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from local.emulators.azureml import command_resources, metrics, pages, resources
from local.emulators.azureml.access import PERMISSIONS_PATH, Access
from local.emulators.azureml.arm import (
    GROUP_PATH,
    WORKSPACE_PATH,
    ArmError,
    check_request,
    json_object,
    not_found,
)
from local.emulators.azureml.catalogue import REGISTRIES, RegistryModel, find_model
from local.emulators.azureml.command_bodies import check_job
from local.emulators.azureml.commands import Commands
from local.emulators.azureml.course import RUNNING_SHARE, Courses
from local.emulators.azureml.environment import DATASTORE, METADATA_PATH, TOKEN_PATH
from local.emulators.azureml.hosted_metrics import hosted_values
from local.emulators.azureml.identity import Identity
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.store import JobRecord, ModelRecord, Store
from local.emulators.azureml.training_data import TrainingData
from local.emulators.faults import PATH as FAULTS_PATH
from local.emulators.faults import Faults

HOST = "127.0.0.1"
DATABASE = "azureml.db"
REGISTRY_PATH = "/mferp/managementfrontend" + GROUP_PATH + "/registries/{registry}"
OPEN_PATHS = (FAULTS_PATH, "/healthz", METADATA_PATH, TOKEN_PATH, "/discovery", "/studio/")
CHANGEABLE = ("description", "tags", "displayName", "properties", "isArchived")

log = logging.getLogger(__name__)


class Emulator:
    """Handlers and state of one workspace."""

    def __init__(
        self, store: Store, data: TrainingData, commands: Commands, options: EmulatorOptions
    ) -> None:
        self._store, self._commands = store, commands
        self.courses = Courses(store, data, commands, options)
        self.faults = Faults()
        self._access = Access(options.role)
        self._pace = options.pace
        self._identity = Identity(store.signing_key(), options.identity_header)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.faults.middleware, self._guard])
        self.faults.add_routes(app)
        routes = [
            ("/healthz", self._health),
            (METADATA_PATH, self._metadata),
            (TOKEN_PATH, self._identity.token),
            ("/discovery", self._discovery),
            ("/studio/runs/{job}", self._page),
            (WORKSPACE_PATH, self._workspace),
            (WORKSPACE_PATH + "/datastores/{datastore}", self._datastore),
            (PERMISSIONS_PATH, self._access.permissions),
            (WORKSPACE_PATH + "/jobs", self._list_jobs),
            (WORKSPACE_PATH + "/jobs/{job}", self._get_job),
            (WORKSPACE_PATH + "/jobs/{job}/cancellation", self._cancellation),
            (WORKSPACE_PATH + "/models/{model}/versions", self._model_versions),
            (WORKSPACE_PATH + "/models/{model}/versions/{version}", self._model_version),
            ("/history/v1.0" + WORKSPACE_PATH + "/runs/{job}", self._history),
            ("/registrymanagement/v1.0/registries/{registry}/discovery", self._registry),
            (REGISTRY_PATH + "/models/{model}/versions", self._registry_versions),
            (REGISTRY_PATH + "/models/{model}/versions/{version}", self._registry_version),
        ]
        app.add_routes([web.get(path, handler) for path, handler in routes])
        app.add_routes(metrics.routes(self._values))
        app.add_routes(command_resources.routes())
        app.router.add_put(WORKSPACE_PATH + "/jobs/{job}", self._put_job)
        app.router.add_post(WORKSPACE_PATH + "/jobs/{job}/cancel", self._cancel)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Tokens, API versions, and errors in ARM's format."""
        try:
            if not request.path.startswith(OPEN_PATHS):
                if not self._identity.accepts(request.headers.get("Authorization", "")):
                    raise ArmError(
                        401,
                        "AuthenticationFailed",
                        "The access token is missing, expired or not ours.",
                    )
                if request.path.startswith(("/subscriptions/", "/mferp/")):
                    check_request(request)
                    self._access.check(request)
            return await handler(request)
        except ArmError as error:
            return error.response()
        except web.HTTPException as error:
            message = f"{request.method} {request.path} is not emulated ({error.reason})."
            return ArmError(error.status, "NotEmulated", message).response()
        except Exception:  # the last boundary: the caller gets an answer, the log the trace
            log.exception("%s %s failed", request.method, request.path)
            return ArmError(
                500, "InternalServerError", "The emulator failed; its log says why."
            ).response()

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "jobs": len(self._store.jobs())})

    async def _metadata(self, request: web.Request) -> web.Response:
        return web.json_response(resources.cloud_metadata(_base(request)))

    async def _discovery(self, request: web.Request) -> web.Response:
        return web.json_response({"api": _base(request), "history": _base(request)})

    async def _workspace(self, request: web.Request) -> web.Response:
        return web.json_response(resources.workspace(_base(request)))

    async def _datastore(self, request: web.Request) -> web.Response:
        name = request.match_info["datastore"]
        if name != DATASTORE:
            raise not_found("datastore", name)
        return web.json_response(resources.datastore())

    async def _list_jobs(self, request: web.Request) -> web.Response:
        jobs = [resources.job(record, _base(request)) for record in self._store.jobs()]
        return web.json_response({"value": jobs})

    async def _get_job(self, request: web.Request) -> web.Response:
        return web.json_response(resources.job(self._job(request), _base(request)))

    async def _put_job(self, request: web.Request) -> web.Response:
        name = request.match_info["job"]
        asked = check_job(name, await json_object(request))
        properties = asked.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude={"status"}
        )
        known = self._store.job(name)
        if known:
            _check_change(known, properties)
            self._store.change_job(name, properties)
        else:
            self._store.add_job(name, properties)
            self.courses.start(name)
        shown = resources.job(self._job(request), _base(request))
        return web.json_response(shown, status=200 if known else 201)

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job.is_terminal:
            raise ArmError(
                400, "UserError", f"The job {job.name!r} is {job.status} and cannot be cancelled."
            )
        if job.status != "CancelRequested":
            self.courses.cancel(job.name)
        location = f"{_base(request)}{request.path.removesuffix('/cancel')}/cancellation?{request.query_string}"
        return web.Response(status=202, headers={"Location": location, "Retry-After": "1"})

    async def _cancellation(self, request: web.Request) -> web.Response:
        """Where a caller who waits for a cancellation asks: 202 until the job has ended."""
        if self._job(request).is_terminal:
            return web.Response(status=200)
        return web.Response(status=202, headers={"Location": str(request.url), "Retry-After": "1"})

    async def _model_versions(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"value": [self._model(record) for record in self._models(request)]}
        )

    async def _model_version(self, request: web.Request) -> web.Response:
        version = request.match_info["version"]
        for record in self._models(request):
            if str(record.version) == version:
                return web.json_response(self._model(record))
        raise not_found("model version", f"{request.match_info['model']}:{version}")

    def _model(self, record: ModelRecord) -> dict[str, Any]:
        job = self._store.job(record.job)
        assert job is not None
        return resources.model(record, job)

    async def _history(self, request: web.Request) -> web.Response:
        return web.json_response(resources.run_history(self._job(request)))

    async def _registry(self, request: web.Request) -> web.Response:
        name = request.match_info["registry"]
        if name.lower() not in REGISTRIES:
            raise ArmError(404, "RegistryNotFound", f"The registry {name!r} does not exist.")
        return web.json_response(resources.registry_discovery(name, _base(request)))

    async def _registry_versions(self, request: web.Request) -> web.Response:
        model = _registry_model(request)
        newest_first = [
            resources.registry_model(model, str(version)) for version in range(model.latest, 0, -1)
        ]
        return web.json_response({"value": newest_first})

    async def _registry_version(self, request: web.Request) -> web.Response:
        model, version = _registry_model(request), request.match_info["version"]
        if not model.has(version):
            message = f"Model {model.name} has no version {version}: the latest is {model.latest}."
            raise ArmError(404, "ModelNotFound", message)
        return web.json_response(resources.registry_model(model, version))

    async def _page(self, request: web.Request) -> web.Response:
        job = self._job(request)
        return web.Response(
            text=pages.job_page(job, self._store.statuses(job.name)), content_type="text/html"
        )

    def _job(self, request: web.Request) -> JobRecord:
        name = request.match_info["job"]
        job = self._store.job(name)
        if not job:
            raise not_found("job", name)
        return job

    def _values(self, job: str) -> list[metrics.Value]:
        record = self._store.job(job)
        if not record:
            raise not_found("run", job)
        if record.properties["jobType"] == "Command":
            return self._commands.values(record)
        return hosted_values(
            record, self._store.statuses(job), RUNNING_SHARE * self._pace, datetime.now(UTC)
        )

    def _models(self, request: web.Request) -> list[ModelRecord]:
        name = request.match_info["model"]
        models = self._store.models(name)
        if not models:
            raise not_found("model", name)
        return models


def _check_change(known: JobRecord, asked: dict[str, Any]) -> None:
    """Raises ArmError unless a job that exists is asked for again, with nothing but labels changed."""
    changed = sorted(
        key
        for key in known.properties.keys() | asked.keys()
        if key not in CHANGEABLE and known.properties.get(key) != asked.get(key)
    )
    if changed:
        message = (
            f"A job named {known.name!r} exists, and its {', '.join(changed)} cannot be changed."
        )
        raise ArmError(409, "UserError", message)


def _registry_model(request: web.Request) -> RegistryModel:
    registry, name = request.match_info["registry"], request.match_info["model"]
    model = find_model(registry, name)
    if not model:
        raise ArmError(404, "ModelNotFound", f"The registry {registry!r} has no model {name!r}.")
    return model


def _base(request: web.Request) -> str:
    return f"http://{request.host}"


@dataclass(frozen=True, slots=True)
class RunningEmulator:
    base_url: str


@asynccontextmanager
async def serve(
    options: EmulatorOptions, *, storage: str | None, data_dir: Path | None = None, port: int = 0
) -> AsyncGenerator[RunningEmulator]:
    """An emulator on 127.0.0.1 for the length of the block. `storage` is the connection string of the training data.

    Without `data_dir` everything is forgotten at the end. Port 0 takes a free one. Raises OSError for a taken port.
    """
    store = Store(data_dir / DATABASE if data_dir else None)
    emulator = Emulator(store, TrainingData(storage), Commands(options, storage, data_dir), options)
    runner = web.AppRunner(emulator.app(), access_log=None, shutdown_timeout=1)
    try:
        await runner.setup()
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        emulator.courses.resume()
        host, bound = runner.addresses[0][:2]
        yield RunningEmulator(f"http://{host}:{bound}")
    finally:
        await emulator.courses.stop()
        await runner.cleanup()
        store.close()
