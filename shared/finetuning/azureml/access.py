"""Whether the app's identity may submit and cancel jobs in a workspace, as Azure's access control says, without submitting one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, cast

from azure.core.rest import HttpRequest

from shared.finetuning.azureml.client import Workspace
from shared.finetuning.azureml.errors import ROLE

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

log = logging.getLogger(__name__)

API_VERSION = "2022-04-01"
PROVIDER = "Microsoft.MachineLearningServices"
NEEDED = {
    "submit jobs": f"{PROVIDER}/workspaces/jobs/write",
    "cancel jobs": f"{PROVIDER}/workspaces/jobs/cancel/action",
}


def access_problems(client: MLClient, workspace: Workspace) -> list[str]:
    """What the identity may not do, with the remedy. Empty, too, where it may not even ask: then the submission will tell.

    Raises the SDK's errors where the service cannot be reached.
    """
    scope = (
        f"/subscriptions/{workspace.subscription_id}/resourceGroups/{workspace.resource_group}"
        f"/providers/{PROVIDER}/workspaces/{workspace.name}"
    )
    path = f"{scope}/providers/Microsoft.Authorization/permissions?api-version={API_VERSION}"
    known = cast(
        Any, client
    )  # the SDK has no call for this, but the address of Resource Manager and a signed pipeline
    url = f"{known._base_url.rstrip('/')}{path}"
    response = known.workspaces._operation._client.send_request(HttpRequest("GET", url))
    if response.status_code >= 400:
        log.info(
            "permissions in workspace %s could not be read: %s",
            workspace.name,
            response.status_code,
        )
        return []
    permissions: list[Mapping[str, Any]] = response.json().get("value") or []
    lacking = [what for what, action in NEEDED.items() if not is_allowed(action, permissions)]
    if not lacking:
        return []
    return [
        f"the app's identity may not {' or '.join(lacking)} in AzureML workspace {workspace.name}: {ROLE}"
    ]


def is_allowed(action: str, permissions: Sequence[Mapping[str, Any]]) -> bool:
    """True when one of these sets has the action and does not take it away again. `*` stands for anything, in any case."""
    return any(
        _matches(action, one.get("actions") or ())
        and not _matches(action, one.get("notActions") or ())
        for one in permissions
    )


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(
        fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]")) for pattern in patterns
    )
