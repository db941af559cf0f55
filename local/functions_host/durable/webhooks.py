"""Durable's management API over HTTP, with its routes, status codes and fields (`/runtime/webhooks/durabletask/…`).

Documented in "HTTP APIs in Durable Functions"; served twice, with a system key for the world and without for the app's
own client, whose base URL is a secret (`rpcBaseUrl`).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import quote, unquote, urlencode

from aiohttp import web

from local.functions_host.durable.client import (
    DurableClient,
    InstanceExists,
    InstanceOver,
    InvalidRequest,
    NoInstance,
    parsed,
)
from local.functions_host.durable.events import NAMES, Event, Kind, Status, parse_time, time_text
from local.functions_host.durable.store import Instance, InstanceQuery

PATH = "/runtime/webhooks/durabletask"
CONNECTION = "Storage"
CONTINUATION = "x-ms-continuation-token"
DEFAULT_PAGE = 100
RETRY_SECONDS = 5
ID_PLACEHOLDER = "INSTANCEID"
WAIT_SECONDS = 0.1
STATUS_NUMBERS = {1: "Completed", 3: "Failed", 5: "Terminated"}


@dataclass(frozen=True, slots=True)
class Links:
    """URLs of the API. `base_url` is the host's, `rpc_url` the secret one for the app's own client."""

    base_url: str
    rpc_url: str
    hub: str
    system_key: str

    def client_data(self) -> str:
        """What the durable client binding gives to functions, as JSON."""
        prefix = f"{self.base_url}{PATH}/orchestrators/{{functionName}}[/{{instanceId}}]"
        waiting = "timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}"
        data = {
            "taskHubName": self.hub,
            "creationUrls": {
                "createNewInstancePostUri": f"{prefix}?code={self.system_key}",
                "createAndWaitOnNewInstancePostUri": f"{prefix}?{waiting}&code={self.system_key}",
            },
            "managementUrls": self.management(ID_PLACEHOLDER, self.base_url),
            "baseUrl": f"{self.base_url}{PATH}",
            "requiredQueryStringParameters": f"code={self.system_key}",
            "rpcBaseUrl": self.rpc_url,
        }
        return json.dumps(data)

    def management(self, instance_id: str, origin: str) -> dict[str, str]:
        """The check-status links of an instance."""
        query = urlencode({"taskHub": self.hub, "connection": CONNECTION, "code": self.system_key})
        instance = f"{origin}{PATH}/instances/{quote(instance_id, safe='')}"
        return {
            "id": instance_id,
            "statusQueryGetUri": f"{instance}?{query}",
            "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
            "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
            "rewindPostUri": f"{instance}/rewind?reason={{text}}&{query}",
            "purgeHistoryDeleteUri": f"{instance}?{query}",
            "restartPostUri": f"{instance}/restart?{query}",
            "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
            "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
        }


class Webhooks:
    """Answers requests to the API. Who may ask is checked before."""

    def __init__(self, client: DurableClient, links: Callable[[], Links]) -> None:
        """`links` is asked at each use: the port is not known before the server listens."""
        self._client, self._links = client, links

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
            case ("GET", "instances"):
                return self._list(request)
            case ("DELETE", "instances"):
                return self._purge_all(request)
            case ("GET", "instances", instance_id):
                return self._status(request, instance_id)
            case ("DELETE", "instances", instance_id):
                return _json(200, {"instancesDeleted": self._client.purge(instance_id)})
            case ("POST", "instances", instance_id, "raiseEvent", name):
                return await self._raise_event(request, instance_id, name)
            case ("POST", "instances", instance_id, operation):
                return await self._operate(request, instance_id, operation)
            case (_, "entities", *_):
                return _error(501, "this host does not support durable entities")
            case _:
                return web.Response(status=404)

    async def _start(
        self, request: web.Request, name: str, instance_id: str | None
    ) -> web.Response:
        input_ = await _body(request)
        started = self._client.start(name, instance_id, input_)
        return await self._accepted(request, started)

    async def _accepted(self, request: web.Request, instance_id: str) -> web.Response:
        """202 with the check-status links; or how it ended, when the caller wants to wait and it ends in time."""
        patience = _number(request.query.get("timeout"))
        if patience is not None and _number(request.query.get("pollingInterval")) is not None:
            until = time.monotonic() + patience
            while time.monotonic() < until:
                instance = self._client.get(instance_id)
                if instance.status is Status.COMPLETED:
                    return _json(200, parsed(instance.output))
                if instance.status.is_terminal:
                    return self._status(request, instance_id)
                await asyncio.sleep(WAIT_SECONDS)
        links = self._links().management(instance_id, _origin(request))
        shown = {key: url for key, url in links.items() if key != "rewindPostUri"}
        return _json(202, shown, {"Location": links["statusQueryGetUri"], "Retry-After": "10"})

    def _status(self, request: web.Request, instance_id: str) -> web.Response:
        instance = self._client.get(instance_id)
        show_input = _flag(request, "showInput", default=True)
        history: list[Event] | None = None
        if _flag(request, "showHistory") and instance.status is not Status.PENDING:
            show_output = _flag(request, "showHistoryOutput")
            history = shown_history(
                self._client.history(instance_id), show_input=show_input, show_output=show_output
            )
        body = payload(instance, show_input=show_input, history=history)
        if not instance.status.is_terminal:
            return _json(
                202, body, {"Location": str(request.url), "Retry-After": str(RETRY_SECONDS)}
            )
        failed = instance.status is Status.FAILED and _flag(
            request, "returnInternalServerErrorOnFailure"
        )
        return _json(500 if failed else 200, body)

    def _list(self, request: web.Request) -> web.Response:
        query = _query(request)
        found = self._client.find(query)
        show_input = _flag(request, "showInput", default=True)
        token = found[-1].instance_id if len(found) == query.limit else ""
        body = [payload(instance, show_input=show_input) for instance in found]
        return _json(200, body, {CONTINUATION: quote(token)})

    def _purge_all(self, request: web.Request) -> web.Response:
        query = _query(request)
        if query.created_from is None:
            return _json(400, "Please provide value for 'createdTimeFrom' parameter.")
        purged = self._client.purge_all(query)
        return _json(200, {"instancesDeleted": purged}) if purged else web.Response(status=404)

    async def _raise_event(self, request: web.Request, instance_id: str, name: str) -> web.Response:
        instance = self._client.get(instance_id)
        if instance.status.is_terminal:
            raise InstanceOver(instance_id)
        if request.content_type != "application/json":
            return _error(400, "Only application/json request content is supported")
        self._client.raise_event(instance_id, name, await _body(request) or "null")
        return web.Response(status=202)

    async def _operate(
        self, request: web.Request, instance_id: str, operation: str
    ) -> web.Response:
        operations: Mapping[str, Callable[[str, str], None]] = {
            "terminate": self._client.terminate,
            "suspend": self._client.suspend,
            "resume": self._client.resume,
        }
        name = operation.lower()
        if name in operations:
            operations[name](instance_id, request.query.get("reason", ""))
            return web.Response(status=202)
        if name == "restart":
            new_id = _flag(request, "restartWithNewInstanceId", default=True)
            try:
                return await self._accepted(
                    request, self._client.restart(instance_id, new_id=new_id)
                )
            except NoInstance:
                return _error(400, "InstanceId does not match a valid orchestration instance.")
        if name == "rewind":
            return _error(
                501, "this host does not support rewind: start the orchestration again with restart"
            )
        return web.Response(status=404)


def payload(
    instance: Instance, *, show_input: bool, history: list[Event] | None = None
) -> dict[str, Any]:
    """The status of an instance, as the API gives it. Times are whole seconds."""
    return {
        "name": instance.name,
        "instanceId": instance.instance_id,
        "runtimeStatus": instance.status,
        "input": parsed(instance.input) if show_input else None,
        "customStatus": parsed(instance.custom_status),
        "output": parsed(instance.output),
        "createdTime": _seconds(instance.created),
        "lastUpdatedTime": _seconds(instance.updated),
        "historyEvents": history,
    }


def shown_history(history: list[Event], *, show_input: bool, show_output: bool) -> list[Event]:
    """History for people: what was scheduled is told with how it ended, and the host's own events are left out."""
    ended = {one["TaskScheduledId"] for one in history if "TaskScheduledId" in one}
    scheduled = {
        one["EventId"]: one
        for one in history
        if one["EventType"] in (Kind.TASK_SCHEDULED, Kind.SUB_CREATED)
    }
    shown: list[Event] = []
    for one in history:
        kind = Kind(one["EventType"])
        if kind in (Kind.ORCHESTRATOR_STARTED, Kind.ORCHESTRATOR_COMPLETED):
            continue
        if kind in (Kind.TASK_SCHEDULED, Kind.SUB_CREATED) and one["EventId"] in ended:
            continue
        shown.append(_shown(one, kind, scheduled, show_input=show_input, show_output=show_output))
    return shown


