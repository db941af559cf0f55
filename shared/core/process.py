"""Everything that lives as long as the worker process, in one object.

Learned capabilities, request schedulers, SDK clients and the settings are kept per process, so that
activities that run side by side share them. Each kind of state is a class whose constructor takes
no arguments; `current().part(ThatClass)` returns the process's only instance. Tests replace the
whole object (`use`), so nothing that one test learned is left for the next.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from shared.core.caller_keys import ApiKey
from shared.core.notification_settings import NotificationTarget, notification_secrets
from shared.core.secrets import Redact, redactor, secrets_of_environment, without_tokens
from shared.core.settings import (
    Settings,
    StorageSettings,
    load,
    load_api_keys,
    load_notification_target,
    load_storage,
    model_names,
    secret_names,
)

PartT = TypeVar("PartT")


@runtime_checkable
class HoldsConnections(Protocol):
    """State that has to be closed when it is given up."""

    def close(self) -> None: ...


class Process:
    """State of one worker process: its settings, and one instance of each kind of state."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings
        self._redact: Redact | None = None
        self._parts: dict[type[Any], object] = {}
        self._lock = threading.RLock()

    @property
    def settings(self) -> Settings:
        """The app settings, read on first use. Raises SettingsError; only a success is kept."""
        if self._settings is None:
            self._settings = load(os.environ)
        return self._settings

    @property
    def storage_settings(self) -> StorageSettings:
        """The settings of the storage account, even if others are wrong. Raises SettingsError."""
        return self._settings or load_storage(os.environ)

    @property
    def api_keys(self) -> tuple[ApiKey, ...]:
        """Names and roles of keys, even if other settings are wrong. Raises SettingsError."""
        return self._settings.callers if self._settings else load_api_keys(os.environ)

    @property
    def notification_target(self) -> NotificationTarget | None:
        """Who is notified of ends, even if other settings are wrong. Raises SettingsError."""
        if self._settings is not None:
            return self._settings.notification_target
        return load_notification_target(os.environ)

    @property
    def secrets(self) -> list[str]:
        """The secrets of this process, even if a setting is wrong.

        Servers that want no key are often given the model's name as one.
        """
        secrets = secrets_of_environment(os.environ, secret_names(os.environ))
        secrets += notification_secrets(os.environ)
        models = {name.lower() for name in model_names(os.environ)}
        return [secret for secret in secrets if secret.lower() not in models]

    @property
    def redact(self) -> Redact:
        """Return the function that replaces these secrets in a text of a service."""
        if self._redact is None:
            self._redact = redactor(self.secrets)
        return self._redact

    def redact_failure(self, text: str) -> str:
        """Replace these secrets, and tokens and signatures too, in an error or a log."""
        return without_tokens(self.redact(text))

    def part(self, kind: type[PartT]) -> PartT:
        """Return the process's only instance of `kind`, making it on first use. Thread-safe."""
        with self._lock:
            if kind not in self._parts:
                self._parts[kind] = kind()
            return cast(PartT, self._parts[kind])

    def close(self) -> None:
        """Close what holds connections. For tests; those of a worker end with its process."""
        with self._lock:
            for part in self._parts.values():
                if isinstance(part, HoldsConnections):
                    part.close()


_current = Process()


def current() -> Process:
    """Return the state of this process."""
    return _current


def use(process: Process) -> Process:
    """Replace the state of this process, and return the one before. For tests and benchmarks."""
    global _current
    before = _current
    _current = process
    return before
