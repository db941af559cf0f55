"""Whether the app's identity may submit and cancel jobs, as Azure's access control says."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from azure.core.exceptions import HttpResponseError

from shared.finetuning.azureml.errors import ROLE
from shared.finetuning.azureml.rest import Permission, WorkspaceRest
from shared.finetuning.azureml.workspace import PROVIDER

log = logging.getLogger(__name__)

NEEDED_ACTIONS = {
    "submit jobs": f"{PROVIDER}/workspaces/jobs/write",
    "cancel jobs": f"{PROVIDER}/workspaces/jobs/cancel/action",
}


def access_problems(rest: WorkspaceRest, workspace: str) -> list[str]:
    """Return what the identity may not do in the workspace of this name, with the remedy.

    Empty also if the identity may not read its permissions: the submission will tell. Raises
    azure-core's errors when the service cannot be reached.
    """
    try:
        permissions = rest.permissions()
    except HttpResponseError as error:
        if error.status_code is None or error.status_code < 400:
            raise
        status = error.status_code
        log.info("permissions in workspace %s could not be read: %s", workspace, status)
        return []
    missing = [
        name for name, action in NEEDED_ACTIONS.items() if not is_allowed(action, permissions)
    ]
    if not missing:
        return []
    verbs = " or ".join(missing)
    return [f"the app's identity may not {verbs} in AzureML workspace {workspace}: {ROLE}"]


def is_allowed(action: str, permissions: Sequence[Permission]) -> bool:
    """Return True if one of the permissions has the action and doesn't exclude it.

    `*` matches anything, and case doesn't count.
    """
    return any(
        _matches(action, permission.get("actions") or ())
        and not _matches(action, permission.get("notActions") or ())
        for permission in permissions
    )


def _matches(action: str, patterns: Iterable[str]) -> bool:
    # `[` begins a set of characters in fnmatch, and stands for itself in Azure
    return any(
        fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]")) for pattern in patterns
    )
