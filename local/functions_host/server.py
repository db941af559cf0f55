"""The host's HTTP side: the app's routes, Durable's management API, and some of `/admin`.

One catch-all handler, as the app's own routes decide what a path means. Keys are checked only here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from multidict import MultiMapping

from local.functions_host.durable import links
from local.functions_host.durable.webhooks import Webhooks
from local.functions_host.errors import FunctionFailed
from local.functions_host.invocation import Invoker
from local.functions_host.keys import Keys, matches
from local.functions_host.routes import Route, RouteTable
from local.functions_host.worker.messages import RpcHttp, TypedData

MAX_BODY_BYTES = 100 * 1024 * 1024  # as in Azure
STATUS_PATH = "/admin/host/status"
ADMIN_FUNCTIONS = "/admin/functions/"
Deliver = Callable[[str], Awaitable[bool]]
CallTimer = Callable[[], Awaitable[None]]
log = logging.getLogger(__name__)


class HostServer:
    """Answer every request to the host."""

    def __init__(
        self,
        *,
        routes: RouteTable,
        invoker: Invoker,
        keys: Keys,
        management: Webhooks,
        rpc_path: str,
        blobs: Mapping[str, Deliver],
        timers: Mapping[str, CallTimer],
    ) -> None:
        """`rpc_path` is the secret base path of the app's durable client.

        `blobs` and `timers` call a trigger by hand.
        """
        self._routes = routes
        self._invoker = invoker
        self._keys = keys
        self._management = management
        self._rpc_path = rpc_path
        self._blobs = blobs
        self._timers = timers

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path.startswith(self._rpc_path):
            return await self._management.handle(request, path.removeprefix(self._rpc_path))
        if path == STATUS_PATH:
            status = {"state": "Running", "id": "local", "worker": self._invoker.worker}
            return web.json_response(status)
        if path.startswith(ADMIN_FUNCTIONS):
            return await self._admin(request, unquote(path.removeprefix(ADMIN_FUNCTIONS)))
        if path == links.PATH or path.startswith(f"{links.PATH}/"):
            if not self._carries_key(request, [self._keys.system_key, self._keys.master_key]):
                return web.Response(status=401)
            return await self._management.handle(request, path.removeprefix(links.PATH))
        return await self._function(request, path.strip("/"))

    def _carries_key(self, request: web.Request, accepted: Iterable[str]) -> bool:
        presented = request.headers.get("x-functions-key") or request.query.get("code")
        return matches(presented, accepted)

    async def _admin(self, request: web.Request, name: str) -> web.Response:
        """Call a trigger by hand: `POST /admin/functions/<name>`, for blobs `{"input": path}`."""
        if not self._carries_key(request, [self._keys.master_key]):
            return web.Response(status=401)
        if request.method == "POST" and name in self._timers:
            await self._timers[name]()
            return web.Response(status=202)
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
        match = self._routes.find(request.method, path)
        if match is None:
            return web.Response(status=404)
        route, parameters = match
        if not self._is_allowed(request, route):
            return web.Response(status=401)
        trigger = http_request(request, await request.read(), parameters)
        try:
            result = await self._invoker.invoke(
                route.function, TypedData(http=trigger), reason=f"{request.method} {request.path}"
            )
        except FunctionFailed as error:
            log.error("function %s failed\n%s", route.function.name, error.details)
            return web.Response(status=500)
        return http_response(result)

    def _is_allowed(self, request: web.Request, route: Route) -> bool:
        if route.auth_level == "anonymous":
            return True
        accepted = [self._keys.master_key]
        if route.auth_level == "function":
            accepted += [self._keys.function_key, self._keys.reader_key]
        return self._carries_key(request, accepted)


def http_request(request: web.Request, body: bytes, parameters: Mapping[str, str]) -> RpcHttp:
    """Return the request as Azure's host sends it: repeated values joined, empty ones left out."""
    query = {name: value for name, value in _joined(request.query).items() if value}
    return RpcHttp(
        method=request.method,
        url=str(request.url),
        headers=_joined(request.headers),
        query=query,
        params=dict(parameters),
        body=TypedData(bytes=body),
    )


def _joined(values: MultiMapping[str]) -> dict[str, str]:
    return {name: ",".join(filter(None, values.getall(name))) for name in values}


def http_response(result: TypedData | None) -> web.Response:
    """Return a function's return value as a response; plain text where it is no HTTP message."""
    if result is None:
        return web.Response(status=204)
    if result.kind != "http":
        return web.Response(text=str(result.value), content_type="text/plain")
    response: RpcHttp = result.value
    body: bytes = response.body.value if response.body else b""
    return web.Response(status=int(response.status_code), headers=response.headers, body=body)
