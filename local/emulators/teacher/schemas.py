"""Fills a JSON schema with an answer, for `response_format` schemas of any other form."""

from __future__ import annotations

import re
from typing import Any, cast

MAX_DEPTH = 12  # deeper schemas refer to themselves


def fill(schema: dict[str, Any], answer: str) -> Any:
    """Return the smallest value of the schema with the answer as every text and every number."""
    return _value(schema, schema, answer, 0)


def _value(schema: dict[str, Any], root: dict[str, Any], answer: str, depth: int) -> Any:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        options: list[Any] = schema["enum"]
        return answer if answer in options else options[0]
    kind = _kind(schema)
    if kind == "object" and depth < MAX_DEPTH:
        fields = cast(dict[str, dict[str, Any]], schema.get("properties", {}))
        return {name: _value(field, root, answer, depth + 1) for name, field in fields.items()}
    if kind == "array" and depth < MAX_DEPTH:
        return [_value(schema.get("items", {}), root, answer, depth + 1)]
    if kind in ("integer", "number"):
        digits = re.search(r"-?\d+", answer)
        return int(digits.group()) if digits else 0
    empty: dict[str, Any] = {"boolean": True, "null": None, "object": {}, "array": []}
    return empty.get(kind, answer)


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return the schema behind `$ref` (into `$defs`) or the first alternative of `anyOf`."""
    for _ in range(MAX_DEPTH):
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            definitions: Any = root.get("$defs", root.get("definitions", {}))
            schema = cast(dict[str, Any], definitions.get(name, {}))
        elif schema.get("anyOf"):
            schema = cast(dict[str, Any], schema["anyOf"][0])
        else:
            break
    return schema


def _kind(schema: dict[str, Any]) -> str:
    kind: Any = schema.get("type", "object" if "properties" in schema else "string")
    return str(cast(list[Any], kind)[0]) if isinstance(kind, list) else str(kind)
