"""Resource Manager's conventions: error bodies, API versions, paths of the one workspace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiohttp import web

from local.emulators.azureml.environment import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from local.emulators.service import ServiceError

PROVIDER = "Microsoft.MachineLearningServices"
GROUP_PATH = "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + PROVIDER
WORKSPACE_PATH = GROUP_PATH + "/workspaces/{workspace}"
WORKSPACE_ID = WORKSPACE_PATH.format(
    subscription=SUBSCRIPTION, group=RESOURCE_GROUP, workspace=WORKSPACE
)


class FieldProblem(NamedTuple):
    """A field of a body, and what is wrong with it."""

    field: str
    problem: str


class ArmError(ServiceError):
    """An answer in ARM's error format. `problems` become its details, one for each field."""

    def __init__(
        self, status: int, code: str, message: str, problems: Sequence[FieldProblem] = ()
    ) -> None:
        super().__init__(status, message)
        self.code = code
        self.problems = problems

    def response(self) -> web.Response:
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.problems:
            error["target"] = self.problems[0].field
            error["details"] = [
                {"code": "InvalidField", "target": field, "message": f"{field}: {problem}"}
                for field, problem in self.problems
            ]
        return web.json_response({"error": error}, status=self.status)


def generic(status: int, code: str, message: str) -> ArmError:
    """Return an error whose code is in snake case."""
    return ArmError(status, code.title().replace("_", ""), message)


def not_found(kind: str, name: str) -> ArmError:
    message = f"The {kind} {name!r} does not exist in workspace {WORKSPACE!r}."
    return ArmError(404, "ResourceNotFound", message)


def invalid_body(problems: list[FieldProblem]) -> ArmError:
    """Return the answer to a job whose fields are wrong."""
    listed = "; ".join(f"{field} {problem}" for field, problem in problems)
    return ArmError(400, "UserError", f"The job is not valid: {listed}.", problems)


def missing_asset(field: str, code: str, asset: str, reason: str) -> ArmError:
    """Return the answer to a job that refers to something that does not exist."""
    problem = FieldProblem(f"properties.{field}", reason)
    return ArmError(404, code, f"{asset} cannot be used: {reason}.", [problem])


def check_request(request: web.Request) -> None:
    """Raise ArmError for a call without `api-version`, or to another workspace than ours."""
    if "api-version" not in request.query:
        message = "The query parameter api-version is required."
        raise ArmError(400, "MissingApiVersionParameter", message)
    path = request.match_info
    subscription = path.get("subscription", SUBSCRIPTION)
    if subscription.lower() != SUBSCRIPTION:
        message = f"The subscription {subscription!r} could not be found."
        raise ArmError(404, "SubscriptionNotFound", message)
    group = path.get("group", RESOURCE_GROUP)
    workspace = path.get("workspace", WORKSPACE)
    if (group.lower(), workspace.lower()) != (RESOURCE_GROUP, WORKSPACE):
        resource = f"{PROVIDER}/workspaces/{workspace}"
        message = f"The resource {resource} under resource group {group!r} was not found."
        raise ArmError(404, "ResourceNotFound", message)


async def json_object(request: web.Request) -> dict[str, Any]:
    """Return the body. Raises ArmError unless it is a JSON object."""
    try:
        body: object = json.loads(await request.read())
    except ValueError as error:
        message = f"The body is not valid JSON: {error}."
        raise ArmError(400, "InvalidRequestContent", message) from error
    if not isinstance(body, dict):
        raise ArmError(400, "InvalidRequestContent", "The body must be a JSON object.")
    return body  # pyright: ignore[reportUnknownVariableType]
