"""The SDK's clients, one a workspace or registry and process: making one takes seconds, and they are safe across threads."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from shared.core.errors import TransientError
from shared.core.settings import Settings

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

CONNECT_SECONDS = 10
READ_SECONDS = 60

_clients: dict[tuple[str, ...], MLClient] = {}
_making = threading.Lock()


class LoopbackNeedsNoTls(SansIOHTTPPolicy[Any, Any]):
    """Lets a token travel without TLS where it leaves no machine. Everywhere else azure-core insists on https.

    The SDK lifts this for jobs in clouds on plain http, but forgets workspaces, models and registries.
    """

    def on_request(self, request: PipelineRequest[Any]) -> None:
        url: str = request.http_request.url
        if _is_loopback(urlsplit(url).hostname):
            request.context["enforce_https"] = False


@dataclass(frozen=True, slots=True)
class Workspace:
    """An AzureML workspace."""

    subscription_id: str
    resource_group: str
    name: str

    @classmethod
    def of(cls, settings: Settings) -> Workspace:
        """Return the workspace of the app settings, which the registry has checked."""
        return cls(
            subscription_id=settings.azureml_subscription_id or "",
            resource_group=settings.azureml_resource_group or "",
            name=settings.azureml_workspace or "",
        )


def workspace_client(workspace: Workspace) -> MLClient:
    return _client(
        subscription_id=workspace.subscription_id,
        resource_group_name=workspace.resource_group,
        workspace_name=workspace.name,
    )


def registry_client(registry: str) -> MLClient:
    """A client of a model registry. Making it asks the service where that registry lies."""
    return _client(registry_name=registry)


def forget_clients() -> None:
    """Make new clients from now on: the cloud's addresses in the environment have changed."""
    with _making:
        _clients.clear()


def _client(**target: str) -> MLClient:
    key = tuple(target.values())
    with _making:
        if key not in _clients:
            _clients[key] = _make(**target)
        return _clients[key]


def _make(**target: str) -> MLClient:
    from azure.ai.ml import MLClient
    from azure.ai.ml.exceptions import MlException
    from azure.identity import DefaultAzureCredential

    # it warns of every class of fine-tuning at each start: known, and nothing an operator can change
    logging.getLogger("azure.ai.ml._utils._experimental").setLevel(logging.ERROR)
    settings: Any = {
        **target,
        "show_progress": False,
        "enable_telemetry": False,
        "retry_total": 0,  # Durable retries the activity: one policy, in one place
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "per_call_policies": [LoopbackNeedsNoTls()],
    }
    try:
        return MLClient(DefaultAzureCredential(), **settings)
    except (
        MlException
    ) as error:  # the cloud's metadata, asked over HTTP where ARM_CLOUD_METADATA_URL is set
        raise TransientError(f"AzureML's addresses could not be found: {error}") from error


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
