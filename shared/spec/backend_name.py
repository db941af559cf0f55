"""The name of a fine-tuning backend as a field of the specification: one of those registered."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic_core import PydanticKnownError
from pydantic_core.core_schema import CoreSchema

from shared.students.backends import BACKENDS


def _registered(name: str) -> str:
    """Return the name. Raises what pydantic raises for a Literal."""
    if name not in BACKENDS:
        *names, last = (f"'{backend}'" for backend in BACKENDS)
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(names)} or {last}"})
    return name


class _Names:
    """Gives the field's JSON Schema the names that are registered when the schema is made."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": list(BACKENDS)}


BackendName = Annotated[str, AfterValidator(_registered), _Names()]


def backends_in_words() -> str:
    """Return each backend with its description, for the schema of the specification."""
    return "; ".join(f"`{name}`: {each.description}" for name, each in BACKENDS.items())
