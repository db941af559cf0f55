"""The Functions host: the app's functions, the task hub, the HTTP server, blobs and timers."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from local.functions_host.blob_triggers import BlobTrigger, blob_triggers
from local.functions_host.blobs import BlobRunner
from local.functions_host.durable.client import DurableClient
from local.functions_host.durable.engine import Engine
from local.functions_host.durable.functions import Functions, Limits
from local.functions_host.durable.links import Links
from local.functions_host.durable.store import Store, StoreError
from local.functions_host.durable.webhooks import Webhooks
from local.functions_host.errors import DataDirectoryInUse, HostError
from local.functions_host.functions import (
    ACTIVITY_TRIGGER,
    HTTP_TRIGGER,
    ORCHESTRATION_TRIGGER,
    FunctionApp,
)
from local.functions_host.indexing import load_app
from local.functions_host.invocation import Invoker
from local.functions_host.keys import Keys
from local.functions_host.logs import invocations_in_records
from local.functions_host.routes import Route, RouteTable
from local.functions_host.server import HostServer
from local.functions_host.settings import HostSettings, read_host_json
from local.functions_host.timers import TimerRunner, timer_triggers
from local.functions_host.worker.messages import TypedData
from local.functions_host.worker.worker import Worker, choose_worker
from local.runtime.locks import FileLock
from local.runtime.ports import LOOPBACK

LOCK_FILE = "host.lock"
TASK_HUB_FILE = "taskhub.sqlite"
TIMERS_FOLDER = "timers"
STOP_SECONDS = 5.0  # for requests that are being answered
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningHost:
    """A host that serves. `worker` describes the worker that runs the functions."""

    url: str
    routes: tuple[Route, ...]
    keys: Keys
    worker: str


@asynccontextmanager
async def serve(
    *, app_dir: Path, data_dir: Path, port: int, environment: Mapping[str, str]
) -> AsyncGenerator[RunningHost]:
    """Serve the app in this folder on 127.0.0.1 while the context lasts.

    The app's settings, `environment`, become this process's. Raises HostError, and OSError for a
    taken port.
    """
    worker = choose_worker()
    with _sole_use(data_dir), closing(worker):
        settings = read_host_json(app_dir)
        keys = Keys.load_or_create(data_dir)
        app = await load_app(worker, app_dir, environment)
        triggers = blob_triggers(list(app.functions.values()), environment)
        with (
            closing(_open_store(data_dir / TASK_HUB_FILE)) as store,
            invocations_in_records(worker.invocation_id),
        ):
            host = _Host(app, triggers, settings, keys, store, worker, data_dir / TIMERS_FOLDER)
            async with host.serve(port) as running:
                yield running


class _Host:
    """The parts of one host, connected. They know the host's URL only once it serves."""

    def __init__(
        self,
        app: FunctionApp,
        triggers: list[BlobTrigger],
        settings: HostSettings,
        keys: Keys,
        store: Store,
        worker: Worker,
        timers: Path,
    ) -> None:
        extensions = settings.extensions
        durable_task = extensions.durable_task
        self._hub_name = durable_task.hub_name
        self._keys = keys
        self._rpc_path = f"/runtime/rpc/{secrets.token_urlsafe(24)}/"
        self._links: Links | None = None
        self._invoker = Invoker(
            worker, settings.function_timeout, lambda: self._served().client_data()
        )
        store.default_version = durable_task.default_version
        functions = _durable_functions(app, self._invoker)
        limits = Limits(
            activities=durable_task.max_concurrent_activity_functions,
            orchestrators=durable_task.max_concurrent_orchestrator_functions,
        )
        self._engine = Engine(store, functions, limits)
        client = DurableClient(store, functions.orchestrators, self._engine.wake)
        self._management = Webhooks(client, self._served)
        blobs = extensions.blobs
        slots = asyncio.Semaphore(blobs.max_degree_of_parallelism)
        self._triggers = triggers
        self._runners = {
            trigger.name: BlobRunner(trigger, self._invoker, slots, blobs.poison_blob_threshold)
            for trigger in triggers
        }
        self._timers = {
            trigger.name: TimerRunner(trigger, self._invoker, timers / f"{trigger.name}.json")
            for trigger in timer_triggers(list(app.functions.values()))
        }
        prefix = extensions.http.route_prefix.strip("/")
        self._routes = RouteTable(app.with_trigger(HTTP_TRIGGER), prefix)

    @asynccontextmanager
    async def serve(self, port: int) -> AsyncGenerator[RunningHost]:
        """Listen, run the task hub, poll for blobs and watch the clock while the context lasts."""
        server = web.AppRunner(self._web_app(), access_log=None, shutdown_timeout=STOP_SECONDS)
        await server.setup()
        background: list[asyncio.Task[None]] = []
        try:
            await web.TCPSite(server, LOOPBACK, port).start()
            url = f"http://{LOOPBACK}:{server.addresses[0][1]}"
            rpc_url = f"{url}{self._rpc_path}"
            self._links = Links(url, rpc_url, self._hub_name, self._keys.system_key)
            background += self._start_background()
            yield RunningHost(url, self._routes.routes, self._keys, self._invoker.worker)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await server.cleanup()

    def _web_app(self) -> web.Application:
        server = HostServer(
            routes=self._routes,
            invoker=self._invoker,
            keys=self._keys,
            management=self._management,
            rpc_path=self._rpc_path,
            blobs={name: runner.deliver for name, runner in self._runners.items()},
            timers={name: runner.call for name, runner in self._timers.items()},
        )
        return server.app()

    def _start_background(self) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._engine.run(), name="durable engine")]
        for trigger in self._triggers:
            if trigger.is_polled:
                polling = self._runners[trigger.name].poll()
                tasks.append(asyncio.create_task(polling, name=f"blob trigger {trigger.name}"))
        for name, timer in self._timers.items():
            tasks.append(asyncio.create_task(timer.run(), name=f"timer {name}"))
        for task in tasks:
            task.add_done_callback(_log_unexpected_end)
        return tasks

    def _served(self) -> Links:
        assert self._links is not None, "nothing is invoked before the host serves"
        return self._links


