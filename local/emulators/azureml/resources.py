"""Resources as the API shows them: workspace, datastore, job, model, run history. They say plainly that nothing is trained."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from local.emulators.azureml.arm import PROVIDER, WORKSPACE_ID
from local.emulators.azureml.catalogue import RegistryModel
from local.emulators.azureml.environment import (
    CLOUD,
    CONTAINER,
    DATASTORE,
    RESOURCE_GROUP,
    SUBSCRIPTION,
    TENANT,
    WORKSPACE,
)
from local.emulators.azureml.store import JobRecord, ModelRecord

LOCATION = "eastus2"  # where the workspace says that it lies
NOTICE = "Local emulator: no model was trained."
COMMAND_NOTICE = "Local emulator: the command was run on this machine, and nowhere else."


def notice(properties: dict[str, Any]) -> str:
    """What is to be said of a job wherever it is shown."""
    return COMMAND_NOTICE if properties["jobType"] == "Command" else NOTICE


def cloud_metadata(base_url: str) -> list[dict[str, Any]]:
    """What Resource Manager publishes of a cloud. The portal's host is not called; the SDK takes a suffix from it."""
    return [
        {
            "name": CLOUD,
            "portal": "https://portal.azureml.localhost/",
            "resourceManager": base_url + "/",
            "authentication": {
                "loginEndpoint": base_url + "/",
                "audiences": [base_url + "/"],
                "tenant": TENANT,
            },
            "suffixes": {"storage": "core.localhost"},
        }
    ]


def workspace(base_url: str) -> dict[str, Any]:
    return {
        "id": WORKSPACE_ID,
        "name": WORKSPACE,
        "type": f"{PROVIDER}/workspaces",
        "location": LOCATION,
        "kind": "Default",
        "tags": {"emulator": NOTICE},
        "properties": {
            "friendlyName": "AzureML emulator",
            "description": NOTICE,
            "workspaceId": TENANT,
            "discoveryUrl": f"{base_url}/discovery",
            "provisioningState": "Succeeded",
        },
    }


def datastore() -> dict[str, Any]:
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": "devstoreaccount1",
        "containerName": CONTAINER,
        "endpoint": "localhost",
        "protocol": "http",
        "credentials": {"credentialsType": "None"},
        "isDefault": False,
        "description": "The container of the runs.",
        "tags": {},
        "properties": {},
    }
    return _envelope(
        f"{WORKSPACE_ID}/datastores/{DATASTORE}", "workspaces/datastores", DATASTORE, properties
    )


def job(record: JobRecord, base_url: str) -> dict[str, Any]:
    given = record.properties
    own_properties: dict[str, str] = given.get("properties") or {}
    asked: dict[str, dict[str, Any]] = given.get("outputs") or {}
    outputs = {name: {**output} for name, output in asked.items()}
    if record.model_version is not None and record.model_output:
        outputs[record.model_output]["assetVersion"] = str(record.model_version)
    properties: dict[str, Any] = {
        **given,
        "outputs": outputs,
        "status": record.status,
        "experimentName": given.get("experimentName") or "Default",
        "displayName": given.get("displayName") or record.name,
        "tags": given.get("tags") or {},
        "properties": {**own_properties, "emulator": notice(given)},
        "description": " ".join(filter(None, (given.get("description"), notice(given)))),
        "services": {
            "Studio": {"jobServiceType": "Studio", "endpoint": studio_url(record.name, base_url)}
        },
    }
    shown = _envelope(
        f"{WORKSPACE_ID}/jobs/{record.name}", "workspaces/jobs", record.name, properties
    )
    return {**shown, "systemData": _made_at(record.created)}


def studio_url(job_name: str, base_url: str) -> str:
    """A link with a query, as the SDK appends the tenant to it."""
    return f"{base_url}/studio/runs/{job_name}?wsid={quote(WORKSPACE_ID)}"


def run_history(record: JobRecord) -> dict[str, Any]:
    """What the run history says of a job: the only place where the API gives the reason of a failure."""
    run: dict[str, Any] = {
        "runId": record.name,
        "status": record.status,
        "startTimeUtc": record.created,
    }
    if record.status == "Failed":
        run["error"] = {
            "error": {"code": "UserError", "message": record.message or "No reason is known."}
        }
    return run


def model(record: ModelRecord, made_by: JobRecord) -> dict[str, Any]:
    output = made_by.model_output or ""
    version = str(record.version)
    properties: dict[str, Any] = {
        "modelType": made_by.properties["outputs"][output]["jobOutputType"],
        "modelUri": f"azureml://jobs/{record.job}/outputs/{output}",
        "jobName": record.job,
        "description": notice(made_by.properties),
        "tags": {"emulator": notice(made_by.properties), "job": record.job},
        "properties": {},
        "flavors": {},
        "isAnonymous": False,
        "isArchived": False,
    }
    path = f"{WORKSPACE_ID}/models/{record.name}/versions/{version}"
    return {
        **_envelope(path, "workspaces/models/versions", version, properties),
        "systemData": _made_at(record.created),
    }


def registry_discovery(registry: str, base_url: str) -> dict[str, Any]:
    return {
        "registryName": registry,
        "primaryRegion": "local",
        "primaryRegionResourceProviderUri": base_url + "/",
        "resourceGroup": RESOURCE_GROUP,
        "subscriptionId": SUBSCRIPTION,
        "registryFqdns": {},
    }


def registry_model(found: RegistryModel, version: str) -> dict[str, Any]:
    path = f"azureml://registries/{found.registry}/models/{found.name}/versions/{version}"
    properties: dict[str, Any] = {
        "modelType": "mlflow_model",
        "modelUri": f"{path}/files",
        "description": f"{found.name}. {NOTICE}",
        "tags": {},
        "properties": {},
        "flavors": {},
        "isAnonymous": False,
        "isArchived": False,
    }
    return {
        **_envelope(path, "registries/models/versions", version, properties),
        "systemData": None,
    }


def _envelope(path: str, kind: str, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"id": path, "name": name, "type": f"{PROVIDER}/{kind}", "properties": properties}


def _made_at(when: str) -> dict[str, str]:
    return {"createdAt": when, "createdBy": "local identity", "createdByType": "ManagedIdentity"}
