"""Orchestration instances of runs, through the few operations of Durable's client that are needed.

A protocol stands for the client, so this package does not depend on the Functions SDK.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from shared.core.errors import ErrorCode, NotFound, PermanentError
from shared.core.ids import is_finetuning_id, notification_id, parts_of
from shared.core.json_values import json_object
from shared.runs.contracts import DISTILLATION_RUN, NOTIFY, Event, Notification
from shared.runs.requests import RunRequest
from shared.runs.status import TERMINAL, InstanceState
from shared.runs.view import InstanceStatus, RunView, run_view
from shared.spec.models import MAX_STUDENTS

# Sub-orchestrations look every two seconds whether their run has ended.
NOTICE_SECONDS = 10.0
TERMINATE_SECONDS = 5.0
# The root shows that it has ended a moment after its last activity.
END_SECONDS = 5.0
POLL_SECONDS = 0.25


class DurableClient(Protocol):
    """The operations of `DurableOrchestrationClient` that runs use."""

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> Any:
        """Return a status object; its `runtime_status` is None if there is no such instance."""

    async def start_new(self, name: str, instance_id: str, client_input: Any, /) -> str:
        """Start an orchestration and return its instance id. Raises if the id is taken."""
        ...

    @property
    def raise_event(self) -> Callable[..., Awaitable[None]]:
        """Send an external event: instance id, event name, data."""
        ...

    async def terminate(self, instance_id: str, reason: str) -> None:
        """End an instance, but none of its sub-orchestrations."""

    async def suspend(self, instance_id: str, reason: str) -> None:
        """Suspend an instance."""

    async def resume(self, instance_id: str, reason: str) -> None:
        """Resume a suspended instance."""

    def create_http_management_payload(self, instance_id: str) -> dict[str, str]:
        """Return Durable's links of an instance, by name."""
        ...


def task_hub(client: DurableClient) -> str:
    """Return the name of the task hub that a client works with, which is in every link."""
    links = client.create_http_management_payload("any")
    query = dict(parse_qsl(urlsplit(links["statusQueryGetUri"]).query))
    return query.get("taskHub", "")


async def raise_event(client: DurableClient, instance_id: str, event: Event, *data: Any) -> bool:
    """Send an event. Return False if the instance has ended meanwhile."""
    try:
        await client.raise_event(instance_id, event, *data)
    except Exception:  # the SDK has no type for "has ended"
        if await is_active(client, instance_id):
            raise
        return False
    return True


async def read_status(client: DurableClient, instance_id: str) -> InstanceStatus | None:
    """Return Durable's status of an instance, or None if there is no such instance."""
    status = await client.get_status(instance_id, show_input=True)
    if status.runtime_status is None:
        return None
    return status.to_json()


async def existing_run(client: DurableClient, run_id: str) -> InstanceStatus:
    """Return the status of a run's root instance. Raises NotFound."""
    status = await read_status(client, run_id)
    if status is None or status.get("name") != DISTILLATION_RUN:
        raise NotFound(f"run {run_id} doesn't exist")
    return status


async def unfinished_view(client: DurableClient, run_id: str, links: dict[str, str]) -> RunView:
    """Return the view of a run that goes on. Raises NotFound, or PermanentError if it has ended."""
    view = run_view(await existing_run(client, run_id), links)
    if view.status in TERMINAL:
        raise run_ended(run_id, f" as {view.status}")
    return view


def run_ended(run_id: str, end: str = "") -> PermanentError:
    """Return the error of a run that has already ended."""
    return PermanentError(f"run {run_id} has already ended{end}", code=ErrorCode.RUN_ENDED)


async def is_active(client: DurableClient, instance_id: str) -> bool:
    """Return whether an instance exists and has not ended."""
    status = await read_status(client, instance_id)
    return status is not None and InstanceState.is_active(status.get("runtimeStatus"))


async def check_inactive(client: DurableClient, run_id: str) -> None:
    """Raise PermanentError if the run is still active."""
    if await is_active(client, run_id):
        message = f"run {run_id} is still active: cancel it first"
        raise PermanentError(message, code=ErrorCode.RUN_ACTIVE)


async def terminate(client: DurableClient, run_id: str, reason: str) -> None:
    """End a run's root instance. Raises PermanentError if it doesn't end."""
    await client.terminate(run_id, reason)
    if await _wait_for_end(client, [run_id], TERMINATE_SECONDS):
        message = f"run {run_id} is still ending: try again in a minute"
        raise PermanentError(message, code=ErrorCode.RUN_ACTIVE)


async def end_parts(client: DurableClient, run_id: str) -> None:
    """End what a run that was terminated has left behind.

    Durable ends none of its sub-orchestrations. Most notice, and end once their answers are kept;
    those that don't are terminated. Raises PermanentError if one doesn't end.
    """
    parts = await _active_parts(client, run_id)
    for part in parts:
        if is_finetuning_id(part):
            await raise_event(client, part, Event.CANCEL, "user")  # its job must end, too
    parts = await _wait_for_end(client, parts, NOTICE_SECONDS)
    for part in parts:
        if not is_finetuning_id(part):
            await client.terminate(part, "the run that it belongs to was terminated")
    parts = await _wait_for_end(client, parts, TERMINATE_SECONDS)
    if parts:
        message = f"run {run_id} is still ending ({', '.join(parts)}): try again in a minute"
        raise PermanentError(message, code=ErrorCode.RUN_ACTIVE)


async def _active_parts(client: DurableClient, run_id: str) -> list[str]:
    return [part for part in parts_of(run_id, MAX_STUDENTS) if await is_active(client, part)]


async def _wait_for_end(client: DurableClient, parts: list[str], seconds: float) -> list[str]:
    """Wait until these have ended. Return those that haven't."""
    give_up = time.monotonic() + seconds
    while parts := [part for part in parts if await is_active(client, part)]:
        if time.monotonic() >= give_up:
            break
        await asyncio.sleep(POLL_SECONDS)
    return parts


async def start(client: DurableClient, request: RunRequest) -> bool:
    """Start a run unless it exists already. Return whether this call started it."""
    if await read_status(client, request.run_id) is not None:
        return False
    try:
        await restart(client, request)
    except Exception:  # the SDK has no type for "exists already"
        if await read_status(client, request.run_id) is None:
            raise
        return False
    return True


async def start_sole(client: DurableClient, name: str, instance_id: str, data: object) -> None:
    """Start an orchestration unless it is active."""
    if await is_active(client, instance_id):
        return
    try:
        await client.start_new(name, instance_id, data)
    except Exception:  # the SDK has no type for "is active"
        if not await is_active(client, instance_id):
            raise


async def start_notification(client: DurableClient, notification: Notification) -> None:
    """Start to announce the end of a round, unless that is under way."""
    instance_id = notification_id(notification.run_id, notification.round)
    await start_sole(client, NOTIFY, instance_id, notification.model_dump())


async def wait_for_end(client: DurableClient, run_id: str) -> None:
    """Wait until a run's status says that it has ended, for a few seconds at most."""
    await _wait_for_end(client, [run_id], END_SECONDS)


async def notification_warnings(client: DurableClient, run_id: str, round_: int) -> list[str]:
    """Return the warning of a round whose end could not be announced."""
    status = await read_status(client, notification_id(run_id, round_))
    shown = json_object(status.get("customStatus")) if status else None
    warning = shown.get("warning") if shown else None
    return [warning] if isinstance(warning, str) else []


async def restart(client: DurableClient, request: RunRequest) -> None:
    """Start a run over an instance that has ended."""
    await client.start_new(DISTILLATION_RUN, request.run_id, request.model_dump(mode="json"))
