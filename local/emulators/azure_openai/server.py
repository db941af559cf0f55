"""The HTTP side: the part of Azure OpenAI's v1 API that fine-tuning needs, on the loopback interface."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from local.emulators.azure_openai import resources
from local.emulators.azure_openai.catalogue import find_model
from local.emulators.azure_openai.course import Courses
from local.emulators.azure_openai.errors import ApiError, not_found
from local.emulators.azure_openai.files import Files
from local.emulators.azure_openai.job_bodies import check_body
from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.store import FileRecord, JobRecord, Store
from local.emulators.faults import PATH, Faults

HOST = "127.0.0.1"
BASE = "/openai/v1"
DATABASE = "azure_openai.db"
OPEN_PATHS = ("/healthz", PATH)

log = logging.getLogger(__name__)


class Emulator:
    """Handlers and state of one resource."""

    def __init__(self, store: Store, folder: Path, options: EmulatorOptions) -> None:
        self._store, self._options = store, options
        self.files = Files(store, folder, options)
        self.courses = Courses(store, options)
        self._faults = Faults()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._faults.middleware, self._guard])
        self._faults.add_routes(app)
        app.add_routes(
            [
                web.get("/healthz", self._health),
                web.get(BASE + "/models", self._list_models),
                web.get(BASE + "/models/{model}", self._get_model),
                web.get(BASE + "/files", self._list_files),
                web.post(BASE + "/files", self._post_file),
                web.get(BASE + "/files/{file}", self._get_file),
                web.delete(BASE + "/files/{file}", self._delete_file),
                web.get(BASE + "/files/{file}/content", self._file_content),
                web.get(BASE + "/fine_tuning/jobs", self._list_jobs),
                web.post(BASE + "/fine_tuning/jobs", self._post_job),
                web.get(BASE + "/fine_tuning/jobs/{job}", self._get_job),
                web.get(BASE + "/fine_tuning/jobs/{job}/events", self._list_events),
                web.get(BASE + "/fine_tuning/jobs/{job}/checkpoints", self._list_checkpoints),
                web.post(BASE + "/fine_tuning/jobs/{job}/{action:cancel|pause|resume}", self._act),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Keys, and errors in OpenAI's format."""
        try:
            if request.path not in OPEN_PATHS:
                self._check_key(request)
            return await handler(request)
        except ApiError as error:
            return error.response()
        except web.HTTPException as error:
            message = f"{request.method} {request.path} is not emulated ({error.reason})."
            return ApiError(error.status, message, code="not_emulated").response()
        except Exception:  # the last boundary: the caller gets an answer, the log the trace
            log.exception("%s %s failed", request.method, request.path)
            return ApiError(
                500, "The emulator failed; its log says why.", code="internal_error"
            ).response()

    def _check_key(self, request: web.Request) -> None:
        """Raises ApiError. A token of Entra ID looks like a key here; which one it is cannot be told offline."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = request.headers.get("api-key") or (token if scheme.lower() == "bearer" else "")
        wanted = self._options.api_key
        if not given or (wanted is not None and given != wanted):
            message = "Access denied due to invalid subscription key or wrong API endpoint."
            raise ApiError(401, message, code="401")

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "jobs": len(self._store.jobs())})

    async def _list_models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": resources.models()})

    async def _get_model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        model = find_model(name)
        if model is None:
            raise not_found("model", name)
        return web.json_response(resources.model(model))

    async def _list_files(self, request: web.Request) -> web.Response:
        purpose = request.query.get("purpose")
        files = [file for file in self._store.files() if purpose in (None, file.purpose)]
        return resources.page(request, files, resources.file)

    async def _post_file(self, request: web.Request) -> web.Response:
        return web.json_response(resources.file(await self.files.take(request)), status=201)

    async def _get_file(self, request: web.Request) -> web.Response:
        return web.json_response(resources.file(self._file(request)))

    async def _delete_file(self, request: web.Request) -> web.Response:
        file = self._file(request)
        self.files.delete(file.id)
        return web.json_response({"object": "file", "id": file.id, "deleted": True})

    async def _file_content(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self.files.path(self._file(request).id))

    async def _list_jobs(self, request: web.Request) -> web.Response:
        wanted = {
            key[9:-1]: value for key, value in request.query.items() if key.startswith("metadata[")
        }
        jobs = [
            job
            for job in self._store.jobs()
            if wanted.items() <= (job.body.get("metadata") or {}).items()
        ]
        return resources.page(request, jobs, resources.job)

    async def _post_job(self, request: web.Request) -> web.Response:
        try:
            given: object = json.loads(await request.read())
        except ValueError as error:
            raise ApiError(
                400, f"The body is not valid JSON: {error}.", code="invalid_json"
            ) from error
        body, training = check_body(given, self._store)
        job = self._store.add_job(body, training.rows or 0, self._options.course[0])
        self._store.add_event(job.id, "Job enqueued. Local emulator: nothing will be trained.")
        self.courses.start(job.id)
        return web.json_response(resources.job(job), status=201)

    async def _get_job(self, request: web.Request) -> web.Response:
        return web.json_response(resources.job(self._job(request)))

    async def _list_events(self, request: web.Request) -> web.Response:
        return resources.page(request, self._store.events(self._job(request).id), resources.event)

    async def _list_checkpoints(self, request: web.Request) -> web.Response:
        found = resources.checkpoints(self._job(request), self._options.seed)
        body = {"object": "list", "data": found, "has_more": False}
        ends = (
            {"first_id": found[0]["id"], "last_id": found[-1]["id"]}
            if found
            else {"first_id": None, "last_id": None}
        )
        return web.json_response({**body, **ends})

    async def _act(self, request: web.Request) -> web.Response:
        job, action = self._job(request), request.match_info["action"]
        if job.is_terminal:
            raise ApiError(
                400,
                f"Job {job.id} is {job.status} and cannot be changed.",
                code="invalid_job_state",
            )
        if action == "cancel":
            self.courses.cancel(job.id)
        elif (action == "pause") == job.held:
            raise ApiError(
                400, f"Job {job.id} is {job.status}: it cannot {action}.", code="invalid_job_state"
            )
        elif action == "pause":
            self.courses.pause(job.id)
        else:
            self.courses.go_on(job.id)
        return web.json_response(resources.job(self._job(request)))

    def _file(self, request: web.Request) -> FileRecord:
        name = request.match_info["file"]
        file = self._store.file(name)
        if file is None:
            raise not_found("file", name)
        return file

    def _job(self, request: web.Request) -> JobRecord:
        name = request.match_info["job"]
        job = self._store.job(name)
        if job is None:
            raise not_found("job", name)
        return job


@dataclass(frozen=True, slots=True)
class RunningEmulator:
    """`base_url` ends in /openai/v1, as the app's setting does."""

    base_url: str


@asynccontextmanager
async def serve(
    options: EmulatorOptions, *, data_dir: Path | None = None, port: int = 0
) -> AsyncGenerator[RunningEmulator]:
    """An emulator on 127.0.0.1 for the length of the block.

    Without `data_dir` everything is forgotten at the end. Port 0 takes a free one. Raises OSError for a taken port.
    """
    async with AsyncExitStack() as stack:
        folder = data_dir or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="azure-openai-"))
        )
        store = Store(folder / DATABASE)
        stack.callback(store.close)
        emulator = Emulator(store, folder / "files", options)
        stack.push_async_callback(emulator.files.stop)
        stack.push_async_callback(emulator.courses.stop)
        runner = web.AppRunner(emulator.app(), access_log=None, shutdown_timeout=1)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        emulator.files.resume()
        emulator.courses.resume_all()
        host, bound = runner.addresses[0][:2]
        yield RunningEmulator(f"http://{host}:{bound}{BASE}")
