"""All app settings, in one frozen object.

They are read on first use, never at import, so a missing setting cannot hide functions. Every
missing or wrong setting is reported in one message. Secrets are `SecretStr`, masked wherever the
object is printed.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, SecretStr

from shared.core.caller_keys import CALLERS, ApiKey, api_key_problems, read_api_keys
from shared.core.errors import Problem, SettingsError
from shared.core.notification_settings import (
    NOTIFICATION_SETTINGS,
    NOTIFY_SECRET,
    NOTIFY_URL,
    NotificationTarget,
    notification_problems,
    notification_target,
)
from shared.core.secrets import MIN_CHARACTERS, REDACTED
from shared.core.setting_values import (
    URL_PROBLEM,
    is_http_url,
    key_problem,
    normalise_base_url,
    setting_text,
)
from shared.core.teacher_endpoints import (
    TEACHER_ENDPOINTS,
    TeacherEndpoint,
    endpoint_problems,
    key_names,
    read_endpoints,
)

STORAGE = "DISTILLATION_STORAGE"
BLOB_SERVICE_URI = f"{STORAGE}__blobServiceUri"
BLOB_TRIGGER_SOURCE = "BLOB_TRIGGER_SOURCE"
MAX_ACTIVE_RUNS = "MAX_ACTIVE_RUNS"
MONTHLY_BUDGET = "MONTHLY_BUDGET"
RETENTION_DAYS = "RETENTION_DAYS"
TRIGGER_SOURCES = ("LogsAndContainerScan", "EventGrid")
DEFAULT_TEACHER_SCOPE = "https://cognitiveservices.azure.com/.default"

# name: (required, meaning). A table in the docs is tested against this one.
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
        False,
        "base URL of the teacher's chat-completions API, e.g. https://x.openai.azure.com/openai/v1",
    ),
    "TEACHER_MODEL": (False, "model or deployment name of the teacher"),
    "TEACHER_API_KEY": (
        False,
        "key of the teacher; absent: Entra ID through DefaultAzureCredential",
    ),
    "TEACHER_SCOPE": (
        False,
        f"Entra ID scope when there is no key (default {DEFAULT_TEACHER_SCOPE})",
    ),
    TEACHER_ENDPOINTS: (
        False,
        "several deployments of the teacher, instead of TEACHER_BASE_URL: a JSON list of objects "
        "with base_url, model and api_key_setting",
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
        "base URL of the Azure OpenAI resource that fine-tunes, "
        "https://<resource>.openai.azure.com/openai/v1",
    ),
    "AZURE_OPENAI_API_KEY": (
        False,
        "key of that resource; absent: Entra ID through DefaultAzureCredential",
    ),
    "STUDENT_MODEL": (False, "asset id or name of the student when a run names none"),
    "TEACHER_PROMPT_PRICE": (False, "price of a million prompt tokens of TEACHER_MODEL"),
    "TEACHER_COMPLETION_PRICE": (False, "price of a million answer tokens of TEACHER_MODEL"),
    "STUDENT_TRAINING_PRICE": (False, "price of a million trained tokens of STUDENT_MODEL"),
    "STUDENT_HOSTING_PRICE": (False, "price of an hour of hosting of STUDENT_MODEL"),
    MONTHLY_BUDGET: (
        False,
        "the most that all runs together may spend on their teachers in a month (UTC), in the "
        "currency of the prices (default: no limit)",
    ),
    MAX_ACTIVE_RUNS: (False, "runs at work at a time; others wait in order (default: no limit)"),
    CALLERS: (
        False,
        "names and roles of function keys: a JSON list of objects with name, sha256 and role "
        "(default: keys have no names, and each may do everything)",
    ),
    NOTIFY_URL: (False, "https URL that is notified when a run ends (default: nobody is)"),
    NOTIFY_SECRET: (False, "key that signs notifications, as Standard Webhooks has it"),
    RETENTION_DAYS: (False, "days after which a run that has ended is deleted (default: never)"),
}

# needed by runs that ask the teacher, as all do by default
TEACHER_SETTINGS = ("TEACHER_BASE_URL", "TEACHER_MODEL")
AZURE_OPENAI_BASE_URL = "AZURE_OPENAI_BASE_URL"
AZUREML_SETTINGS = ("AZUREML_SUBSCRIPTION_ID", "AZUREML_RESOURCE_GROUP", "AZUREML_WORKSPACE")
OPENAI_SETTINGS = (AZURE_OPENAI_BASE_URL,)
# What each fine-tuning service needs. Runs that train a student need one; none may be configured by
# half.
SERVICE_SETTINGS = (AZUREML_SETTINGS, OPENAI_SETTINGS)
PRICES = (
    "TEACHER_PROMPT_PRICE",
    "TEACHER_COMPLETION_PRICE",
    "STUDENT_TRAINING_PRICE",
    "STUDENT_HOSTING_PRICE",
)
MAX_MONTHLY_BUDGET = 1_000_000_000
MAX_PRICE = 1_000_000  # catches slips, and keeps costs finite
# Python reads more than this as a number, such as ９, 1_0 or -0
NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
MAX_RETENTION_DAYS = 36_500  # catches slips, and keeps dates within the calendar
COUNT = re.compile("0{0,9}[1-9][0-9]{0,8}")
URLS = ("TEACHER_BASE_URL", BLOB_SERVICE_URI, AZURE_OPENAI_BASE_URL)
MODELS = ("TEACHER_MODEL", "STUDENT_MODEL")
AZURE_OPENAI_API_KEY = "AZURE_OPENAI_API_KEY"
API_KEYS = ("TEACHER_API_KEY", AZURE_OPENAI_API_KEY)
STORAGE_SETTINGS = (STORAGE, BLOB_SERVICE_URI)


class StorageSettings(BaseModel):
    """The settings that reach the storage account: a connection string, or a URI and an
    identity.
    """

    model_config = ConfigDict(frozen=True)

    storage_connection_string: SecretStr | None
    blob_service_uri: str | None


class Settings(StorageSettings):
    """The settings of one process. Read them with `process.current().settings`."""

    teacher_base_url: str | None
    teacher_model: str | None
    teacher_api_key: SecretStr | None
    teacher_scope: str
    teacher_endpoints: tuple[TeacherEndpoint, ...] = ()
    azureml_subscription_id: str | None
    azureml_resource_group: str | None
    azureml_workspace: str | None
    azureml_datastore: str | None
    azure_openai_base_url: str | None
    azure_openai_api_key: SecretStr | None
    student_model: str | None
    teacher_prompt_price: float | None = None
    teacher_completion_price: float | None = None
    student_training_price: float | None = None
    student_hosting_price: float | None = None
    monthly_budget: float | None = None
    max_active_runs: int | None = None
    callers: tuple[ApiKey, ...] = ()
    retention_days: int | None = None
    notify_url: SecretStr | None = None
    notify_secret: SecretStr | None = None

    @property
    def notification_target(self) -> NotificationTarget | None:
        """Return who is notified when a run ends, None if nobody is."""
        return notification_target(self.notify_url, self.notify_secret)

    @property
    def endpoints(self) -> tuple[TeacherEndpoint, ...]:
        """Return every deployment of the teacher, none if it isn't configured."""
        if self.teacher_endpoints or self.teacher_base_url is None:
            return self.teacher_endpoints
        return (TeacherEndpoint(base_url=self.teacher_base_url, api_key=self.teacher_api_key),)

    def model_at(self, endpoint: TeacherEndpoint, model: str) -> str:
        """Return the name by which a deployment knows a model.

        Its own name stands for TEACHER_MODEL alone: a run may name another model.
        """
        is_usual = model == self.teacher_model
        return endpoint.model if is_usual and endpoint.model else model

    def check_teacher(self) -> None:
        """Raise SettingsError if the teacher isn't configured."""
        present = {"TEACHER_BASE_URL": self.endpoints, "TEACHER_MODEL": self.teacher_model}
        missing = [name for name in TEACHER_SETTINGS if not present[name]]
        _raise_for([_missing_setting(name) for name in missing])

    def check_fine_tuning(self) -> None:
        """Raise SettingsError if no fine-tuning service is configured."""
        if not any(getattr(self, names[0].lower(), None) for names in SERVICE_SETTINGS):
            _raise_for(_missing_service())

    @property
    def key_warnings(self) -> list[str]:
        """Return which keys are too short to be looked for in texts of services."""
        keys = {endpoint.key_setting: endpoint.api_key for endpoint in self.endpoints}
        keys[AZURE_OPENAI_API_KEY] = self.azure_openai_api_key
        return [
            f"{name} has fewer than {MIN_CHARACTERS} characters, so it isn't replaced by "
            f"{REDACTED} where a service quotes it, in files and logs: use a longer key"
            for name, key in keys.items()
            if key is not None and len(key.get_secret_value()) < MIN_CHARACTERS
        ]

    def datastore_uri(self, name: str) -> str | None:
        """Return the datastore URI of a blob in container `runs`, or None without a datastore."""
        if not self.azureml_datastore:
            return None
        return f"azureml://datastores/{self.azureml_datastore}/paths/{name}"


