"""The rights of the app's identity: what Azure's access control answers, and enforces."""

from __future__ import annotations

from aiohttp import web

from local.emulators.azureml.arm import PROVIDER, WORKSPACE_PATH, ArmError
from shared.finetuning.azureml.access import is_allowed

ANYTHING = f"{PROVIDER}/workspaces/*/"
DEFAULT_ROLE = "AzureML Data Scientist"
ROLES = {  # actions of built-in roles, as far as they matter here
    DEFAULT_ROLE: [ANYTHING + action for action in ("read", "action", "delete", "write")],
    "Reader": ["*/read"],
}
PERMISSIONS_PATH = WORKSPACE_PATH + "/providers/Microsoft.Authorization/permissions"


class Access:
    """The rights of one role."""

    def __init__(self, role: str) -> None:
        self._permissions = [{"actions": ROLES[role], "notActions": list[str]()}]

    def permissions(self, _: web.Request) -> dict[str, object]:
        return {"value": self._permissions}

    def check(self, request: web.Request) -> None:
        """Raise ArmError if the role does not allow the request."""
        if request.method == "GET":
            return
        operation = "write" if request.method == "PUT" else "cancel/action"
        action = f"{PROVIDER}/workspaces/jobs/{operation}"
        if not is_allowed(action, self._permissions):
            message = (
                "The client does not have authorization to perform action "
                f"'{action}' over scope '{request.path}'."
            )
            raise ArmError(403, "AuthorizationFailed", message)