@contextmanager
def _sole_use(data_dir: Path) -> Generator[None]:
    lock = FileLock(data_dir / LOCK_FILE)
    if not lock.acquire(wait=False):
        raise DataDirectoryInUse(
            f"another host uses {data_dir}: stop it, or choose another --data-dir"
        )
    try:
        yield
    finally:
        lock.release()


def _open_store(path: Path) -> Store:
    try:
        return Store(path)
    except StoreError as error:
        raise HostError(str(error)) from None
    except sqlite3.DatabaseError as error:
        raise HostError(
            f"{path} cannot be read ({error}): remove it, or choose another --data-dir"
        ) from None


def _durable_functions(app: FunctionApp, invoker: Invoker) -> Functions:
    orchestrators = {
        function.durable_name: function for function in app.with_trigger(ORCHESTRATION_TRIGGER)
    }
    activities = {
        function.durable_name: function for function in app.with_trigger(ACTIVITY_TRIGGER)
    }

    async def orchestrate(name: str, context: str) -> str:
        data = TypedData(string=context)
        result = await invoker.invoke(orchestrators[name], data, reason="orchestration")
        return str(result.value if result else None)

    async def act(name: str, input_: Any) -> str:
        data = TypedData(string=input_)
        result = await invoker.invoke(activities[name], data, reason="activity")
        return str(result.value) if result else "null"

    return Functions(
        orchestrators=frozenset(orchestrators),
        activities=frozenset(activities),
        orchestrate=orchestrate,
        act=act,
    )


def _log_unexpected_end(task: asyncio.Task[None]) -> None:
    """Log a part of the host that ends by itself: that is a bug."""
    if not task.cancelled() and (error := task.exception()):
        log.critical("%s has stopped", task.get_name(), exc_info=error)
