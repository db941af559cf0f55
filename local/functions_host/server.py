"""The host's HTTP side: the app's routes, Durable's management API, the Event Grid webhook, and a little of `/admin`.

One catch-all handler, as the app's own templates decide what a path means. Keys are checked here and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from azure.functions.meta import Datum
from multidict import CIMultiDict, MultiMapping

from local.functions_host import event_grid
from local.functions_host.data import encode
from local.functions_host.durable import webhooks
from local.functions_host.durable.webhooks import Webhooks
from local.functions_host.event_grid import Deliver, EventGridWebhook
from local.functions_host.functions import HTTP_OUTPUT, HTTP_TRIGGER, IndexedFunction
from local.functions_host.invocation import Invoker
from local.functions_host.keys import Keys, matches
from local.functions_host.routes import Route, RouteTable

MAX_BODY_BYTES = 100 * 1024 * 1024  # as in Azure
STATUS_PATH = "/admin/host/status"
ADMIN_FUNCTIONS = "/admin/functions/"
_log = logging.getLogger("host.http")


class HostServer:
    """Answers every request to the host."""

    def __init__(
        self,
        *,
        routes: RouteTable,
        invoker: Invoker,
        keys: Keys,
        management: Webhooks,
        rpc_path: str,
        events: EventGridWebhook,
        blobs: Mapping[str, Deliver],
    ) -> None:
        """`rpc_path` is the secret base path of the app's own durable client; `blobs` calls a blob trigger by hand."""
        self._routes, self._invoker, self._keys = routes, invoker, keys
        self._management, self._rpc_path, self._events, self._blobs = (
            management,
            rpc_path,
            events,
            blobs,
        )

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path.startswith(self._rpc_path):
            return await self._management.handle(request, path.removeprefix(self._rpc_path))
        if path == STATUS_PATH:
            return web.json_response({"state": "Running", "id": "local"})
        if path.startswith(ADMIN_FUNCTIONS):
            return await self._admin(request, unquote(path.removeprefix(ADMIN_FUNCTIONS)))
        if path == webhooks.PATH or path.startswith(f"{webhooks.PATH}/"):
            if not self._holds(request, [self._keys.system_key, self._keys.master_key]):
                return web.Response(status=401)
            return await self._management.handle(request, path.removeprefix(webhooks.PATH))
        if path == event_grid.PATH:
            if not self._holds(request, [self._keys.blobs_extension, self._keys.master_key]):
                return web.Response(status=401)
            return await self._events.handle(request)
        return await self._function(request, path.strip("/"))

    def _holds(self, request: web.Request, accepted: Iterable[str]) -> bool:
        presented = request.headers.get("x-functions-key") or request.query.get("code")
        return matches(presented, accepted)

    async def _admin(self, request: web.Request, name: str) -> web.Response:
        """`POST /admin/functions/<name>` with `{"input": "container/blob"}` calls a blob trigger by hand, as in Azure."""
        if not self._holds(request, [self._keys.master_key]):
            return web.Response(status=401)
        deliver = self._blobs.get(name)
        if request.method != "POST" or deliver is None:
            return web.Response(status=404)
        try:
            body: Any = await request.json()
            path = str(body["input"])
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400, text='the body must be {"input": "<container>/<blob>"}')
        return web.Response(status=202 if await deliver(path) else 404)

    async def _function(self, request: web.Request, path: str) -> web.Response:
        found = self._routes.find(request.method, path)
        if found is None:
            return web.Response(status=404)
        route, parameters = found
        if not self._is_allowed(request, route):
            return web.Response(status=401)
        trigger = http_datum(request, await request.read(), parameters)
        try:
            result = await self._invoker.invoke(
                route.function, trigger, reason=f"{request.method} {request.path}"
            )
            return http_response(result)
        except Exception as error:
            _log.error("function %s failed", route.function.name, exc_info=error)
            return web.Response(status=500)

    def _is_allowed(self, request: web.Request, route: Route) -> bool:
        if route.auth_level == "anonymous":
            return True
        accepted = [self._keys.master_key]
        if route.auth_level == "function":
            accepted.append(self._keys.function_key)
        return self._holds(request, accepted)


def http_functions(functions: Iterable[IndexedFunction]) -> list[IndexedFunction]:
    return [function for function in functions if function.trigger.type == HTTP_TRIGGER]


def http_datum(request: web.Request, body: bytes, parameters: Mapping[str, str]) -> Datum:
    """The request as the host sends it to the worker: repeated values joined, empty ones of the query left out."""
    query = {name: value for name, value in _joined(request.query).items() if value}
    value = {
        "method": Datum(request.method, "string"),
        "url": Datum(str(request.url), "string"),
        "headers": _texts(_joined(request.headers)),
        "query": _texts(query),
        "params": _texts(parameters),
        "body": Datum(body, "bytes"),
    }
    return Datum(value, "http")


def _joined(values: MultiMapping[str]) -> dict[str, str]:
    return {name: ",".join(filter(None, values.getall(name))) for name in values}


def _texts(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def http_response(result: Any) -> web.Response:
    """What a function returned, as a response. Raises TypeError for what no HTTP output takes."""
    if result is None:
        return web.Response(status=204)
    encoded = encode(HTTP_OUTPUT, result)
    if encoded.type != "http":
        return web.Response(text=str(encoded.value), content_type="text/plain")
    value: dict[str, Any] = encoded.value
    headers = CIMultiDict((name, datum.value) for name, datum in value["headers"].items())
    for cookie in value["cookies"] or ():
        for morsel in cookie.values():
            headers.add("Set-Cookie", morsel.OutputString())
    return web.Response(
        status=int(value["status_code"].value), headers=headers, body=value["body"].value
    )
