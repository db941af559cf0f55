"""What can be asked of orchestrations from outside: the operations behind Durable's client and its management API."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unicodedata import category
from uuid import uuid4

from local.functions_host.durable.engine import create_instance
from local.functions_host.durable.events import Event, Kind, Status, event
from local.functions_host.durable.store import Instance, InstanceQuery, Message, Store

MAX_INSTANCE_ID = 100
FORBIDDEN = frozenset("/\\#?")


class InvalidRequest(Exception):
    """What is asked for cannot be; the message says why."""


class InstanceExists(Exception):
    """An instance of this id runs, and must not be replaced."""


class NoInstance(Exception):
    """There is no instance of this id."""


class InstanceOver(Exception):
    """The instance has ended."""


class DurableClient:
    """Operations on one task hub. `wake` is called after each that an orchestration has to learn of."""

    def __init__(
        self,
        store: Store,
        orchestrators: frozenset[str],
        wake: Callable[[], None],
        *,
        replace_running: bool = False,
    ) -> None:
        """`replace_running`: host.json's overridableExistingInstanceStates is AnyState."""
        self._store, self._orchestrators, self._wake = store, orchestrators, wake
        self._replace_running = replace_running

    def start(self, name: str, instance_id: str | None, input_: str | None) -> str:
        """Start an orchestration; `input_` is JSON text. Returns its id. Raises InvalidRequest, InstanceExists."""
        self._check_orchestrator(name)
        if instance_id is None:
            instance_id = uuid4().hex
        _check_id(instance_id)
        existing = self._store.instance(instance_id)
        if existing is not None and not existing.status.is_terminal and not self._replace_running:
            raise InstanceExists(
                f"An Orchestration instance with the status {existing.status} already exists."
            )
        with self._store.transaction():
            self._store.forget(instance_id)
            create_instance(self._store, instance_id, name, input_, _now())
        self._wake()
        return instance_id

    def get(self, instance_id: str) -> Instance:
        """Raises NoInstance."""
        instance = self._store.instance(instance_id)
        if instance is None:
            raise NoInstance(instance_id)
        return instance

    def history(self, instance_id: str) -> list[Event]:
        return self._store.history(instance_id)

    def find(self, query: InstanceQuery) -> list[Instance]:
        return self._store.find(query)

    def raise_event(self, instance_id: str, name: str, data: str) -> None:
        """Send an external event; `data` is JSON text. Raises NoInstance, InstanceOver."""
        self._check_running(instance_id)
        self._send(instance_id, event(Kind.EVENT_RAISED, _now(), Name=name, Input=data))

    def terminate(self, instance_id: str, reason: str) -> None:
        """Raises NoInstance, InstanceOver."""
        self._check_running(instance_id)
        self._send(instance_id, event(Kind.EXECUTION_TERMINATED, _now(), Input=reason))

    def suspend(self, instance_id: str, reason: str) -> None:
        """Raises NoInstance, InstanceOver."""
        self._check_running(instance_id)
        self._send(instance_id, event(Kind.EXECUTION_SUSPENDED, _now(), Reason=reason))

    def resume(self, instance_id: str, reason: str) -> None:
        """Raises NoInstance, InstanceOver."""
        self._check_running(instance_id)
        self._send(instance_id, event(Kind.EXECUTION_RESUMED, _now(), Reason=reason))

    def restart(self, instance_id: str, *, new_id: bool) -> str:
        """Start an orchestration once more with its input. Raises NoInstance, InstanceExists, InvalidRequest."""
        instance = self.get(instance_id)
        return self.start(instance.name, None if new_id else instance_id, instance.input)

    def purge(self, instance_id: str) -> int:
        """Delete an instance that has ended, and its history. Returns how many were deleted. Raises NoInstance."""
        if not self.get(instance_id).status.is_terminal:
            return 0
        with self._store.transaction():
            self._store.forget(instance_id)
        return 1

    def purge_all(self, query: InstanceQuery) -> int:
        """Delete all instances that have ended and meet the conditions."""
        ended = tuple(
            status
            for status in Status
            if status.is_terminal and (not query.statuses or status in query.statuses)
        )
        purged = 0
        if not ended:
            return purged
        while found := self._store.find(replace(query, statuses=ended, after="")):
            with self._store.transaction():
                for instance in found:
                    self._store.forget(instance.instance_id)
            purged += len(found)
        return purged

    def _send(self, instance_id: str, one: Event) -> None:
        with self._store.transaction():
            self._store.send([Message(instance_id=instance_id, execution_id=None, event=one)])
        self._wake()

    def _check_running(self, instance_id: str) -> None:
        if self.get(instance_id).status.is_terminal:
            raise InstanceOver(instance_id)

    def _check_orchestrator(self, name: str) -> None:
        if name in self._orchestrators:
            return
        known = ", ".join(sorted(self._orchestrators)) or "none"
        raise InvalidRequest(
            f"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function. "
            f"The following are the known orchestrator functions: {known}."
        )


def parsed(text: str | None) -> Any:
    """JSON text as a value; text that is no JSON (a reason, an error) stays text."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _check_id(instance_id: str) -> None:
    if not instance_id or instance_id.startswith("@"):
        raise InvalidRequest("Orchestration instance ids must not be empty or start with @.")
    if any(character in FORBIDDEN or category(character) == "Cc" for character in instance_id):
        raise InvalidRequest(
            "Orchestration instance ids must not contain /, \\, #, ?, or control characters."
        )
    if len(instance_id) > MAX_INSTANCE_ID:
        raise InvalidRequest(f"Instance ID lengths must not exceed {MAX_INSTANCE_ID} characters.")


def _now() -> datetime:
    return datetime.now(UTC)