def _shown(
    one: Event, kind: Kind, scheduled: Mapping[int, Event], *, show_input: bool, show_output: bool
) -> Event:
    found = {key: value for key, value in one.items() if key not in _HIDDEN}
    found["EventType"] = NAMES[kind]
    source = scheduled.get(one["TaskScheduledId"]) if "TaskScheduledId" in one else None
    if source is not None:
        found |= {
            "ScheduledTime": source["Timestamp"],
            "FunctionName": source["Name"],
            "Input": source["Input"],
        }
    if kind is Kind.EXECUTION_STARTED:
        found["FunctionName"] = found.pop("Name")
    if kind is Kind.EXECUTION_COMPLETED:
        found["OrchestrationStatus"] = STATUS_NUMBERS[found["OrchestrationStatus"]]
    if "Result" in found:
        found["Result"] = parsed(found["Result"])
        if not show_output:
            del found["Result"]
    if not show_input:
        found.pop("Input", None)
    return found


_HIDDEN = frozenset(
    {
        "EventId",
        "IsPlayed",
        "TaskScheduledId",
        "TimerId",
        "Version",
        "OrchestrationInstance",
        "ParentInstance",
        "Tags",
    }
)


def _query(request: web.Request) -> InstanceQuery:
    statuses = [
        name for given in request.query.getall("runtimeStatus", []) for name in given.split(",")
    ]
    top = request.query.get("top", "")
    return InstanceQuery(
        prefix=request.query.get("instanceIdPrefix", ""),
        created_from=_moment(request, "createdTimeFrom"),
        created_to=_moment(request, "createdTimeTo"),
        statuses=tuple(status for status in Status if status.value in statuses),
        after=unquote(request.headers.get(CONTINUATION, "")),
        limit=int(top) if re.fullmatch(r"[1-9][0-9]{0,8}", top) else DEFAULT_PAGE,
    )


def _moment(request: web.Request, name: str) -> str | None:
    """A time of the query in the form of the store; one that cannot be read is ignored, as Azure does."""
    try:
        return time_text(parse_time(request.query[name]))
    except (KeyError, ValueError):
        return None


def _seconds(text: str) -> str:
    return parse_time(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    text = request.query.get(name, "").lower()
    return text == "true" if text in ("true", "false") else default


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


async def _body(request: web.Request) -> str | None:
    """The request's JSON, checked and compact; None where there is none. Raises InvalidRequest."""
    data = await request.read()
    if not data.strip():
        return None
    try:
        return json.dumps(json.loads(data), separators=(",", ":"))
    except ValueError as error:
        raise InvalidRequest(f"Invalid JSON content: {error}") from None


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body).encode(),
        headers=headers,
        content_type="application/json",
    )


def _error(status: int, message: str, exception: str | None = None) -> web.Response:
    body = {"Message": message}
    if exception is not None:
        body |= {"ExceptionMessage": exception, "ExceptionType": "System.ArgumentException"}
    return _json(status, body)
