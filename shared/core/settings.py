"""All app settings, in one frozen object. Read on first use, never at import, so that a missing setting cannot hide functions.

Every missing or wrong setting is reported in one message. Secrets are `SecretStr`: masked wherever the object is printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from shared.core.errors import Problem, SettingsError

STORAGE = "DISTILLATION_STORAGE"
BLOB_SERVICE_URI = f"{STORAGE}__blobServiceUri"
BLOB_TRIGGER_SOURCE = "BLOB_TRIGGER_SOURCE"
TRIGGER_SOURCES = ("LogsAndContainerScan", "EventGrid")
DEFAULT_TEACHER_SCOPE = "https://cognitiveservices.azure.com/.default"

# name: (required, what it is). The README's table is tested against this one.
SETTINGS: dict[str, tuple[bool, str]] = {
    STORAGE: (
        True,
        f"connection string of the storage account (or {BLOB_SERVICE_URI} for an identity)",
    ),
    BLOB_TRIGGER_SOURCE: (
        False,
        "`LogsAndContainerScan` polls (default); `EventGrid` is the only one on Flex Consumption",
    ),
    "TEACHER_BASE_URL": (
        True,
        "base URL of the teacher's chat-completions API, e.g. https://x.openai.azure.com/openai/v1",
    ),
    "TEACHER_MODEL": (True, "model or deployment name of the teacher"),
    "TEACHER_API_KEY": (
        False,
        "key of the teacher; absent: Entra ID through DefaultAzureCredential",
    ),
    "TEACHER_SCOPE": (
        False,
        f"Entra ID scope when there is no key (default {DEFAULT_TEACHER_SCOPE})",
    ),
    "AZUREML_SUBSCRIPTION_ID": (False, "subscription of the AzureML workspace"),
    "AZUREML_RESOURCE_GROUP": (False, "resource group of the AzureML workspace"),
    "AZUREML_WORKSPACE": (False, "name of the AzureML workspace"),
    "AZUREML_DATASTORE": (
        False,
        "datastore that points at container `runs`; absent: data is referenced by blob URI",
    ),
    "AZURE_OPENAI_BASE_URL": (
        False,
        "base URL of the Azure OpenAI resource that fine-tunes, https://<resource>.openai.azure.com/openai/v1",
    ),
    "AZURE_OPENAI_API_KEY": (
        False,
        "key of that resource; absent: Entra ID through DefaultAzureCredential",
    ),
    "STUDENT_MODEL": (False, "asset id or name of the student when a run names none"),
}
AZURE_OPENAI_BASE_URL = "AZURE_OPENAI_BASE_URL"
AZUREML_SETTINGS = ("AZUREML_SUBSCRIPTION_ID", "AZUREML_RESOURCE_GROUP", "AZUREML_WORKSPACE")
OPENAI_SETTINGS = (AZURE_OPENAI_BASE_URL,)
# The settings of each fine-tuning service. One service must be configured, and none by half.
SERVICE_SETTINGS = (AZUREML_SETTINGS, OPENAI_SETTINGS)


class Settings(BaseModel):
    """The settings of one process. Make it with `load`; `current()` is the process's own."""

    model_config = ConfigDict(frozen=True)

    storage_connection_string: SecretStr | None
    blob_service_uri: str | None
    teacher_base_url: str
    teacher_model: str
    teacher_api_key: SecretStr | None
    teacher_scope: str
    azureml_subscription_id: str | None
    azureml_resource_group: str | None
    azureml_workspace: str | None
    azureml_datastore: str | None
    azure_openai_base_url: str | None
    azure_openai_api_key: SecretStr | None
    student_model: str | None

    def datastore_uri(self, name: str) -> str | None:
        """Where AzureML reads a blob of container `runs` through the workspace's datastore; None where none is set."""
        return (
            f"azureml://datastores/{self.azureml_datastore}/paths/{name}"
            if self.azureml_datastore
            else None
        )


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises SettingsError naming every setting that is missing or wrong."""

    def text(name: str) -> str | None:
        return environ.get(name, "").strip() or None

    problems = _problems(environ)
    if problems:
        listed = "; ".join(f"{p['where']}: {p['problem']}" for p in problems)
        raise SettingsError(
            f"the app's settings are incomplete or wrong: {listed}", details=problems
        )
    connection, key, openai_key = (
        text(STORAGE),
        text("TEACHER_API_KEY"),
        text("AZURE_OPENAI_API_KEY"),
    )
    openai_url = text(AZURE_OPENAI_BASE_URL)
    return Settings(
        storage_connection_string=SecretStr(connection) if connection else None,
        blob_service_uri=text(BLOB_SERVICE_URI),
        teacher_base_url=normalise_base_url(environ["TEACHER_BASE_URL"]),
        teacher_model=environ["TEACHER_MODEL"].strip(),
        teacher_api_key=SecretStr(key) if key else None,
        teacher_scope=text("TEACHER_SCOPE") or DEFAULT_TEACHER_SCOPE,
        azureml_subscription_id=text("AZUREML_SUBSCRIPTION_ID"),
        azureml_resource_group=text("AZUREML_RESOURCE_GROUP"),
        azureml_workspace=text("AZUREML_WORKSPACE"),
        azureml_datastore=text("AZUREML_DATASTORE"),
        azure_openai_base_url=openai_url.rstrip("/") if openai_url else None,
        azure_openai_api_key=SecretStr(openai_key) if openai_key else None,
        student_model=text("STUDENT_MODEL"),
    )


def trigger_source(environ: Mapping[str, str] = os.environ) -> str:
    """Source of the blob trigger, needed at indexing, where nothing may fail: a wrong value is reported by `load`."""
    return environ.get(BLOB_TRIGGER_SOURCE, "").strip() or TRIGGER_SOURCES[0]


def normalise_base_url(url: str) -> str:
    """The API's base, without a trailing slash, also when the full `/chat/completions` address was given."""
    return url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")


