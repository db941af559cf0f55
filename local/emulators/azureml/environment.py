"""What the emulator stands for, and the app settings that make the unmodified SDK find it."""

from __future__ import annotations

SUBSCRIPTION = "00000000-0000-0000-0000-00000000d157"
RESOURCE_GROUP = "local"
WORKSPACE = "local"
TENANT = "00000000-0000-0000-0000-0000000010ca"
DATASTORE = "distillation_runs"
CONTAINER = "runs"  # what the datastore points at
COMPUTE = "this-machine"
CLOUD = "LocalAzureML"

METADATA_PATH = "/metadata/endpoints"
TOKEN_PATH = "/identity/token"


def app_settings(base_url: str, identity_header: str) -> dict[str, str]:
    """Return the app settings for an emulator; `identity_header` is its endpoint's secret."""
    base = base_url.rstrip("/")
    return {
        "ARM_CLOUD_METADATA_URL": f"{base}{METADATA_PATH}?api-version=2019-05-01",
        "AZUREML_CURRENT_CLOUD": CLOUD,
        "REGISTRY_DISCOVERY_ENDPOINT_URL": f"{base}/",
        "IDENTITY_ENDPOINT": f"{base}{TOKEN_PATH}",
        "IDENTITY_HEADER": identity_header,
        "AZUREML_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZUREML_RESOURCE_GROUP": RESOURCE_GROUP,
        "AZUREML_WORKSPACE": WORKSPACE,
        "AZUREML_DATASTORE": DATASTORE,
    }
