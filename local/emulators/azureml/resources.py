"""The workspace's resources as the API shows them. They say plainly that nothing is trained."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from local.emulators.azureml.arm import PROVIDER, WORKSPACE_ID
from local.emulators.azureml.environment import (
    CLOUD,
    COMPUTE,
    CONTAINER,
    DATASTORE,
    TENANT,
    WORKSPACE,
)
from local.emulators.azureml.store import JobRecord

LOCATION = "eastus2"  # that the workspace reports
NOTICE = "Local emulator: no model was trained."
COMMAND_NOTICE = "Local emulator: the command was run on this machine, and nowhere else."


def notice(job: JobRecord) -> str:
    """Return what is said of a job wherever it is shown."""
    return COMMAND_NOTICE if job.is_command else NOTICE


def cloud_metadata(base_url: str) -> list[dict[str, Any]]:
    """Return what Resource Manager publishes of a cloud; the SDK takes a suffix from `portal`."""
    root = base_url + "/"
    return [
        {
            "name": CLOUD,
            "portal": "https://portal.azureml.localhost/",
            "resourceManager": root,
            "authentication": {"loginEndpoint": root, "audiences": [root], "tenant": TENANT},
            "suffixes": {"storage": "core.localhost"},
        }
    ]


def workspace(base_url: str) -> dict[str, Any]:
    properties = {
        "friendlyName": "AzureML emulator",
        "description": NOTICE,
        "workspaceId": TENANT,
        "discoveryUrl": f"{base_url}/discovery",
        "provisioningState": "Succeeded",
    }
    return {
        **envelope(WORKSPACE_ID, "workspaces", WORKSPACE, properties),
        "location": LOCATION,
        "kind": "Default",
        "tags": {"emulator": NOTICE},
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
    path = f"{WORKSPACE_ID}/datastores/{DATASTORE}"
    return envelope(path, "workspaces/datastores", DATASTORE, properties)


def compute() -> dict[str, Any]:
    properties = {
        "computeType": "AmlCompute",
        "computeLocation": "local",
        "provisioningState": "Succeeded",
        "description": "The machine that the emulator runs on.",
        "properties": {
            "vmSize": "LOCAL",
            "vmPriority": "Dedicated",
            "scaleSettings": {"minNodeCount": 1, "maxNodeCount": 1},
        },
    }
    path = f"{WORKSPACE_ID}/computes/{COMPUTE}"
    return {**envelope(path, "workspaces/computes", COMPUTE, properties), "location": "local"}


def job(record: JobRecord, base_url: str) -> dict[str, Any]:
    body = record.properties
    requested: dict[str, dict[str, Any]] = body.get("outputs") or {}
    outputs = {name: {**output} for name, output in requested.items()}
    if record.model_version is not None and record.model_output:
        outputs[record.model_output]["assetVersion"] = str(record.model_version)
    studio = {"jobServiceType": "Studio", "endpoint": studio_url(record.name, base_url)}
    properties: dict[str, Any] = {
        **body,
        "outputs": outputs,
        "status": record.status,
        "experimentName": body.get("experimentName") or "Default",
        "displayName": body.get("displayName") or record.name,
        "tags": body.get("tags") or {},
        "properties": {**(body.get("properties") or {}), "emulator": notice(record)},
        "description": " ".join(filter(None, (body.get("description"), notice(record)))),
        "services": {"Studio": studio},
    }
    path = f"{WORKSPACE_ID}/jobs/{record.name}"
    shown = envelope(path, "workspaces/jobs", record.name, properties)
    return {**shown, "systemData": _system_data(record.created)}


def studio_url(job_name: str, base_url: str) -> str:
    """Return a link with a query, as the SDK appends the tenant to it."""
    return f"{base_url}/studio/runs/{job_name}?wsid={quote(WORKSPACE_ID)}"


def studio(record: JobRecord) -> dict[str, Any]:
    """Return what the studio link of a job shows."""
    return {
        "notice": notice(record),
        "job": record.name,
        "status": record.status,
        "message": record.message,
        "model": record.model_name if record.model_version else None,
        "version": record.model_version,
        "statuses": [{"status": change.status, "at": change.at} for change in record.statuses],
        "request": record.properties,
    }


def run_history(record: JobRecord) -> dict[str, Any]:
    """Return the run history of a job: the only place where the API tells why a job failed."""
    run: dict[str, Any] = {
        "runId": record.name,
        "status": record.status,
        "startTimeUtc": record.created,
    }
    if record.status == "Failed":
        message = record.message or "No reason is known."
        run["error"] = {"error": {"code": "UserError", "message": message}}
    return run


def model(made_by: JobRecord) -> dict[str, Any]:
    """Return the version of a model that a job registered."""
    output = made_by.model_output or ""
    properties = model_properties(
        kind=made_by.properties["outputs"][output]["jobOutputType"],
        uri=f"azureml://jobs/{made_by.name}/outputs/{output}",
        description=notice(made_by),
    )
    properties["jobName"] = made_by.name
    properties["tags"] = {"emulator": notice(made_by), "job": made_by.name}
    version = str(made_by.model_version)
    path = f"{WORKSPACE_ID}/models/{made_by.model_name}/versions/{version}"
    shown = envelope(path, "workspaces/models/versions", version, properties)
    return {**shown, "systemData": _system_data(made_by.statuses[-1].at)}


def model_properties(*, kind: str, uri: str, description: str) -> dict[str, Any]:
    return {
        "modelType": kind,
        "modelUri": uri,
        "description": description,
        "tags": {},
        "properties": {},
        "flavors": {},
        "isAnonymous": False,
        "isArchived": False,
    }


def envelope(path: str, kind: str, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"id": path, "name": name, "type": f"{PROVIDER}/{kind}", "properties": properties}


def _system_data(created: str) -> dict[str, str]:
    author = {"createdBy": "local identity", "createdByType": "ManagedIdentity"}
    return {"createdAt": created, **author}
