"""Whether an answer of the HTTP API is one that its OpenAPI document describes."""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

from jsonschema import Draft202012Validator

from shared.runs.openapi import openapi_document

WHERE = "describe it in ROUTES of shared/runs/routes.py"


def undocumented(method: str, path: str, status: int, body: Any) -> list[str]:
    """Return how an answer differs from the document. None of a body: there was none.

    `path` is that of the URL. A field that the document doesn't name is a difference. Answers of
    the host alone (a wrong key, a route that doesn't exist) have no body that could differ.
    """
    operation = _operation(method, path)
    if operation is None or status == 401:
        return []
    answer = operation["responses"].get(str(status))
    if answer is None:
        return [f"{operation['operationId']} answered {status}, which isn't documented: {WHERE}"]
    problems = _validators()[operation["operationId"], status].iter_errors(body)
    return [
        f"{operation['operationId']} {status} at {problem.json_path}: {problem.message[:500]}"
        for problem in problems
    ]


@functools.cache
def _validators() -> dict[tuple[str, int], Any]:
    """Return what checks each answer that has a body."""
    document = copy.deepcopy(openapi_document())
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    validators: dict[tuple[str, int], Any] = {}
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                for content in answer.get("content", {}).values():
                    schema = {**content["schema"], "components": document["components"]}
                    key = (operation["operationId"], int(status))
                    validators[key] = Draft202012Validator(schema)
    return validators


def _operation(method: str, path: str) -> dict[str, Any] | None:
    """Return the documented operation that answers this request."""
    for template, operations in openapi_document()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            return operations[method.lower()]
    return None
