"""The functions of an app, as the host uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RETURN = "$return"
HTTP_TRIGGER = "httpTrigger"
BLOB_TRIGGER = "blobTrigger"
TIMER_TRIGGER = "timerTrigger"
ORCHESTRATION_TRIGGER = "orchestrationTrigger"
ACTIVITY_TRIGGER = "activityTrigger"
DURABLE_CLIENT = "durableClient"
HTTP_OUTPUT = "http"
TRIGGERS = (HTTP_TRIGGER, BLOB_TRIGGER, TIMER_TRIGGER, ORCHESTRATION_TRIGGER, ACTIVITY_TRIGGER)


@dataclass(frozen=True, slots=True)
class Binding:
    """One input binding. `properties` are function.json's, with `%SETTING%` resolved."""

    name: str
    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFunction:
    """One function. `id` is the worker's name for it; `inputs` are its parameters' bindings."""

    id: str
    name: str
    trigger: Binding
    inputs: tuple[Binding, ...]

    @property
    def durable_name(self) -> str:
        """The name by which orchestrations call it: the trigger may rename the function."""
        properties = self.trigger.properties
        return str(properties.get("orchestration") or properties.get("activity") or self.name)


@dataclass(frozen=True, slots=True)
class FunctionApp:
    """All functions of the app that are not disabled, by name."""

    functions: Mapping[str, IndexedFunction]
    disabled: tuple[str, ...] = ()

    def with_trigger(self, trigger: str) -> list[IndexedFunction]:
        """Return the functions with this type of trigger."""
        return [
            function for function in self.functions.values() if function.trigger.type == trigger
        ]
