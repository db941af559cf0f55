"""The processes of the local cloud besides Azurite, and the app settings that they are given.

Nothing in the app knows that it runs here: local and cloud differ in these settings alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.bootstrap import ROOT
from local.emulators.azure_openai.environment import LOCAL_KEY
from local.emulators.azure_openai.environment import app_settings as openai_settings
from local.emulators.azureml.environment import app_settings
from local.runtime.options import CloudOptions
from local.runtime.ports import LOOPBACK
from local.runtime.supervisor import Service, answers
from shared.core.settings import BLOB_TRIGGER_SOURCE, STORAGE

LOCAL_TEACHER = "local-teacher"
# a developer's own Azure identity must not be tried on the emulator, nor the other way round
FOREIGN = ("AZURE_", "MSI_", "IDENTITY_", "TEACHER_", "AZUREML_", f"{STORAGE}__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where things are. `teacher_url` and `openai_url` end in /v1; `identity_header` is the emulated identity endpoint's secret."""

    storage: str
    teacher_url: str
    azureml_url: str
    openai_url: str
    identity_header: str = field(repr=False)


def host_settings(
    options: CloudOptions, addresses: Addresses, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of the Functions host: the app settings, over what of ours does not concern Azure."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(FOREIGN)}
    settings = {
        **kept,
        **_loopback_without_proxy(kept),
        "PYTHONUNBUFFERED": "1",
        "AzureWebJobsStorage": addresses.storage,
        STORAGE: addresses.storage,
        BLOB_TRIGGER_SOURCE: "LogsAndContainerScan",
        "TEACHER_BASE_URL": addresses.teacher_url,
        "TEACHER_MODEL": options.teacher_model or LOCAL_TEACHER,
        **app_settings(addresses.azureml_url, addresses.identity_header),
        **openai_settings(addresses.openai_url, options.openai_key or LOCAL_KEY),
    }
    key = (
        options.teacher_key if options.teacher_url else LOCAL_TEACHER
    )  # the local one takes any key
    return {**settings, "TEACHER_API_KEY": key} if key else settings


def host(options: CloudOptions, port: int, environment: Mapping[str, str]) -> Service:
    return Service(
        name="host",
        command=_module(
            "functions_host",
            "--port",
            str(port),
            "--data-dir",
            str(options.data_dir),
            "--app-dir",
            str(ROOT),
        ),
        environment=environment,
        ready=lambda: answers(f"http://{LOOPBACK}:{port}/admin/host/status", '"Running"'),
    )


def teacher(options: CloudOptions, port: int, environment: Mapping[str, str]) -> Service:
    return Service(
        name="teacher",
        command=_module("emulators.teacher", "--port", str(port), *options.teacher_options),
        environment=environment,
        ready=lambda: answers(f"http://{LOOPBACK}:{port}/healthz"),
    )


def azureml(options: CloudOptions, port: int, environment: Mapping[str, str]) -> Service:
    folder = str(options.data_dir / "azureml")
    return Service(
        name="azureml",
        command=_module(
            "emulators.azureml", "--port", str(port), "--data-dir", folder, *options.azureml_options
        ),
        environment=environment,
        ready=lambda: answers(f"http://{LOOPBACK}:{port}/healthz"),
    )


def azure_openai(options: CloudOptions, port: int, environment: Mapping[str, str]) -> Service:
    folder = str(options.data_dir / "azure_openai")
    return Service(
        name="azure_openai",
        command=_module(
            "emulators.azure_openai",
            "--port",
            str(port),
            "--data-dir",
            folder,
            *options.openai_options,
        ),
        environment=environment,
        ready=lambda: answers(f"http://{LOOPBACK}:{port}/healthz"),
    )


def child_environment(addresses: Addresses) -> dict[str, str]:
    """Environment of the stand-ins. The emulator reads training data from storage, and checks the identity header.

    What the user has set of the same names is for other purposes: another account, a key that the app would not present.
    """
    own = {
        "AzureWebJobsStorage": addresses.storage,
        STORAGE: addresses.storage,
        "IDENTITY_HEADER": addresses.identity_header,
        "LOCAL_TEACHER_KEY": "",
        "LOCAL_AZURE_OPENAI_KEY": "",
    }
    return {**os.environ, **_loopback_without_proxy(os.environ), **own, "PYTHONUNBUFFERED": "1"}


def _module(name: str, *flags: str) -> list[str]:
    return [sys.executable, "-m", f"local.{name}", *flags, "--lifeline"]


def _loopback_without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Storage and AzureML clients honour proxy settings: loopback must be exempt from them."""
    exempt = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if exempt.strip() == "*":  # everything is exempt, which it means only when it stands alone
        return {"NO_PROXY": "*", "no_proxy": "*"}
    names = [name for name in exempt.split(",") if name.strip()]
    names += [name for name in (LOOPBACK, "localhost") if name not in names]
    return {"NO_PROXY": ",".join(names), "no_proxy": ",".join(names)}
