"""What the host knows of one function of the app, in the terms of the Functions worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

RETURN = "$return"
HTTP_TRIGGER = "httpTrigger"
BLOB_TRIGGER = "blobTrigger"
ORCHESTRATION_TRIGGER = "orchestrationTrigger"
ACTIVITY_TRIGGER = "activityTrigger"
DURABLE_CLIENT = "durableClient"
HTTP_OUTPUT = "http"
TRIGGERS = (HTTP_TRIGGER, BLOB_TRIGGER, ORCHESTRATION_TRIGGER, ACTIVITY_TRIGGER)


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding as the worker reports it to the host. `properties` has function.json's names, `%SETTING%` resolved.

    `raw` says that the parameter is annotated `str` or `bytes`, and so gets the data without the library's type.
    """

    name: str
    type: str
    properties: Mapping[str, Any]
    raw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFunction:
    """One function. `inputs` are its parameters, the trigger's first; `output` is the binding of its return value."""

    name: str
    call: Callable[..., Any]
    is_async: bool
    trigger: Binding
    inputs: tuple[Binding, ...]
    output: Binding | None
    wants_context: bool
    retry_policy: Mapping[str, Any] | None = None
    directory: str = ""

    @property
    def durable_name(self) -> str:
        """The name by which orchestrations call it: the trigger may rename the function."""
        renamed = self.trigger.properties.get("orchestration") or self.trigger.properties.get(
            "activity"
        )
        return str(renamed or self.name)

    @property
    def returns_value(self) -> bool:
        return self.output is not None or self.trigger.type in (
            ORCHESTRATION_TRIGGER,
            ACTIVITY_TRIGGER,
        )


@dataclass(frozen=True, slots=True)
class FunctionApp:
    """All functions of the app that are not disabled, by name."""

    functions: Mapping[str, IndexedFunction]
    disabled: tuple[str, ...] = ()

    def with_trigger(self, trigger: str) -> list[IndexedFunction]:
        return [
            function for function in self.functions.values() if function.trigger.type == trigger
        ]
