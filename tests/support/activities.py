"""Activities called as the Functions worker calls them: one JSON object in, one out, found by the name in their trigger."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from activities import (
    assemble,
    finetune,
    generate,
    preflight,
    prepare,
    progress,
    report,
    reuse,
    scan,
)
from activities.outcome import Payload

PARTS = (prepare, scan, reuse, preflight, generate, progress, assemble, finetune, report)
MAX_RESULT_BYTES = (
    16 * 1024
)  # results stand in the orchestration's history, which every replay reads


@dataclass
class DurableClient:
    """The two calls that activities make of Durable's client."""

    statuses: dict[str, dict[str, Any]] = field(
        default_factory=dict[str, dict[str, Any]]
    )  # as the webhooks answer
    events: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])
    breaks: Exception | None = None

    async def get_status(self, instance_id: str) -> DurableOrchestrationStatus:
        if self.breaks:
            raise self.breaks
        known = self.statuses.get(instance_id, {})
        return DurableOrchestrationStatus(instanceId=instance_id, **known)

    async def raise_event(self, instance_id: str, name: str, data: object = None) -> None:
        self.events.append((instance_id, name, data))


@dataclass(frozen=True)
class Activity:
    """One activity function. `wants_client`: it has a durable client as a second parameter."""

    call: Callable[..., Awaitable[Payload]]
    input_name: str
    wants_client: bool


def _activities() -> dict[str, Activity]:
    found: dict[str, Activity] = {}
    blueprints: list[Any] = [part.bp for part in PARTS]
    for builder in [
        builder for blueprint in blueprints for builder in blueprint._function_builders
    ]:
        trigger, call = builder._function.get_trigger(), builder._function.get_user_function()
        own = getattr(
            call, "client_function", None
        )  # the function below the one that makes a real client
        found[trigger.activity] = Activity(own or call, trigger.name, own is not None)
    return found


ACTIVITIES = _activities()


async def call(
    name: str, payload: dict[str, Any], client: DurableClient | None = None
) -> dict[str, Any]:
    """Execute an activity. Raises what it raises."""
    activity = ACTIVITIES[name]
    arguments: dict[str, Any] = {activity.input_name: Payload(json.loads(json.dumps(payload)))}
    if activity.wants_client:
        arguments["client"] = client or DurableClient()
    result = json.dumps(await activity.call(**arguments))
    assert len(result) < MAX_RESULT_BYTES
    return json.loads(result)
