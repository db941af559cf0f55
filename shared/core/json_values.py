"""JSON from outside, before anything is known of its shape."""

from __future__ import annotations

from typing import cast

from pydantic import JsonValue

JsonObject = dict[str, JsonValue]


def json_object(value: object) -> JsonObject | None:
    """Return decoded JSON if it is an object, None for any other value."""
    return cast(JsonObject, value) if isinstance(value, dict) else None
