"""Resource Manager's conventions: error bodies, API versions, and the paths of the one workspace there is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from local.emulators.azureml.environment import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE

PROVIDER = "Microsoft.MachineLearningServices"
GROUP_PATH = "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + PROVIDER
WORKSPACE_PATH = GROUP_PATH + "/workspaces/{workspace}"
WORKSPACE_ID = WORKSPACE_PATH.format(
    subscription=SUBSCRIPTION, group=RESOURCE_GROUP, workspace=WORKSPACE
)

FieldProblem = tuple[str, str]  # (field, what is wrong with it)


class ArmError(Exception):
    """An answer in ARM's error format. `problems` become its details, one a field."""

    def __init__(
        self, status: int, code: str, message: str, problems: Sequence[FieldProblem] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.problems = status, code, problems

    def response(self) -> web.Response:
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.problems:
            error["target"] = self.problems[0][0]
            error["details"] = [
                {"code": "InvalidField", "target": field, "message": f"{field}: {problem}"}
                for field, problem in self.problems
            ]
        return web.json_response({"error": error}, status=self.status)


def not_found(kind: str, name: str) -> ArmError:
    return ArmError(
        404, "ResourceNotFound", f"The {kind} {name!r} does not exist in workspace {WORKSPACE!r}."
    )


def check_request(request: web.Request) -> None:
    """Raises ArmError for a call without `api-version`, or to another workspace than ours."""
    if "api-version" not in request.query:
        raise ArmError(
            400, "MissingApiVersionParameter", "The query parameter api-version is required."
        )
    path = request.match_info
    if path.get("subscription", SUBSCRIPTION).lower() != SUBSCRIPTION:
        raise ArmError(
            404,
            "SubscriptionNotFound",
            f"The subscription {path['subscription']!r} could not be found.",
        )
    for given, known in (("group", RESOURCE_GROUP), ("workspace", WORKSPACE)):
        if path.get(given, known).lower() != known:
            raise ArmError(
                404,
                "ResourceNotFound",
                f"The resource {PROVIDER}/workspaces/{path.get('workspace', WORKSPACE)} under resource group "
                f"{path.get('group')!r} was not found.",
            )


async def json_object(request: web.Request) -> dict[str, Any]:
    """The body. Raises ArmError when it is no JSON object."""
    try:
        body: object = json.loads(await request.read())
    except ValueError as error:
        raise ArmError(
            400, "InvalidRequestContent", f"The body is not valid JSON: {error}."
        ) from error
    if not isinstance(body, dict):
        raise ArmError(400, "InvalidRequestContent", "The body must be a JSON object.")
    return body  # pyright: ignore[reportUnknownVariableType]
