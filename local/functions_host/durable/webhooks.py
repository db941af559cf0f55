"""Durable's management API over HTTP: the routes behind an instance's links, and its start.

Documented in "HTTP APIs in Durable Functions". Served twice: under `/runtime/webhooks/durabletask`
with a system key, and without a key under a secret path for the app's own client (`rpcBaseUrl`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from local.functions_host.durable.client import (
    DurableClient,
    InstanceExists,
    InstanceOver,
    InvalidRequest,
    NoInstance,
)
from local.functions_host.durable.events import Event, Status
from local.functions_host.durable.links import Links
from local.functions_host.durable.views import history_view, status_view

RETRY_SECONDS = 5


class Webhooks:
    """Answer requests to the API. The caller checks keys."""

    def __init__(self, client: DurableClient, links: Callable[[], Links]) -> None:
        """`links` is called at each use: the port is not known before the server listens."""
        self._client = client
        self._links = links

    async def handle(self, request: web.Request, path: str) -> web.Response:
        """Answer a request; `path` is what follows the API's base, still percent-encoded."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        try:
            return await self._route(request, parts)
        except InvalidRequest as error:
            return _error(400, "One or more of the arguments submitted is incorrect", str(error))
        except InstanceExists as error:
            return _error(409, str(error))
        except NoInstance:
            return web.Response(status=404)
        except InstanceOver:
            return web.Response(status=410)

    async def _route(self, request: web.Request, parts: list[str]) -> web.Response:
        match (request.method, *parts):
            case ("POST", "orchestrators", name) | ("POST", "orchestrators", name, ""):
                return await self._start(request, name, None)
            case ("POST", "orchestrators", name, instance_id):
                return await self._start(request, name, instance_id)
            case ("GET", "instances", instance_id):
                return self._status(request, instance_id)
            case ("DELETE", "instances", instance_id):
                return _json(200, {"instancesDeleted": self._client.purge(instance_id)})
            case ("POST", "instances", instance_id, "raiseEvent", name):
                return await self._raise_event(request, instance_id, name)
            case ("POST", "instances", instance_id, operation):
                return self._operate(request, instance_id, operation.lower())
            case _:
                return web.Response(status=404)

    async def _start(
        self, request: web.Request, name: str, instance_id: str | None
    ) -> web.Response:
        started = self._client.start(name, instance_id, await _body(request))
        return self._accepted(request, started)

    def _accepted(self, request: web.Request, instance_id: str) -> web.Response:
        links = self._links().management(instance_id, f"{request.scheme}://{request.host}")
        del links["rewindPostUri"]
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return _json(202, links, headers)

    def _status(self, request: web.Request, instance_id: str) -> web.Response:
        instance = self._client.get(instance_id)
        show_input = _flag(request, "showInput", default=True)
        history: list[Event] | None = None
        if _flag(request, "showHistory") and instance.status is not Status.PENDING:
            events = self._client.history(instance_id)
            show_output = _flag(request, "showHistoryOutput")
            history = history_view(events, show_output=show_output)
        body = status_view(instance, show_input=show_input, history=history)
        if not instance.status.is_terminal:
            headers = {"Location": str(request.url), "Retry-After": str(RETRY_SECONDS)}
            return _json(202, body, headers)
        return _json(200, body)

    async def _raise_event(self, request: web.Request, instance_id: str, name: str) -> web.Response:
        if self._client.get(instance_id).status.is_terminal:
            raise InstanceOver(instance_id)
        if request.content_type != "application/json":
            return _error(400, "Only application/json request content is supported")
        self._client.raise_event(instance_id, name, await _body(request) or "null")
        return web.Response(status=202)

    def _operate(self, request: web.Request, instance_id: str, operation: str) -> web.Response:
        operations: Mapping[str, Callable[[str, str], None]] = {
            "terminate": self._client.terminate,
            "suspend": self._client.suspend,
            "resume": self._client.resume,
        }
        if operation in operations:
            operations[operation](instance_id, request.query.get("reason", ""))
            return web.Response(status=202)
        if operation == "restart":
            return self._restart(request, instance_id)
        return web.Response(status=404)

    def _restart(self, request: web.Request, instance_id: str) -> web.Response:
        new_id = _flag(request, "restartWithNewInstanceId", default=True)
        try:
            restarted = self._client.restart(instance_id, new_id=new_id)
        except NoInstance:
            return _error(400, "InstanceId does not match a valid orchestration instance.")
        return self._accepted(request, restarted)


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    text = request.query.get(name, "").lower()
    return text == "true" if text in ("true", "false") else default


async def _body(request: web.Request) -> str | None:
    """Return the request's JSON, compact; None for an empty body. Raises InvalidRequest."""
    data = await request.read()
    if not data.strip():
        return None
    try:
        return json.dumps(json.loads(data), separators=(",", ":"))
    except ValueError as error:
        raise InvalidRequest(f"Invalid JSON content: {error}") from None


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    content = json.dumps(body).encode()
    return web.Response(
        status=status, body=content, headers=headers, content_type="application/json"
    )


def _error(status: int, message: str, exception: str | None = None) -> web.Response:
    body = {"Message": message}
    if exception is not None:
        body |= {"ExceptionMessage": exception, "ExceptionType": "System.ArgumentException"}
    return _json(status, body)