def load(environ: Mapping[str, str]) -> Settings:
    """Read all settings. Raises SettingsError naming every setting that is missing or wrong."""
    problems = _problems(environ)
    if problems:  # all at once, with those that nearly every run needs
        problems += _missing_teacher(environ)
        if not _services_begun(environ):
            problems += _missing_service()
    _raise_for(problems)
    # each setting is the field of the same name; those below are named or written differently
    fields: dict[str, object] = {name.lower(): setting_text(environ, name) for name in SETTINGS}
    fields |= _storage_settings(environ).model_dump()
    teacher_url = setting_text(environ, "TEACHER_BASE_URL")
    fields["teacher_base_url"] = normalise_base_url(teacher_url) if teacher_url else None
    fields["teacher_scope"] = setting_text(environ, "TEACHER_SCOPE") or DEFAULT_TEACHER_SCOPE
    fields["teacher_endpoints"] = read_endpoints(environ)
    fields["callers"] = read_api_keys(environ)
    openai_url = setting_text(environ, AZURE_OPENAI_BASE_URL)
    fields["azure_openai_base_url"] = openai_url.rstrip("/") if openai_url else None
    return Settings.model_validate(fields)


def load_storage(environ: Mapping[str, str]) -> StorageSettings:
    """Read the settings of the storage account alone. Raises SettingsError if these are wrong."""
    problems = _problems(environ)
    _raise_for([problem for problem in problems if problem["where"] in STORAGE_SETTINGS])
    return _storage_settings(environ)