def _problems(environ: Mapping[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    for name, (required, meaning) in SETTINGS.items():
        present = environ.get(name, "").strip() or (
            name == STORAGE and environ.get(BLOB_SERVICE_URI, "").strip()
        )
        if required and not present:
            problems.append({"where": name, "problem": f"is missing: set it to the {meaning}"})
    problems += _service_problems(environ)
    for name in ("TEACHER_BASE_URL", BLOB_SERVICE_URI, AZURE_OPENAI_BASE_URL):
        value = environ.get(name, "").strip()
        if value and not _is_http_url(value):
            problems.append({"where": name, "problem": "is not an http(s) URL without query"})
        elif value and name == AZURE_OPENAI_BASE_URL and not value.rstrip("/").endswith("/v1"):
            problems.append(
                {"where": name, "problem": "must end in /openai/v1, the API without api-version"}
            )
    if trigger_source(environ) not in TRIGGER_SOURCES:
        problems.append(
            {
                "where": BLOB_TRIGGER_SOURCE,
                "problem": f"must be one of {', '.join(TRIGGER_SOURCES)}",
            }
        )
    return problems


def _service_problems(environ: Mapping[str, str]) -> list[Problem]:
    """Return the missing settings of services configured by half, or of the first if none is."""
    present = {name for name, value in environ.items() if value.strip()}
    configured = [names for names in SERVICE_SETTINGS if present.intersection(names)]
    first, *others = SERVICE_SETTINGS
    alternative = "".join(
        f", or set {' and '.join(names)} to fine-tune there instead" for names in others
    )
    return [
        {
            "where": name,
            "problem": f"is missing: set it to the {SETTINGS[name][1]}"
            + ("" if configured else alternative),
        }
        for names in configured or [first]
        for name in names
        if name not in present
    ]


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
