"""Activities called as the Functions worker calls them: JSON in and out, found by their trigger."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus

from activities import (
    assemble,
    deletion,
    finetune,
    first_wave,
    generate,
    notify,
    preflight,
    prepare,
    progress,
    queue,
    report,
    reuse,
    scan,
)

PARTS = (
    prepare,
    scan,
    reuse,
    queue,
    preflight,
    generate,
    first_wave,
    progress,
    assemble,
    finetune,
    report,
    notify,
    deletion,
)
CREATED = "2026-01-01T00:00:00Z"
MAX_RESULT_BYTES = 16 * 1024
"""Results are in the orchestration's history, which every replay reads."""


@dataclass
class DurableClient:
    """What activities use of Durable's client."""

    statuses: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """By instance id, as the webhooks answer."""
    events: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])
    started: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])
    breaks: Exception | None = None
    events_break: Exception | None = None

    async def get_status(
        self, instance_id: str, *, show_input: bool = False
    ) -> DurableOrchestrationStatus:
        if self.breaks:
            raise self.breaks
        status = self.statuses.get(instance_id, {})
        times = {"createdTime": CREATED, "lastUpdatedTime": CREATED} if status else {}
        return DurableOrchestrationStatus(instanceId=instance_id, **times, **status)

    async def start_new(self, name: str, instance_id: str, client_input: Any) -> str:
        self.started.append((name, instance_id, json.loads(json.dumps(client_input))))
        return instance_id

    async def raise_event(self, instance_id: str, name: str, data: object = None) -> None:
        if self.events_break:
            raise self.events_break
        self.events.append((instance_id, name, data))


@dataclass(frozen=True)
class Activity:
    """One activity function."""

    call: Callable[..., Awaitable[dict[str, Any]]]
    input_name: str
    wants_client: bool
    """Whether it has a durable client as a second parameter."""


def _activities() -> dict[str, Activity]:
    activities: dict[str, Activity] = {}
    blueprints: list[Any] = [part.bp for part in PARTS]
    for blueprint in blueprints:
        for builder in blueprint._function_builders:
            trigger = builder._function.get_trigger()
            function = builder._function.get_user_function()
            # below the function that makes a real client
            inner = getattr(function, "client_function", None)
            activity = Activity(inner or function, trigger.name, inner is not None)
            activities[trigger.activity] = activity
    return activities


ACTIVITIES = _activities()


async def call(
    name: str, payload: dict[str, Any], client: DurableClient | None = None
) -> dict[str, Any]:
    """Execute an activity. Raises what it raises."""
    activity = ACTIVITIES[name]
    arguments: dict[str, Any] = {activity.input_name: json.loads(json.dumps(payload))}
    if activity.wants_client:
        arguments["client"] = client or DurableClient()
    result = json.dumps(await activity.call(**arguments))
    assert len(result) < MAX_RESULT_BYTES
    return json.loads(result)
