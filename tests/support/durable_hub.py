"""A running engine on a task hub in a file, with plain Python functions of the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from local.functions_host.durable.client import DurableClient
from local.functions_host.durable.engine import Engine
from local.functions_host.durable.events import Event, Kind, Status
from local.functions_host.durable.functions import Functions, Limits
from local.functions_host.durable.records import Instance
from local.functions_host.durable.store import Store
from tests.support.durable_simulation import Orchestrator

Activity = Callable[[Any], Awaitable[Any]]
PATIENCE = 10.0
LOOK_SECONDS = 0.005


class Hub:
    """What a test asks of a running engine."""

    def __init__(self, store: Store, engine: Engine, client: DurableClient) -> None:
        self.store = store
        self.engine = engine
        self.client = client

    def start(self, name: str, input_: Any = None, instance_id: str | None = None) -> str:
        return self.client.start(name, instance_id, json.dumps(json.dumps(input_)))

    def raise_event(self, instance_id: str, name: str, data: Any = None) -> None:
        self.client.raise_event(instance_id, name, json.dumps(data))

    async def run(self, name: str, input_: Any = None, instance_id: str | None = None) -> Instance:
        return await self.ended(self.start(name, input_, instance_id))

    async def ended(self, instance_id: str, patience: float = PATIENCE) -> Instance:
        """Wait until the instance has ended, at most `patience` seconds. Raises TimeoutError."""
        await until(lambda: self.client.get(instance_id).status.is_terminal, patience)
        return self.client.get(instance_id)

    async def has(self, instance_id: str, status: Status) -> None:
        """Wait until the instance is in this status."""
        await until(lambda: self._status(instance_id) is status)

    def _status(self, instance_id: str) -> Status | None:
        instance = self.store.instance(instance_id)
        return instance.status if instance else None

    def kinds(self, instance_id: str) -> list[Kind]:
        """History, without what begins and ends an episode."""
        return [Kind(past["EventType"]) for past in self.history(instance_id)]

    def history(self, instance_id: str) -> list[Event]:
        frame = (Kind.ORCHESTRATOR_STARTED, Kind.ORCHESTRATOR_COMPLETED)
        return [past for past in self.client.history(instance_id) if past["EventType"] not in frame]


@asynccontextmanager
async def running(
    folder: Path,
    orchestrators: Mapping[str, Orchestrator],
    activities: Mapping[str, Activity] | None = None,
    limits: Limits | None = None,
    store: type[Store] = Store,
    **changed: Any,
) -> AsyncGenerator[Hub]:
    """Run an engine on the hub in this folder while the context lasts; it ends like a killed host.

    `changed` are fields of Functions.
    """
    opened = store(folder / "hub.sqlite")
    engine = Engine(
        opened, replace(functions(orchestrators, activities or {}), **changed), limits or Limits()
    )
    task = asyncio.create_task(engine.run())
    try:
        yield Hub(opened, engine, DurableClient(opened, frozenset(orchestrators), engine.wake))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        opened.close()


def functions(
    orchestrators: Mapping[str, Orchestrator], activities: Mapping[str, Activity]
) -> Functions:
    """What the engine calls: orchestrators by the SDK, activities with their input parsed."""
    handles = {
        name: df.Orchestrator.create(orchestrator) for name, orchestrator in orchestrators.items()
    }

    async def orchestrate(name: str, context: str) -> str:
        return handles[name](context)

    async def act(name: str, input_: Any) -> str:
        return json.dumps(await activities[name](json.loads(input_)))

    return Functions(
        orchestrators=frozenset(handles),
        activities=frozenset(activities),
        orchestrate=orchestrate,
        act=act,
    )


class Gauge:
    """How many are within it, and have been at most. Each stays a moment."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def __aenter__(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(LOOK_SECONDS)

    async def __aexit__(self, *_: object) -> None:
        self.now -= 1


async def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Wait for what the engine does by itself and tells nobody."""
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(LOOK_SECONDS)


def output(instance: Instance) -> Any:
    """The value of an orchestration that has completed."""
    assert instance.status is Status.COMPLETED, instance.output
    return json.loads(instance.output or "null")


def failure(instance: Instance) -> str:
    """The message of an orchestration that has failed."""
    assert instance.status is Status.FAILED, instance.output
    return instance.output or ""
