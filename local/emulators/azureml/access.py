"""What the app's identity may do in the workspace: what Azure's access control answers, and what it enforces."""

from __future__ import annotations

from aiohttp import web

from local.emulators.azureml.arm import PROVIDER, WORKSPACE_PATH, ArmError
from shared.finetuning.azureml.access import is_allowed

JOBS = f"{PROVIDER}/workspaces/*/"
ROLES: dict[str, list[str]] = {  # actions of built-in roles, as far as they matter here
    "AzureML Data Scientist": [JOBS + "read", JOBS + "action", JOBS + "delete", JOBS + "write"],
    "Reader": ["*/read"],
}
PERMISSIONS_PATH = WORKSPACE_PATH + "/providers/Microsoft.Authorization/permissions"


class Access:
    """The rights of one role."""

    def __init__(self, role: str) -> None:
        self._permissions = [{"actions": ROLES[role], "notActions": list[str]()}]

    async def permissions(self, _: web.Request) -> web.Response:
        return web.json_response({"value": self._permissions})

    def check(self, request: web.Request) -> None:
        """Raises ArmError for what the role does not allow."""
        if request.method == "GET":
            return
        action = (
            f"{PROVIDER}/workspaces/jobs/{'write' if request.method == 'PUT' else 'cancel/action'}"
        )
        if not is_allowed(action, self._permissions):
            message = f"The client does not have authorization to perform action '{action}' over scope '{request.path}'."
            raise ArmError(403, "AuthorizationFailed", message)
