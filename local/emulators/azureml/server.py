"""The HTTP side: the routes that the SDK calls for fine-tuning and command jobs, on loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from local.emulators.azureml import metrics, registry, resources
from local.emulators.azureml.access import PERMISSIONS_PATH, Access
from local.emulators.azureml.arm import (
    WORKSPACE_PATH,
    ArmError,
    check_request,
    generic,
    json_object,
    not_found,
)
from local.emulators.azureml.commands import Commands
from local.emulators.azureml.course import RUNNING_SHARE, Courses
from local.emulators.azureml.environment import COMPUTE, DATASTORE, METADATA_PATH, TOKEN_PATH
from local.emulators.azureml.files import JobFiles
from local.emulators.azureml.hosted_metrics import hosted_values
from local.emulators.azureml.identity import Identity
from local.emulators.azureml.job_bodies import check_job
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.store import JobRecord, Store
from local.emulators.faults import emulator_app
from local.emulators.service import HEALTH_PATH, Answer, listening

DATABASE = "azureml.db"
OPEN_PATHS = (HEALTH_PATH, METADATA_PATH, TOKEN_PATH, "/discovery", "/studio/")
CHANGEABLE = frozenset({"description", "tags", "displayName", "properties", "isArchived"})
JOB = WORKSPACE_PATH + "/jobs/{job}"
MODEL_VERSIONS = WORKSPACE_PATH + "/models/{model}/versions"


class Emulator:
    """Handlers and state of one workspace."""

    def __init__(
        self, store: Store, files: JobFiles, commands: Commands, options: EmulatorOptions
    ) -> None:
        self._store = store
        self._commands = commands
        self.courses = Courses(store, files, commands, options)
        self._access = Access(options.role)
        self._pace = options.pace
        self._echoes_keys = options.echo_keys
        self._identity = Identity(store.signing_key(), options.identity_header)

    def app(self) -> web.Application:
        answers: dict[str, Answer] = {
            HEALTH_PATH: self._health,
            METADATA_PATH: lambda request: resources.cloud_metadata(_base(request)),
            "/discovery": self._discovery,
            WORKSPACE_PATH: lambda request: resources.workspace(_base(request)),
            WORKSPACE_PATH + "/datastores/{datastore}": self._datastore,
            WORKSPACE_PATH + "/computes/{compute}": self._compute,
            PERMISSIONS_PATH: self._access.permissions,
            WORKSPACE_PATH + "/jobs": self._list_jobs,
            JOB: self._get_job,
            MODEL_VERSIONS: self._model_versions,
            MODEL_VERSIONS + "/{version}": self._model_version,
            "/history/v1.0" + WORKSPACE_PATH + "/runs/{job}": self._history,
            "/studio/runs/{job}": lambda request: resources.studio(self._job(request)),
        }
        app = emulator_app(generic, self._guard, answers, echoes_keys=self._echoes_keys)
        app.add_routes(registry.routes())
        app.add_routes(metrics.routes(self._values))
        app.router.add_get(TOKEN_PATH, self._identity.token)
        app.router.add_put(JOB, self._put_job)
        app.router.add_post(JOB + "/cancel", self._cancel)
        app.router.add_get(JOB + "/cancellation", self._cancellation)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the token, the API version and the rights of a request."""
        if not request.path.startswith(OPEN_PATHS):
            if not self._identity.accepts(request.headers.get("Authorization", "")):
                message = "The access token is missing, expired or not ours."
                raise ArmError(401, "AuthenticationFailed", message)
            if request.path.startswith(("/subscriptions/", "/mferp/")):
                check_request(request)
                self._access.check(request)
        return await handler(request)

    def _health(self, _: web.Request) -> dict[str, Any]:
        return {"status": "ok", "jobs": len(self._store.jobs())}

    def _discovery(self, request: web.Request) -> dict[str, Any]:
        return {"api": _base(request), "history": _base(request)}

    def _datastore(self, request: web.Request) -> dict[str, Any]:
        name = request.match_info["datastore"]
        if name != DATASTORE:
            raise not_found("datastore", name)
        return resources.datastore()

    def _compute(self, request: web.Request) -> dict[str, Any]:
        name = request.match_info["compute"]
        if name.lower() != COMPUTE:
            raise not_found("compute", name)
        return resources.compute()

    def _list_jobs(self, request: web.Request) -> dict[str, Any]:
        return {"value": [resources.job(job, _base(request)) for job in self._store.jobs()]}

    def _get_job(self, request: web.Request) -> dict[str, Any]:
        return resources.job(self._job(request), _base(request))

    async def _put_job(self, request: web.Request) -> web.Response:
        name = request.match_info["job"]
        body = check_job(name, await json_object(request))
        properties = body.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude={"status"}
        )
        existing = self._store.job(name)
        if existing:
            _check_change(existing, properties)
            self._store.change_job(name, properties)
        else:
            self._store.add_job(name, properties)
            self.courses.start(name)
        return web.json_response(self._get_job(request), status=200 if existing else 201)

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job.is_terminal:
            message = f"The job {job.name!r} is {job.status} and cannot be cancelled."
            raise ArmError(400, "UserError", message)
        if job.status != "CancelRequested":
            self.courses.cancel(job.name)
        path = f"{request.path.removesuffix('/cancel')}/cancellation"
        return _accepted(f"{_base(request)}{path}?{request.query_string}")

    async def _cancellation(self, request: web.Request) -> web.Response:
        """Answer a caller who waits for a cancellation: 202 until the job has ended."""
        if self._job(request).is_terminal:
            return web.Response(status=200)
        return _accepted(str(request.url))

    def _model_versions(self, request: web.Request) -> dict[str, Any]:
        return {"value": [resources.model(job) for job in self._registered(request)]}

    def _model_version(self, request: web.Request) -> dict[str, Any]:
        version = request.match_info["version"]
        for job in self._registered(request):
            if str(job.model_version) == version:
                return resources.model(job)
        raise not_found("model version", f"{request.match_info['model']}:{version}")

    def _registered(self, request: web.Request) -> list[JobRecord]:
        name = request.match_info["model"]
        jobs = self._store.models(name)
        if not jobs:
            raise not_found("model", name)
        return jobs

    def _history(self, request: web.Request) -> dict[str, Any]:
        return resources.run_history(self._job(request))

    def _values(self, name: str) -> list[metrics.Value]:
        job = self._store.job(name)
        if not job:
            raise not_found("run", name)
        if job.is_command:
            return self._commands.values(job)
        seconds = RUNNING_SHARE * self._pace
        return hosted_values(job, seconds, datetime.now(UTC))

    def _job(self, request: web.Request) -> JobRecord:
        name = request.match_info["job"]
        job = self._store.job(name)
        if not job:
            raise not_found("job", name)
        return job


