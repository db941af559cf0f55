"""The SDK's clients, one for each workspace and registry of a process: making one takes a second.

They are safe across threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from shared.core.errors import TransientError
from shared.core.process import current
from shared.finetuning.azureml.loopback import LoopbackNeedsNoTls
from shared.finetuning.azureml.rest import CONNECT_SECONDS, READ_SECONDS, WorkspaceRest
from shared.finetuning.azureml.workspace import Workspace

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential

ClientT = TypeVar("ClientT")


class AzureMLClients:
    """The clients of this process. Get them with `clients()`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._made: dict[object, Any] = {}

    def workspace(self, workspace: Workspace) -> MLClient:
        """Return the SDK's client of a workspace."""

        def make() -> MLClient:
            return self._make(
                subscription_id=workspace.subscription_id,
                resource_group_name=workspace.resource_group,
                workspace_name=workspace.name,
            )

        return self._once(("workspace", workspace), make)

    def registry(self, name: str) -> MLClient:
        """Return the SDK's client of a model registry. Making it asks where the registry is."""
        return self._once(("registry", name), lambda: self._make(registry_name=name))

    def rest(self, workspace: Workspace) -> WorkspaceRest:
        """Return the client of the calls that the SDK doesn't have."""
        sdk = self.workspace(workspace)

        def discovery_url() -> str:
            return cast(Any, sdk.workspaces).get(workspace.name).discovery_url

        return self._once(
            ("rest", workspace),
            lambda: WorkspaceRest(workspace, self._credential, discovery_url),
        )

    def _once(self, key: object, make: Callable[[], ClientT]) -> ClientT:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return cast(ClientT, self._made[key])

    @cached_property
    def _credential(self) -> TokenCredential:
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential()

    def _make(self, **target: str) -> MLClient:
        from azure.ai.ml import MLClient
        from azure.ai.ml.exceptions import MlException

        # At each start it warns that every class of fine-tuning is experimental, which is known
        # and which no operator can change.
        logging.getLogger("azure.ai.ml").setLevel(logging.ERROR)
        try:
            return MLClient(
                self._credential,
                **target,
                show_progress=False,
                enable_telemetry=False,
                retry_total=0,  # Durable retries the activity: one policy, in one place
                connection_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                per_call_policies=[LoopbackNeedsNoTls()],
            )
        except MlException as error:  # from the cloud's metadata, asked over HTTP
            raise TransientError(
                f"AzureML's addresses could not be found ({error}): "
                "check the network, and ARM_CLOUD_METADATA_URL if it is set"
            ) from error


def clients() -> AzureMLClients:
    """Return the clients of this process."""
    return current().part(AzureMLClients)
