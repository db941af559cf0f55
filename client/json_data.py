"""JSON of the app, whose parts may be missing: an older or newer app answers other fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

JsonObject = dict[str, Any]


def section(data: Mapping[str, Any], name: str) -> JsonObject:
    """Return the object of this name, an empty one if there is none."""
    value: object = data.get(name)
    return cast(JsonObject, value) if isinstance(value, dict) else {}


def entries(data: Mapping[str, Any], name: str) -> list[JsonObject]:
    """Return the objects in the list of this name, none if there is no such list."""
    value: object = data.get(name)
    if not isinstance(value, list):
        return []
    listed = cast(list[object], value)
    return [cast(JsonObject, entry) for entry in listed if isinstance(entry, dict)]


def texts(data: Mapping[str, Any], name: str) -> list[str]:
    """Return the list of this name as texts, none if there is no such list."""
    value: object = data.get(name)
    return [str(entry) for entry in cast(list[object], value)] if isinstance(value, list) else []


def count(data: Mapping[str, Any], name: str) -> int:
    """Return the number of this name, 0 if there is none."""
    value: object = data.get(name)
    return int(value) if isinstance(value, int | float) else 0
