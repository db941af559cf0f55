"""A field of the specification that holds a name from a registry, such as that of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticKnownError
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function


class RegisteredName:
    """Annotates a `str` that must be a key of `registry`, and reports errors like a Literal.

    The registry is read at each validation: an entry that is added later counts.
    """

    def __init__(self, registry: Mapping[str, object]) -> None:
        self._registry = registry

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self._registered, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self._registry)}

    def _registered(self, name: str) -> str:
        if name in self._registry:
            return name
        *names, last = (f"'{registered}'" for registered in self._registry)
        expected = f"{', '.join(names)} or {last}" if names else last
        raise PydanticKnownError("literal_error", {"expected": expected})
