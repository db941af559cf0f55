"""The response formats that hold a teacher to a structured reply, from the strictest to none."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any


class ResponseFormat(Enum):
    """Values are the `type` of the request's `response_format`."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"

    @property
    def fallback(self) -> ResponseFormat:
        """Return the next less strict format."""
        if self is ResponseFormat.JSON_SCHEMA:
            return ResponseFormat.JSON_OBJECT
        return ResponseFormat.TEXT

    def laxer(self, other: ResponseFormat) -> ResponseFormat:
        """Return the less strict of two formats."""
        formats = list(ResponseFormat)
        return max(self, other, key=formats.index)

    def parameter(self, schema: Mapping[str, Any]) -> dict[str, object] | None:
        """Return the request's `response_format`, None where the request has none."""
        if self is ResponseFormat.JSON_SCHEMA:
            json_schema = {"name": "reply", "strict": True, "schema": dict(schema)}
            return {"type": self.value, "json_schema": json_schema}
        if self is ResponseFormat.JSON_OBJECT:
            return {"type": self.value}
        return None
