"""The Functions host as a whole: the app's functions, the task hub, the HTTP server and the blob triggers, put together."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

from local.functions_host.blobs import BlobRunner, BlobTrigger, blob_triggers
from local.functions_host.data import encode
from local.functions_host.durable.client import DurableClient
from local.functions_host.durable.engine import Engine, Functions, Limits
from local.functions_host.durable.store import Store, StoreError
from local.functions_host.durable.webhooks import Links, Webhooks
from local.functions_host.errors import DataDirectoryInUse, HostError
from local.functions_host.event_grid import EventGridWebhook
from local.functions_host.functions import (
    ACTIVITY_TRIGGER,
    ORCHESTRATION_TRIGGER,
    FunctionApp,
    IndexedFunction,
)
from local.functions_host.indexing import load_app
from local.functions_host.invocation import Invoker
from local.functions_host.keys import Keys
from local.functions_host.routes import Route, RouteTable
from local.functions_host.server import HostServer, http_functions
from local.functions_host.settings import HostSettings, read_host_json
from local.runtime.locks import FileLock
from local.runtime.ports import LOOPBACK

LOCK_FILE = "host.lock"
TASK_HUB_FILE = "taskhub.sqlite"
STOP_SECONDS = 5.0  # for requests that are being answered
DEFAULT_HUB = "TestHubName"
_log = logging.getLogger("host")


@dataclass(frozen=True, slots=True)
class RunningHost:
    """A host that serves."""

    url: str
    routes: tuple[Route, ...]
    keys: Keys


@asynccontextmanager
async def serve(
    *, app_dir: Path, data_dir: Path, port: int, environment: Mapping[str, str]
) -> AsyncGenerator[RunningHost]:
    """Serve the app in this folder on 127.0.0.1 while the context lasts. Raises HostError, and OSError for a taken port."""
    lock = FileLock(data_dir / LOCK_FILE)
    if not lock.acquire(wait=False):
        raise DataDirectoryInUse(
            f"another host works in {data_dir}: stop it, or choose another --data-dir"
        )
    try:
        settings, keys = read_host_json(app_dir), Keys.load_or_create(data_dir)
        app = load_app(app_dir, environment)
        triggers = blob_triggers(list(app.functions.values()), environment)
        store = _open_store(data_dir / TASK_HUB_FILE)
        try:
            async with _serve(app, triggers, settings, keys, store, port) as host:
                yield host
        finally:
            store.close()
    finally:
        lock.release()


@asynccontextmanager
async def _serve(
    app: FunctionApp,
    triggers: list[BlobTrigger],
    settings: HostSettings,
    keys: Keys,
    store: Store,
    port: int,
) -> AsyncGenerator[RunningHost]:
    rpc_path = f"/runtime/rpc/{secrets.token_urlsafe(24)}/"
    links: list[Links] = []  # known once the port is
    invoker = Invoker(settings.function_timeout, lambda: links[0].client_data())
    functions = _durable_functions(app, invoker)
    store.default_version = str(settings.durable_task.get("defaultVersion", ""))
    engine = Engine(store, functions, _limits(settings.durable_task))
    replace_running = settings.durable_task.get("overridableExistingInstanceStates") == "AnyState"
    client = DurableClient(
        store, functions.orchestrators, engine.wake, replace_running=replace_running
    )
    slots = asyncio.Semaphore(settings.blob_parallelism)
    runners = {
        trigger.name: BlobRunner(trigger, invoker, slots, settings.poison_threshold)
        for trigger in triggers
    }
    pushed = {
        trigger.name: runners[trigger.name].deliver for trigger in triggers if not trigger.is_polled
    }
    routes = RouteTable(http_functions(app.functions.values()), settings.route_prefix)
    server = HostServer(
        routes=routes,
        invoker=invoker,
        keys=keys,
        management=Webhooks(client, lambda: links[0]),
        rpc_path=rpc_path,
        events=EventGridWebhook(pushed),
        blobs={name: runner.deliver for name, runner in runners.items()},
    )
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    background: list[asyncio.Task[None]] = []
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        hub = str(settings.durable_task.get("hubName", DEFAULT_HUB))
        links.append(Links(url, f"{url}{rpc_path}", hub, keys.system_key))
        background.append(asyncio.create_task(engine.run(), name="durable engine"))
        background += [
            asyncio.create_task(runners[trigger.name].poll(), name=f"blob trigger {trigger.name}")
            for trigger in triggers
            if trigger.is_polled
        ]
        for task in background:
            task.add_done_callback(_report)
        yield RunningHost(url, routes.routes, keys)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await runner.cleanup()
        invoker.close()


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
    orchestrators = {one.durable_name: one for one in app.with_trigger(ORCHESTRATION_TRIGGER)}
    activities = {one.durable_name: one for one in app.with_trigger(ACTIVITY_TRIGGER)}

    async def orchestrate(name: str, context: str) -> str:
        return str(
            await invoker.invoke(
                orchestrators[name], Datum(context, "string"), reason="orchestration"
            )
        )

    async def act(name: str, input_: Any) -> str:
        function: IndexedFunction = activities[name]
        result = await invoker.invoke(function, Datum(input_, "string"), reason="activity")
        return str(encode(ACTIVITY_TRIGGER, result).value)

    return Functions(
        orchestrators=frozenset(orchestrators),
        activities=frozenset(activities),
        orchestrate=orchestrate,
        act=act,
    )


def _limits(durable_task: Mapping[str, Any]) -> Limits:
    default = Limits()
    return Limits(
        activities=int(durable_task.get("maxConcurrentActivityFunctions", default.activities)),
        orchestrators=int(
            durable_task.get("maxConcurrentOrchestratorFunctions", default.orchestrators)
        ),
    )


def _report(task: asyncio.Task[None]) -> None:
    """A part of the host that ends by itself is a bug: say so."""
    if not task.cancelled() and (error := task.exception()):
        _log.critical("%s has stopped", task.get_name(), exc_info=error)
