"""The OpenAPI 3.1 document of the HTTP API, made from shared/runs/routes.py and the models that the
routes read and answer.

OpenAPI 3.1 takes JSON Schema as it is, so schemas are pydantic's own.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue

from shared.core.ids import RUN_ID
from shared.runs.http import FUNCTION_KEY, ErrorBody
from shared.runs.routes import ROUTES, Answer, Header, Route
from shared.runs.transfers import DATASET_NAME
from shared.tasks import TASKS

OPENAPI = "3.1.1"
API_VERSION = "1"
"""Of the API, which grows without breaking clients: new fields, parameters and routes."""
JSON = "application/json"
UNAUTHORIZED = 401
ERRORS = {
    400: "The request can't be understood: invalid JSON, or a parameter that is unknown or wrong.",
    UNAUTHORIZED: "The function key is missing or wrong. Answered by the Functions host.",
    403: "The caller may only read: their key or app role is a reader's, or isn't listed.",
    404: "There is no such run, dataset or other thing that the request names.",
    409: "The run exists already, or its state doesn't allow this.",
    410: "The run was deleted.",
    413: "The body, or a dataset for a dry run, is too large.",
    415: "The body isn't sent as application/json.",
    422: "The body has problems, each one with its place.",
    500: "An app setting is missing or wrong, each one by its name.",
    503: "The storage account can't be used at the moment: try again.",
}
HEADERS: dict[Header, JsonSchemaValue] = {
    "Location": {
        "description": "URL of the run.",
        "schema": {"type": "string", "format": "uri"},
    },
    "Retry-After": {
        "description": "Seconds until a look is worthwhile.",
        "schema": {"type": "string"},
    },
}
PATH_PARAMETERS: dict[str, JsonSchemaValue] = {
    "id": {"description": "Run id.", "schema": {"pattern": f"^{RUN_ID.pattern}$"}},
    "task": {"description": "Task of a dataset.", "schema": {"enum": list(TASKS)}},
    "name": {
        "description": "Name of a dataset.",
        "schema": {"pattern": f"^{DATASET_NAME.pattern}$"},
    },
}
HEADINGS = ("title", "description", "default")
SECURITY_SCHEMES: JsonSchemaValue = {
    "key_header": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "key_query": {"type": "apiKey", "in": "query", "name": FUNCTION_KEY},
}


Place = tuple[str, Literal["body"] | int]
"""An operation, and its body or one of its answers."""
ERROR: Place = ("", "body")


class _Schemas(GenerateJsonSchema):
    """Schemas of what is really answered: every field of a model, also those with a default.

    Models with a serialiser of their own leave out fields that say nothing.
    """

    def ser_schema(self, schema: Any) -> JsonSchemaValue | None:
        return None if schema["type"] == "function-wrap" else super().ser_schema(schema)

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        shown = super().model_schema(schema)
        if self.mode == "serialization" and "serialization" not in schema:
            shown["required"] = list(shown["properties"])
        return shown

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@functools.cache
def openapi_document() -> JsonSchemaValue:
    """Return the document. The first call takes a tenth of a second."""
    schemas, definitions = _schemas()
    paths: dict[str, JsonSchemaValue] = {}
    for route in ROUTES:
        operations = paths.setdefault(f"/api/{route.path}", {})
        operations[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Model distillation on Azure Durable Functions",
            "version": API_VERSION,
            "description": "A dataset in blob storage becomes a fine-tuned student.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": SECURITY_SCHEMES,
        },
        "security": [{name: []} for name in SECURITY_SCHEMES],
    }


def _schemas() -> tuple[dict[Place, JsonSchemaValue], JsonSchemaValue]:
    """Return the schema of each place, and the definitions that they refer to."""
    types: list[tuple[Place, JsonSchemaMode, TypeAdapter[Any]]] = [
        (ERROR, "serialization", TypeAdapter(ErrorBody))
    ]
    for route in ROUTES:
        if route.body is not None:
            types.append(((route.operation, "body"), "validation", TypeAdapter(route.body.type)))
        for status, answer in route.answers.items():
            place = (route.operation, status)
            types.append((place, "serialization", TypeAdapter(answer.body)))
    schemas, definitions = TypeAdapter.json_schemas(
        types, ref_template="#/components/schemas/{model}", schema_generator=_Schemas
    )
    by_place = {place: schema for (place, _), schema in schemas.items()}
    return by_place, definitions["$defs"]


def _operation(route: Route, schemas: dict[Place, JsonSchemaValue]) -> JsonSchemaValue:
    answers = {
        str(status): _answer(answer, schemas[route.operation, status])
        for status, answer in route.answers.items()
    }
    for status in route.all_errors:
        answers[str(status)] = {"description": ERRORS[status], **_content(schemas[ERROR])}
    answers[str(UNAUTHORIZED)] = {"description": ERRORS[UNAUTHORIZED]}
    operation: JsonSchemaValue = {"operationId": route.operation, "summary": route.summary}
    parameters = _path_parameters(route)
    if route.query is not None:
        parameters += _parameters(TypeAdapter(route.query).json_schema())
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        content = _content(schemas[route.operation, "body"])
        operation["requestBody"] = {"required": route.body.is_required, **content}
    return operation | {"responses": dict(sorted(answers.items()))}


def _path_parameters(route: Route) -> list[JsonSchemaValue]:
    parameters: list[JsonSchemaValue] = []
    for name, parameter in PATH_PARAMETERS.items():
        if f"{{{name}}}" in route.path:
            schema = {"type": "string", **parameter["schema"]}
            place = {"name": name, "in": "path", "required": True}
            parameters.append({**place, **parameter, "schema": schema})
    return parameters


def _answer(answer: Answer, schema: JsonSchemaValue) -> JsonSchemaValue:
    shown = {"description": answer.description, **_content(schema)}
    if answer.headers:
        shown["headers"] = {header: HEADERS[header] for header in answer.headers}
    return shown


def _content(schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"content": {JSON: {"schema": schema}}}


def _parameters(query: JsonSchemaValue) -> list[JsonSchemaValue]:
    """Return the parameters of a query, from the schema of its type. None of them is required."""
    parameters: list[JsonSchemaValue] = []
    for name, field in query["properties"].items():
        [schema] = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
        shown = {key: value for key, value in schema.items() if key not in HEADINGS}
        if field.get("default") not in (None, ""):
            shown["default"] = field["default"]
        parameters.append(
            {"name": name, "in": "query", "description": field["description"], "schema": shown}
        )
    return parameters
