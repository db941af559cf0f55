"""The HTTP routes of the app in this process: its triggers, on a task hub in memory.

Requests arrive as from the Functions host, which has checked the key and found the function.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import azure.functions as func

import function_app
from shared.runs.contracts import DISTILLATION_RUN
from shared.runs.status import InstanceState, RunStatus

BASE = "https://app.example"


@dataclass
class Instance:
    """An orchestration instance, which never does anything."""

    runtime_status: str = InstanceState.RUNNING
    input: Any = None
    status: RunStatus | None = None


@dataclass
class InstanceReport:
    """Durable's status object of one instance."""

    runtime_status: str | None
    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return self.data


@dataclass
class TaskHub:
    """What the handlers use of Durable's client. `calls` are those that change an instance."""

    instances: dict[str, Instance] = field(default_factory=dict[str, Instance])
    calls: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> InstanceReport:
        instance = self.instances.get(instance_id)
        if instance is None:
            return InstanceReport(None, {})
        data: dict[str, Any] = {
            "name": DISTILLATION_RUN,
            "instanceId": instance_id,
            "createdTime": "2026-01-01T00:00:00.000000Z",
            "lastUpdatedTime": "2026-01-01T00:00:00.000000Z",
            "runtimeStatus": instance.runtime_status,
            "input": json.dumps(instance.input),
        }
        if instance.status:
            data["customStatus"] = instance.status.custom_status()
        return InstanceReport(instance.runtime_status, data)

    async def start_new(self, name: str, instance_id: str, client_input: Any) -> str:
        if InstanceState.is_active(getattr(self.instances.get(instance_id), "runtime_status", "")):
            raise RuntimeError("it runs already")
        self.calls.append(("start", instance_id))
        self.instances[instance_id] = Instance(InstanceState.PENDING, client_input)
        return instance_id

    async def terminate(self, instance_id: str, reason: str) -> None:
        self._change("terminate", instance_id, InstanceState.TERMINATED)

    async def suspend(self, instance_id: str, reason: str) -> None:
        self._change("suspend", instance_id, InstanceState.SUSPENDED)

    async def resume(self, instance_id: str, reason: str) -> None:
        self._change("resume", instance_id, InstanceState.RUNNING)

    async def raise_event(self, instance_id: str, *event: Any) -> None:
        self.calls.append(("event", instance_id, *event))

    def get_client_response_links(self, req: func.HttpRequest, run_id: str) -> dict[str, str]:
        """Return some of Durable's links, with a key."""
        webhook = f"{BASE}/runtime/webhooks/durabletask/instances/{run_id}"
        links = {"statusQueryGetUri": "", "terminatePostUri": "/terminate", "restartPostUri": "/r"}
        urls = {name: f"{webhook}{path}?code=secret" for name, path in links.items()}
        return {"id": run_id, **urls}

    def create_http_management_payload(self, instance_id: str) -> dict[str, str]:
        return {"statusQueryGetUri": f"{BASE}/{instance_id}?taskHub=here&code=secret"}

    def _change(self, call: str, instance_id: str, status: InstanceState) -> None:
        self.calls.append((call, instance_id))
        self.instances[instance_id].runtime_status = status


@dataclass(frozen=True)
class DoorAnswer:
    """Status, decoded body and headers."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class Door:
    """The routes of function_app.py."""

    hub: TaskHub = field(default_factory=TaskHub)

    async def ask(
        self,
        method: str,
        target: str,
        body: Any = b"",
        content_type: str = "application/json",
        **headers: str,
    ) -> DoorAnswer:
        """Return the answer to a request. `body` is sent as JSON unless it is bytes.

        `target` is path and query. Raises LookupError if no function answers it.
        """
        url = urlsplit(target)
        function, parameters = _find(method, url.path)
        request = func.HttpRequest(
            method=method,
            url=f"{BASE}{target}",
            headers={"Content-Type": content_type, **headers},
            params=_host_query(url.query),
            route_params=parameters,
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        )
        response = await function(request, self.hub)
        content = response.get_body()
        headers = dict(response.headers)
        return DoorAnswer(response.status_code, json.loads(content), headers)


def _host_query(query: str) -> dict[str, str]:
    """Return a query as the host gives it: repeated values joined, empty ones left out."""
    return {name: ",".join(values) for name, values in parse_qs(query).items()}


@functools.cache
def http_functions() -> dict[tuple[str, str], Any]:
    """Return the function of each method and path template, such as `GET`, `/api/runs/{id}`."""
    functions: dict[tuple[str, str], Any] = {}
    for function in function_app.app.get_functions():
        trigger: Any = function.get_trigger()
        if trigger is not None and trigger.type == "httpTrigger":
            binding = trigger.get_dict_repr()
            for method in binding["methods"]:
                functions[method.value, f"/api/{binding['route']}"] = function
    return functions


def _find(method: str, path: str) -> tuple[Any, dict[str, str]]:
    for (answered, template), function in http_functions().items():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        match = re.fullmatch(pattern, path)
        if match and answered == method:
            parameters = {name: unquote(value) for name, value in match.groupdict().items()}
            return function.get_user_function().client_function, parameters
    raise LookupError(f"no function answers {method} {path}")
