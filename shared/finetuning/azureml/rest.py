"""The calls to AzureML for which its SDK has no public operation, over a pipeline of azure-core.

They are: what the app's identity may do (Resource Manager), why a job failed (run history), and
what a job has logged (metrics).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, cast
from urllib.parse import quote

from azure.core import PipelineClient
from azure.core.exceptions import DecodeError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest

from shared.core.errors import TransientError
from shared.core.json_values import JsonObject
from shared.finetuning.azureml.loopback import LoopbackNeedsNoTls
from shared.finetuning.azureml.workspace import Workspace

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

CONNECT_SECONDS = 10
READ_SECONDS = 60
PERMISSIONS_API_VERSION = "2022-04-01"
HISTORY_API_VERSION = "v1.0"
METADATA_URL = "https://management.azure.com/metadata/endpoints?api-version=2019-05-01"
RESOURCE_MANAGERS = {
    "AzureCloud": "https://management.azure.com",
    "AzureUSGovernment": "https://management.usgovcloudapi.net",
    "AzureChinaCloud": "https://management.chinacloudapi.cn",
}

Permission = Mapping[str, Sequence[str]]
"""A role's `actions`, `notActions`, `dataActions` and `notDataActions`, as patterns."""
ItemT = TypeVar("ItemT")


class Page(TypedDict, Generic[ItemT], total=False):
    """A page of a listing. The last one has no token."""

    value: list[ItemT] | None
    continuationToken: str | None


class MetricKey(TypedDict, total=False):
    """Which metric it is."""

    name: str | None
    namespace: str | None


class Metric(TypedDict, total=False):
    """A metric of a job, without its values."""

    metricKey: MetricKey | None


class MetricValue(TypedDict, total=False):
    """A value of a metric at one step. `data` holds it under the metric's name."""

    step: int | None
    data: JsonObject | None


class WorkspaceRest:
    """Signed requests about one workspace. Safe across threads.

    Methods raise azure-core's errors. `discovery_url` returns where the workspace says which
    host serves its run history.
    """

    def __init__(
        self, workspace: Workspace, credential: TokenCredential, discovery_url: Callable[[], str]
    ) -> None:
        self._workspace = workspace
        self._credential = credential
        self._discovery_url = discovery_url

    def permissions(self) -> list[Permission]:
        """Return the permissions of the app's identity in the workspace, one for each role."""
        path = f"{self._workspace.path}/providers/Microsoft.Authorization/permissions"
        url = f"{self._resource_manager}{path}?api-version={PERMISSIONS_API_VERSION}"
        return self._send(HttpRequest("GET", url)).get("value") or []

    def failure(self, job_name: str) -> str | None:
        """Return the message of a job's failure in the run history. Raises if there is none."""
        path = f"/history/v1.0{self._workspace.path}/runs/{quote(job_name)}"
        url = f"{self._history}{path}?api-version={HISTORY_API_VERSION}"
        return self._send(HttpRequest("GET", url))["error"]["error"]["message"]

    def metrics(self, job_name: str, token: str | None) -> Page[Metric]:
        """Return one page of the metrics that a job has logged, without their values."""
        return self._post_metrics(job_name, "list", {"continuationToken": token})

    def metric_values(
        self, job_name: str, name: str, namespace: str | None, token: str | None
    ) -> Page[MetricValue]:
        """Return one page of a metric's values."""
        query = {"metricName": name, "metricNamespace": namespace, "continuationToken": token}
        return self._post_metrics(job_name, "full", query)

    def _post_metrics(self, job_name: str, call: str, query: dict[str, str | None]) -> Any:
        path = f"/metric/v2.0{self._workspace.path}/runs/{quote(job_name)}/{call}"
        url = f"{self._history}{path}?api-version={HISTORY_API_VERSION}"
        body = {name: value for name, value in query.items() if value is not None}
        return self._send(HttpRequest("POST", url, json=body))

    @cached_property
    def _resource_manager(self) -> str:
        return resource_manager_url()

    @cached_property
    def _history(self) -> str:
        return str(self._send(HttpRequest("GET", self._discovery_url()))["api"]).rstrip("/")

    @cached_property
    def _pipeline(self) -> PipelineClient[Any, Any]:
        scope = f"{self._resource_manager}/.default"
        policies: list[Any] = [
            UserAgentPolicy(),
            LoopbackNeedsNoTls(),
            BearerTokenCredentialPolicy(self._credential, scope),
        ]
        return PipelineClient("", policies=policies)

    def _send(self, request: HttpRequest) -> Any:
        return _json(self._pipeline, request)


def resource_manager_url() -> str:
    """Return the address of Azure Resource Manager in the SDK's cloud, without trailing slash.

    The SDK names its cloud in AZUREML_CURRENT_CLOUD. Clouds other than Azure's three are looked up
    in their metadata, as the SDK does. Raises TransientError.
    """
    cloud = os.environ.get("AZUREML_CURRENT_CLOUD", "AzureCloud")
    if cloud in RESOURCE_MANAGERS:
        return RESOURCE_MANAGERS[cloud]
    url = os.environ.get("ARM_CLOUD_METADATA_URL", METADATA_URL)
    metadata = _json(PipelineClient("", policies=[UserAgentPolicy()]), HttpRequest("GET", url))
    clouds = cast(list[Any], metadata if isinstance(metadata, list) else [metadata])
    for entry in clouds:
        if entry["name"] == cloud:
            return str(entry["resourceManager"]).rstrip("/")
    raise TransientError(f"AzureML's addresses could not be found: {url} has no cloud {cloud}")


def _json(pipeline: PipelineClient[Any, Any], request: HttpRequest) -> Any:
    response = pipeline.send_request(
        request, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
    )
    response.raise_for_status()
    try:
        return response.json()
    except ValueError as error:
        raise DecodeError("the answer isn't JSON", response=response) from error
