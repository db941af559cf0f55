"""The blob triggers of an app: their paths, connections and sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.functions_host.errors import IndexingError
from local.functions_host.functions import BLOB_TRIGGER, IndexedFunction

EVENT_GRID = "EventGrid"
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class BlobPattern:
    """A trigger's path: `container/prefix/{name}.jsonl`.

    A parameter matches anything, slashes included, as in Azure.
    """

    container: str
    expression: re.Pattern[str]

    @classmethod
    def parse(cls, path: str) -> BlobPattern:
        """Raises ValueError."""
        container, slash, name = path.partition("/")
        if not slash or not name or "{" in container:
            raise ValueError(f"{path!r} is not a path of the form container/blob")
        expression = ""
        for index, part in enumerate(_PARAMETER.split(name)):
            expression += f"(?P<{part}>.+)" if index % 2 else re.escape(part)
        try:
            return cls(container, re.compile(expression, re.DOTALL))
        except re.error as error:  # a parameter that occurs twice or has an invalid name
            raise ValueError(
                f"{path!r} is not a path of the form container/blob: {error}"
            ) from None

    def match(self, name: str) -> dict[str, str] | None:
        """Return the values of the parameters for a blob name, None if the name differs."""
        match = self.expression.fullmatch(name)
        return match.groupdict() if match else None


@dataclass(slots=True)
class BlobTrigger:
    """One function with a blob trigger.

    `settled` are the versions (name, ETag) that need no further look.
    """

    function: IndexedFunction
    pattern: BlobPattern
    connection: str
    is_polled: bool
    settled: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    @property
    def name(self) -> str:
        return self.function.name


def blob_triggers(
    functions: list[IndexedFunction], environment: Mapping[str, str]
) -> list[BlobTrigger]:
    """Return the blob triggers of an app. Raises IndexingError naming all that cannot be served."""
    triggers: list[BlobTrigger] = []
    problems: list[str] = []
    for function in functions:
        if function.trigger.type == BLOB_TRIGGER:
            try:
                triggers.append(_trigger(function, environment))
            except ValueError as error:
                problems.append(f"function {function.name} {error}")
    if problems:
        raise IndexingError("\n".join(problems))
    return triggers


def _trigger(function: IndexedFunction, environment: Mapping[str, str]) -> BlobTrigger:
    properties = function.trigger.properties
    setting = str(properties.get("connection") or "AzureWebJobsStorage")
    connection = environment.get(setting, "")
    if not connection:
        raise ValueError(f"needs the connection string {setting}, which is not set")
    try:
        pattern = BlobPattern.parse(str(properties["path"]))
    except ValueError as error:
        raise ValueError(f"has a blob trigger that cannot be served: {error}") from None
    return BlobTrigger(function, pattern, connection, properties.get("source") != EVENT_GRID)
