"""The HTTP side: the part of Azure OpenAI's v1 API that fine-tuning needs, on loopback."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from local.emulators.azure_openai import resources
from local.emulators.azure_openai.catalogue import MODELS, BaseModel, find_model
from local.emulators.azure_openai.course import Courses
from local.emulators.azure_openai.files import Files
from local.emulators.azure_openai.job_bodies import check_body
from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.store import File, Job, Store
from local.emulators.faults import emulator_app
from local.emulators.openai_errors import ApiError, generic, not_found
from local.emulators.service import HEALTH_PATH, Answer, json_route, listening

BASE = "/openai/v1"
FILE = BASE + "/files/{file}"
JOB = BASE + "/fine_tuning/jobs/{job}"
DATABASE = "azure_openai.db"


class Emulator:
    """Handlers and state of one resource."""

    def __init__(self, store: Store, folder: Path, options: EmulatorOptions) -> None:
        self._store = store
        self._options = options
        self.files = Files(store, folder, options)
        self.courses = Courses(store, options)

    def app(self) -> web.Application:
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
        echoes_keys = self._options.echo_keys
        app = emulator_app(generic, self._guard, answers, echoes_keys=echoes_keys)
        app.router.add_post(BASE + "/files", self._post_file)
        app.router.add_delete(FILE, json_route(self._delete_file))
        app.router.add_post(BASE + "/fine_tuning/jobs", self._post_job)
        app.router.add_post(JOB + "/cancel", json_route(self._cancel))
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the key. A token of Entra ID looks like a key here and is accepted like one."""
        if request.path != HEALTH_PATH:
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
        self._check_lists_models()
        return {"object": "list", "data": [self._shown(model) for model in MODELS.values()]}

    def _get_model(self, request: web.Request) -> dict[str, Any]:
        self._check_lists_models()
        name = request.match_info["model"]
        model = find_model(name)
        if model is None:
            raise not_found("model", name)
        return self._shown(model)

    def _shown(self, model: BaseModel) -> dict[str, Any]:
        return model.shown(has_regional_training=not self._options.no_regional_training)

    def _check_lists_models(self) -> None:
        if self._options.no_models:
            raise ApiError(404, "Resource not found", code="404")

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

    def _list_jobs(self, request: web.Request) -> dict[str, Any]:
        return resources.page(request, self._store.jobs.all())

    async def _post_job(self, request: web.Request) -> web.Response:
        try:
            submitted: object = json.loads(await request.read())
        except ValueError as error:
            message = f"The body is not valid JSON: {error}."
            raise ApiError(400, message, code="invalid_json") from error
        job = check_body(submitted, self._store, self._options)
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

    def _cancel(self, request: web.Request) -> dict[str, Any]:
        job = self._job(request)
        if job.is_terminal:
            message = f"Job {job.id} is {job.status}: it cannot be cancelled."
            raise ApiError(400, message, code="invalid_job_state")
        self.courses.cancel(job.id)
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


@asynccontextmanager
async def serve(
    options: EmulatorOptions, *, data_dir: Path | None = None, port: int = 0
) -> AsyncGenerator[str]:
    """Serve an emulator on 127.0.0.1 for the length of the block; yields its URL (…/openai/v1).

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
        yield f"{url}{BASE}"