def load_api_keys(environ: Mapping[str, str]) -> tuple[ApiKey, ...]:
    """Read names and roles of keys, even if other settings are wrong. Raises SettingsError."""
    _raise_for(api_key_problems(environ))
    return read_api_keys(environ)


def load_notification_target(environ: Mapping[str, str]) -> NotificationTarget | None:
    """Read who is notified, even if other settings are wrong. Raises SettingsError for these."""
    _raise_for(notification_problems(environ))
    url, secret = (_secret(environ, name) for name in NOTIFICATION_SETTINGS)
    return notification_target(url, secret)


def secret_names(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the settings that hold secrets, also if they are wrong."""
    return [*API_KEYS, STORAGE, *key_names(environ)]


def model_names(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the teacher and the student, also if other settings are wrong."""
    names = (setting_text(environ, name) for name in MODELS)
    return [name for name in names if name is not None]


def trigger_source(environ: Mapping[str, str] = os.environ) -> str:
    """Return the source of the blob trigger, for indexing. `load` reports a wrong value."""
    return setting_text(environ, BLOB_TRIGGER_SOURCE) or TRIGGER_SOURCES[0]


def app_url(environ: Mapping[str, str]) -> str | None:
    """Return the app's address as the Functions host names it, None where it doesn't."""
    host = setting_text(environ, "WEBSITE_HOSTNAME")
    if host is None:
        return None
    scheme = "http" if host.startswith(("localhost:", "127.0.0.1:")) else "https"
    return f"{scheme}://{host}"


def _secret(environ: Mapping[str, str], name: str) -> SecretStr | None:
    text = setting_text(environ, name)
    return SecretStr(text) if text else None


def _storage_settings(environ: Mapping[str, str]) -> StorageSettings:
    return StorageSettings(
        storage_connection_string=_secret(environ, STORAGE),
        blob_service_uri=setting_text(environ, BLOB_SERVICE_URI),
    )


def _raise_for(problems: list[Problem]) -> None:
    if problems:
        listed = "; ".join(f"{entry['where']}: {entry['problem']}" for entry in problems)
        message = f"the app's settings are incomplete or wrong: {listed}"
        raise SettingsError(message, details=problems)


def _problems(environ: Mapping[str, str]) -> list[Problem]:
    problems = _missing(environ) + _incomplete_services(environ) + _wrong_urls(environ)
    problems += _wrong_keys(environ) + _wrong_prices(environ)
    problems += endpoint_problems(environ) + notification_problems(environ)
    problems += api_key_problems(environ)
    if not _is_count(setting_text(environ, MAX_ACTIVE_RUNS) or "1"):
        problem = "must be a whole number from 1, such as 4"
        problems.append({"where": MAX_ACTIVE_RUNS, "problem": problem})
    if not _is_retention(setting_text(environ, RETENTION_DAYS) or "1"):
        problem = f"must be a whole number from 1 to {MAX_RETENTION_DAYS:,}, such as 90"
        problems.append({"where": RETENTION_DAYS, "problem": problem})
    if not _is_monthly_budget(setting_text(environ, MONTHLY_BUDGET) or "1"):
        problem = f"must be a number above 0 and up to {MAX_MONTHLY_BUDGET:,}, such as 500"
        problems.append({"where": MONTHLY_BUDGET, "problem": problem})
    if trigger_source(environ) not in TRIGGER_SOURCES:
        problem = f"must be one of {', '.join(TRIGGER_SOURCES)}"
        problems.append({"where": BLOB_TRIGGER_SOURCE, "problem": problem})
    return problems


def _missing(environ: Mapping[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    for name, (is_required, _) in SETTINGS.items():
        is_present = setting_text(environ, name) is not None
        if name == STORAGE:
            is_present = is_present or setting_text(environ, BLOB_SERVICE_URI) is not None
        if is_required and not is_present:
            problems.append(_missing_setting(name))
    return problems


def _missing_teacher(environ: Mapping[str, str]) -> list[Problem]:
    """Return the missing settings of the teacher. TEACHER_ENDPOINTS stands for its URL."""
    names = list(TEACHER_SETTINGS)
    if setting_text(environ, TEACHER_ENDPOINTS) is not None:
        names.remove("TEACHER_BASE_URL")
    missing = [name for name in names if setting_text(environ, name) is None]
    return [_missing_setting(name) for name in missing]


def _missing_setting(name: str, alternative: str = "") -> Problem:
    _, meaning = SETTINGS[name]
    return {"where": name, "problem": f"is missing: set it to the {meaning}{alternative}"}


def _services_begun(environ: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return the services of which a setting is present."""
    present = {name for name in environ if setting_text(environ, name)}
    return [names for names in SERVICE_SETTINGS if present.intersection(names)]


def _incomplete_services(environ: Mapping[str, str]) -> list[Problem]:
    """Return the missing settings of services that are configured by half."""
    names = itertools.chain(*_services_begun(environ))
    return [_missing_setting(name) for name in names if setting_text(environ, name) is None]


def _missing_service() -> list[Problem]:
    """Return the settings of the first service as missing, naming the others as alternatives."""
    first, *others = SERVICE_SETTINGS
    alternative = ""
    for names in others:
        alternative += f", or set {' and '.join(names)} to fine-tune there instead"
    return [_missing_setting(name, alternative) for name in first]


def _wrong_urls(environ: Mapping[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    for name in URLS:
        value = setting_text(environ, name)
        if value is None:
            continue
        if not is_http_url(value):
            problems.append({"where": name, "problem": URL_PROBLEM})
        elif name == AZURE_OPENAI_BASE_URL and not value.rstrip("/").endswith("/v1"):
            problem = "must end in /openai/v1, the API without api-version"
            problems.append({"where": name, "problem": problem})
    return problems


def _wrong_keys(environ: Mapping[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    for name in API_KEYS:
        problem = key_problem(setting_text(environ, name) or "")
        if problem is not None:
            problems.append({"where": name, "problem": problem})
    return problems


def _wrong_prices(environ: Mapping[str, str]) -> list[Problem]:
    problem = f"must be a number from 0 to {MAX_PRICE:,}, such as 0.4"
    wrong = [name for name in PRICES if not _is_price(setting_text(environ, name) or "0")]
    return [{"where": name, "problem": problem} for name in wrong]


def _is_price(text: str) -> bool:
    is_number = NUMBER.fullmatch(text) is not None
    return is_number and float(text) <= MAX_PRICE


def _is_monthly_budget(text: str) -> bool:
    is_number = NUMBER.fullmatch(text) is not None
    return is_number and 0 < float(text) <= MAX_MONTHLY_BUDGET


def _is_retention(text: str) -> bool:
    return _is_count(text) and int(text) <= MAX_RETENTION_DAYS


def _is_count(text: str) -> bool:
    return COUNT.fullmatch(text) is not None
