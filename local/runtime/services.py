"""The processes of the local cloud besides Azurite, and their environments.

Nothing in the app knows that it runs here: local and cloud differ in these settings alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.bootstrap import ROOT
from local.emulators.azure_openai.environment import LOCAL_KEY
from local.emulators.azure_openai.environment import app_settings as openai_settings
from local.emulators.azureml.environment import app_settings as azureml_settings
from local.functions_host.errors import HostError
from local.functions_host.keys import Keys
from local.runtime.options import CloudOptions
from local.runtime.ports import LOOPBACK
from local.runtime.proxies import loopback_without_proxy
from local.runtime.supervisor import Service, answers
from shared.core.caller_keys import CALLERS, Role
from shared.core.settings import BLOB_TRIGGER_SOURCE, PRICES, STORAGE

LOCAL_TEACHER = "local-teacher"
# the local teacher accepts any key; its name would be replaced as a secret wherever it is shown
# It must not begin as the name of the model does: redaction takes that for a key that is cut off.
LOCAL_TEACHER_KEY = "key-of-the-local-teacher"
# The user's Azure identity must not be tried on the emulators, nor the other way round.
FOREIGN = ("AZURE_", "MSI_", "IDENTITY_", "TEACHER_", "AZUREML_", f"{STORAGE}__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Addresses of the stand-ins. `teacher_url` and `openai_url` end in /v1.

    `storage` is a connection string, `identity_header` the emulated identity endpoint's secret.
    """

    storage: str
    teacher_url: str
    azureml_url: str
    openai_url: str
    identity_header: str = field(repr=False)


def host_settings(
    options: CloudOptions, addresses: Addresses, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return the host's whole environment: the app settings, and what we inherited less Azure's."""
    environment = {
        name: value
        for name, value in inherited.items()
        if name in PRICES or not name.startswith(FOREIGN)
    }
    settings = {
        **environment,
        **loopback_without_proxy(environment),
        "PYTHONUNBUFFERED": "1",
        "AzureWebJobsStorage": addresses.storage,
        STORAGE: addresses.storage,
        BLOB_TRIGGER_SOURCE: "LogsAndContainerScan",
        "TEACHER_BASE_URL": addresses.teacher_url,
        "TEACHER_MODEL": options.teacher_model or LOCAL_TEACHER,
        **azureml_settings(addresses.azureml_url, addresses.identity_header),
        **openai_settings(addresses.openai_url, options.openai_key or LOCAL_KEY),
    }
    key = options.teacher_key if options.teacher_url else LOCAL_TEACHER_KEY
    return {**settings, "TEACHER_API_KEY": key} if key else settings


def host(options: CloudOptions, port: int, environment: Mapping[str, str]) -> Service:
    flags = ("--data-dir", str(options.data_dir), "--app-dir", str(ROOT))
    return Service(
        name="host",
        command=_module("functions_host", port, *flags),
        environment={
            **_callers(options.data_dir),
            **environment,
            "WEBSITE_HOSTNAME": f"{LOOPBACK}:{port}",
        },
        ready=lambda: answers(f"http://{LOOPBACK}:{port}/admin/host/status", '"Running"'),
    )


def _callers(data_dir: Path) -> dict[str, str]:
    """Return the setting that gives the host's keys names and roles, as a team would set it."""
    try:
        keys = Keys.load_or_create(data_dir)
    except HostError:  # the host says so itself
        return {}
    roles = {
        "default": (keys.function_key, Role.OPERATOR),
        "_master": (keys.master_key, Role.OPERATOR),
        "reader": (keys.reader_key, Role.READER),
    }
    entries = [
        {"name": name, "role": role, "sha256": hashlib.sha256(key.encode()).hexdigest()}
        for name, (key, role) in roles.items()
    ]
    return {CALLERS: json.dumps(entries)}


def teacher(options: CloudOptions, port: int, environment: Mapping[str, str]) -> Service:
    return _stand_in("teacher", port, environment, *options.teacher_options)


def azureml(options: CloudOptions, port: int, environment: Mapping[str, str]) -> Service:
    folder = str(options.data_dir / "azureml")
    flags = ("--data-dir", folder, *options.azureml_options)
    return _stand_in("azureml", port, environment, *flags)


def azure_openai(options: CloudOptions, port: int, environment: Mapping[str, str]) -> Service:
    folder = str(options.data_dir / "azure_openai")
    flags = ("--data-dir", folder, *options.openai_options)
    return _stand_in("azure_openai", port, environment, *flags)


def child_environment(addresses: Addresses) -> dict[str, str]:
    """Return the environment of the stand-ins.

    It replaces the user's variables of the same names, which are for another account.
    """
    settings = {
        "AzureWebJobsStorage": addresses.storage,
        STORAGE: addresses.storage,
        "IDENTITY_HEADER": addresses.identity_header,
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **loopback_without_proxy(os.environ), **settings}


def _stand_in(name: str, port: int, environment: Mapping[str, str], *flags: str) -> Service:
    return Service(
        name=name,
        command=_module(f"emulators.{name}", port, *flags),
        environment=environment,
        ready=lambda: answers(f"http://{LOOPBACK}:{port}/healthz"),
    )


def _module(name: str, port: int, *flags: str) -> list[str]:
    return [sys.executable, "-m", f"local.{name}", "--port", str(port), *flags, "--lifeline"]
