"""Bodies of command jobs as the SDK sends them, for an emulator that runs them."""

from __future__ import annotations

from typing import Any

from shared.finetuning.azureml.command import DEFAULT_ENVIRONMENT


def command_body(command: str, /, **changes: Any) -> dict[str, Any]:
    """Return a job whose output `model` is registered as `student`. `...` removes a property."""
    properties: dict[str, Any] = {
        "jobType": "Command",
        "command": command,
        "environmentId": DEFAULT_ENVIRONMENT,
        "environmentVariables": {},
        "experimentName": "distillation",
        "inputs": {},
        "outputs": {
            "model": {
                "jobOutputType": "custom_model",
                "assetName": "student",
                "mode": "ReadWriteMount",
            },
        },
        "resources": {
            "instanceCount": 1,
            "instanceType": "Standard_NC24ads_A100_v4",
            "properties": {},
        },
        "limits": {"jobLimitsType": "Command", "timeout": "PT48H"},
        "properties": {},
        "isArchived": False,
        **changes,
    }
    return {"properties": {name: value for name, value in properties.items() if value is not ...}}


def uri(kind: str, where: str) -> dict[str, Any]:
    return {"jobInputType": kind, "uri": where, "mode": "Download"}