def _check_change(existing: JobRecord, properties: dict[str, Any]) -> None:
    """Raise ArmError if a job that exists is submitted again with more than its labels changed."""
    before = existing.properties
    fixed = sorted((before.keys() | properties.keys()) - CHANGEABLE)
    changed = [key for key in fixed if before.get(key) != properties.get(key)]
    if changed:
        fields = ", ".join(changed)
        message = f"A job named {existing.name!r} exists, and its {fields} cannot be changed."
        raise ArmError(409, "UserError", message)


def _accepted(location: str) -> web.Response:
    return web.Response(status=202, headers={"Location": location, "Retry-After": "1"})


def _base(request: web.Request) -> str:
    return f"http://{request.host}"


@asynccontextmanager
async def serve(
    options: EmulatorOptions, *, storage: str | None, data_dir: Path | None = None, port: int = 0
) -> AsyncGenerator[str]:
    """Serve an emulator on 127.0.0.1 for the length of the block; yields its URL.

    `storage` is the connection string of the training data. Without `data_dir` everything is kept
    in memory. Port 0 takes a free one. Raises OSError for a taken port.
    """
    async with AsyncExitStack() as stack:
        store = Store(data_dir / DATABASE if data_dir else None)
        stack.callback(store.close)
        files = JobFiles(storage)
        emulator = Emulator(store, files, Commands(options, files, data_dir), options)
        url = await stack.enter_async_context(listening(emulator.app(), port))
        stack.push_async_callback(emulator.courses.stop)
        emulator.courses.resume()
        yield url
