"""Operations on orchestrations: those behind Durable's client and its management API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from unicodedata import category
from uuid import uuid4

from local.functions_host.durable.events import Event, Kind, event
from local.functions_host.durable.recording import create_instance
from local.functions_host.durable.records import Instance, Message
from local.functions_host.durable.store import Store

MAX_INSTANCE_ID = 100
FORBIDDEN = frozenset("/\\#?")


class InvalidRequest(Exception):
    """The request cannot be carried out; the message says why."""


class InstanceExists(Exception):
    """An instance of this id is running and must not be replaced."""


class NoInstance(Exception):
    """There is no instance of this id."""


class InstanceOver(Exception):
    """The instance has ended."""


class DurableClient:
    """Operations on one task hub. `wake` is called after each that sends something."""

    def __init__(
        self, store: Store, orchestrators: frozenset[str], wake: Callable[[], None]
    ) -> None:
        self._store = store
        self._orchestrators = orchestrators
        self._wake = wake

    def start(self, name: str, instance_id: str | None, input_: str | None) -> str:
        """Start an orchestration and return its id; `input_` is JSON text.

        Raises InvalidRequest, InstanceExists.
        """
        self._check_orchestrator(name)
        if instance_id is None:
            instance_id = uuid4().hex
        _check_id(instance_id)
        existing = self._store.instance(instance_id)
        if existing is not None and not existing.status.is_terminal:
            raise InstanceExists(
                f"An Orchestration instance with the status {existing.status} already exists."
            )
        with self._store.transaction():
            self._store.delete(instance_id)
            create_instance(self._store, instance_id, name, input_, _now())
        self._wake()
        return instance_id

    def get(self, instance_id: str) -> Instance:
        """Return an instance. Raises NoInstance."""
        instance = self._store.instance(instance_id)
        if instance is None:
            raise NoInstance(instance_id)
        return instance

    def history(self, instance_id: str) -> list[Event]:
        """Return the history of the latest execution."""
        return self._store.history(instance_id)

    def raise_event(self, instance_id: str, name: str, data: str) -> None:
        """Send an external event; `data` is JSON text. Raises NoInstance, InstanceOver."""
        self._check_running(instance_id)
        self._send(instance_id, event(Kind.EVENT_RAISED, _now(), Name=name, Input=data))

    def terminate(self, instance_id: str, reason: str) -> None:
        """End an orchestration. Raises NoInstance, InstanceOver."""
        self._check_running(instance_id)
        self._send(instance_id, event(Kind.EXECUTION_TERMINATED, _now(), Input=reason))

    def suspend(self, instance_id: str, reason: str) -> None:
        """Suspend an orchestration. Raises NoInstance, InstanceOver."""
        self._check_running(instance_id)
        self._send(instance_id, event(Kind.EXECUTION_SUSPENDED, _now(), Reason=reason))

    def resume(self, instance_id: str, reason: str) -> None:
        """Resume an orchestration. Raises NoInstance, InstanceOver."""
        self._check_running(instance_id)
        self._send(instance_id, event(Kind.EXECUTION_RESUMED, _now(), Reason=reason))

    def restart(self, instance_id: str, *, new_id: bool) -> str:
        """Start an orchestration again with its input.

        Raises NoInstance, InstanceExists, InvalidRequest.
        """
        instance = self.get(instance_id)
        return self.start(instance.name, None if new_id else instance_id, instance.input)

    def purge(self, instance_id: str) -> int:
        """Delete an instance that has ended; return how many were deleted. Raises NoInstance."""
        if not self.get(instance_id).status.is_terminal:
            return 0
        with self._store.transaction():
            self._store.delete(instance_id)
        return 1

    def _send(self, instance_id: str, control: Event) -> None:
        message = Message(instance_id=instance_id, execution_id=None, event=control)
        with self._store.transaction():
            self._store.send([message])
        self._wake()

    def _check_running(self, instance_id: str) -> None:
        if self.get(instance_id).status.is_terminal:
            raise InstanceOver(instance_id)

    def _check_orchestrator(self, name: str) -> None:
        if name in self._orchestrators:
            return
        names = ", ".join(sorted(self._orchestrators)) or "none"
        raise InvalidRequest(
            f"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function."
            f" The following are the known orchestrator functions: {names}."
        )


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
