"""The HTTP side: the part of Azure OpenAI's v1 API that fine-tuning needs, on loopback."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from local.emulators.azure_openai import resources
from local.emulators.azure_openai.catalogue import MODELS, find_model
from local.emulators.azure_openai.course import Courses
from local.emulators.azure_openai.files import Files
from local.emulators.azure_openai.job_bodies import check_body
from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.store import File, Job, Store
from local.emulators.faults import PATH, Faults
from local.emulators.openai_errors import ApiError, generic, not_found
from local.emulators.service import HEALTH_PATH, Answer, answer_errors, json_route, listening

BASE = "/openai/v1"
FILE = BASE + "/files/{file}"
JOB = BASE + "/fine_tuning/jobs/{job}"
DATABASE = "azure_openai.db"
OPEN_PATHS = (HEALTH_PATH, PATH)


class Emulator:
    """Handlers and state of one resource."""

    def __init__(self, store: Store, folder: Path, options: EmulatorOptions) -> None:
        self._store = store
        self._options = options
        self.files = Files(store, folder, options)
        self.courses = Courses(store, options)
        self._faults = Faults()

    def app(self) -> web.Application:
        errors = answer_errors(generic)
        app = web.Application(middlewares=[self._faults.middleware, errors, self._guard])
        self._faults.add_routes(app)
        answers: dict[str, Answer] = {
            HEALTH_PATH: self._health,
            BASE + "/models": self._list_models,
            BASE + "/models/{model}": self._get_model,
            BASE + "/files": self._list_files,
            FILE: self._get_file,
            BASE + "/fine_tuning/jobs": self._list_jobs,
            JOB: self._get_job,
            JOB + "/events": self._list_events,
            JOB + "/checkpoints": self._list_checkpoints,
        }
        app.add_routes([web.get(path, json_route(answer)) for path, answer in answers.items()])
        app.router.add_get(FILE + "/content", self._file_content)
        app.router.add_post(BASE + "/files", self._post_file)
        app.router.add_delete(FILE, json_route(self._delete_file))
        app.router.add_post(BASE + "/fine_tuning/jobs", self._post_job)
        app.router.add_post(JOB + "/{action:cancel|pause|resume}", json_route(self._act))
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the key. A token of Entra ID looks like a key here and is accepted like one."""
        if request.path not in OPEN_PATHS:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            bearer = token if scheme.lower() == "bearer" else ""
            key = request.headers.get("api-key") or bearer
            if not key or self._options.api_key not in (None, key):
                message = "Access denied due to invalid subscription key or wrong API endpoint."
                raise ApiError(401, message, code="401")
        return await handler(request)

    def _health(self, _: web.Request) -> dict[str, Any]:
        return {"status": "ok", "jobs": len(self._store.jobs.all())}

    def _list_models(self, _: web.Request) -> dict[str, Any]:
        return {"object": "list", "data": [resources.model(base) for base in MODELS.values()]}

    def _get_model(self, request: web.Request) -> dict[str, Any]:
        name = request.match_info["model"]
        model = find_model(name)
        if model is None:
            raise not_found("model", name)
        return resources.model(model)

    def _list_files(self, request: web.Request) -> dict[str, Any]:
        purpose = request.query.get("purpose")
        files = [file for file in self._store.files.all() if purpose in (None, file.purpose)]
        return resources.page(request, files)

    async def _post_file(self, request: web.Request) -> web.Response:
        return web.json_response((await self.files.save(request)).shown(), status=201)

    def _get_file(self, request: web.Request) -> dict[str, Any]:
        return self._file(request).shown()

    def _delete_file(self, request: web.Request) -> dict[str, Any]:
        file = self._file(request)
        self.files.delete(file.id)
        return {"object": "file", "id": file.id, "deleted": True}

    async def _file_content(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self.files.path(self._file(request).id))

    def _list_jobs(self, request: web.Request) -> dict[str, Any]:
        criteria: dict[str, str] = {}
        for key, value in request.query.items():
            if key.startswith("metadata["):
                criteria[key.removeprefix("metadata[").removesuffix("]")] = value
        jobs = [
            job
            for job in self._store.jobs.all()
            if criteria.items() <= (job.metadata or {}).items()
        ]
        return resources.page(request, jobs)

    async def _post_job(self, request: web.Request) -> web.Response:
        try:
            submitted: object = json.loads(await request.read())
        except ValueError as error:
            message = f"The body is not valid JSON: {error}."
            raise ApiError(400, message, code="invalid_json") from error
        job = check_body(submitted, self._store, self._options.course[0])
        self._store.jobs.save(job)
        self._store.add_event(job.id, "Job enqueued. Local emulator: nothing will be trained.")
        self.courses.start(job.id)
        return web.json_response(job.shown(), status=201)

    def _get_job(self, request: web.Request) -> dict[str, Any]:
        return self._job(request).shown()

    def _list_events(self, request: web.Request) -> dict[str, Any]:
        return resources.page(request, self._job(request).events[::-1])

    def _list_checkpoints(self, request: web.Request) -> dict[str, Any]:
        return resources.listed(resources.checkpoints(self._job(request), self._options.seed))

    def _act(self, request: web.Request) -> dict[str, Any]:
        job = self._job(request)
        action = request.match_info["action"]
        possible = ("cancel", "resume" if job.held else "pause")
        if job.is_terminal or action not in possible:
            message = f"Job {job.id} is {job.status}: it cannot {action}."
            raise ApiError(400, message, code="invalid_job_state")
        actions = {
            "cancel": self.courses.cancel,
            "pause": self.courses.pause,
            "resume": self.courses.resume,
        }
        actions[action](job.id)
        return self._job(request).shown()

    def _file(self, request: web.Request) -> File:
        name = request.match_info["file"]
        file = self._store.files.get(name)
        if file is None:
            raise not_found("file", name)
        return file

    def _job(self, request: web.Request) -> Job:
        name = request.match_info["job"]
        job = self._store.jobs.get(name)
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
    """Serve an emulator on 127.0.0.1 for the length of the block.

    Without `data_dir` nothing is kept. Port 0 takes a free one. Raises OSError for a taken port.
    """
    async with AsyncExitStack() as stack:
        folder = data_dir
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="azure-openai-")
            folder = Path(stack.enter_context(temporary))
        store = Store(folder / DATABASE)
        stack.callback(store.close)
        emulator = Emulator(store, folder / "files", options)
        url = await stack.enter_async_context(listening(emulator.app(), port))
        stack.push_async_callback(emulator.files.stop)
        stack.push_async_callback(emulator.courses.stop)
        emulator.files.resume()
        emulator.courses.resume_all()
        yield RunningEmulator(f"{url}{BASE}")
