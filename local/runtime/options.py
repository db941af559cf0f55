"""The options of `up`, `demo` and `run` for the cloud they run in, as one object."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from local.runtime.endpoints import TEACHER
from local.runtime.failures import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudOptions:
    """Where the cloud keeps its data, and what replaces or configures its stand-ins.

    Without `port`, `up` uses the default one, and other commands a free one if that is taken.
    Without a URL, a stand-in is started, with the flags in its `…_options`.
    """

    data_dir: Path
    port: int | None = None
    teacher_url: str | None = None
    teacher_model: str | None = None
    teacher_key: str | None = field(default=None, repr=False)
    teacher_options: tuple[str, ...] = ()
    azureml_url: str | None = None
    azureml_options: tuple[str, ...] = ()
    openai_url: str | None = None
    openai_key: str | None = field(default=None, repr=False)
    openai_options: tuple[str, ...] = ()

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Return which services are local stand-ins, as `Endpoints` names them.

        AzureML is always an emulator, which may run the commands of its jobs: another one, at
        `azureml_url`, isn't said not to.
        """
        runs_commands = "--run-commands=yes" in self.azureml_options
        is_real = {
            TEACHER: self.teacher_url is not None,
            "azure_openai": self.openai_url is not None,
            "azureml": False,
            "azureml_command": runs_commands or self.azureml_url is not None,
        }
        return tuple(name for name in is_real if not is_real[name])

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"


def cloud_options(chosen: argparse.Namespace) -> CloudOptions:
    """Return the options of a command line. Raises UsageError if they contradict each other."""
    url = chosen.teacher_url
    problem = _contradiction(chosen)
    if problem:
        raise UsageError(problem)
    return CloudOptions(
        data_dir=chosen.data_dir.absolute(),
        port=chosen.port,
        teacher_url=_http_url("--teacher-url", url),
        teacher_model=chosen.teacher_model,
        teacher_key=(chosen.teacher_key or os.environ.get("TEACHER_API_KEY")) if url else None,
        teacher_options=_flags("--teacher-option", chosen.teacher_options),
        azureml_url=_http_url("--azureml-url", chosen.azureml_url),
        azureml_options=_flags("--azureml-option", chosen.azureml_options),
        openai_url=_openai_url(chosen.openai_url),
        openai_key=os.environ.get("AZURE_OPENAI_API_KEY") if chosen.openai_url else None,
        openai_options=_flags("--openai-option", chosen.openai_options),
    )


def _contradiction(chosen: argparse.Namespace) -> str | None:
    """Return how the options contradict each other, if they do."""
    url = chosen.teacher_url
    if url and not chosen.teacher_model:
        return "--teacher-url needs --teacher-model: the name of the model or deployment"
    if not url and (chosen.teacher_model or chosen.teacher_key):
        return "--teacher-model and --teacher-key are for a teacher of your own: add --teacher-url"
    if url and chosen.teacher_options:
        return "--teacher-option is for the local teacher, and --teacher-url replaces it"
    if chosen.azureml_url and chosen.azureml_options:
        return "--azureml-option is for the local emulator, and --azureml-url replaces it"
    if chosen.openai_url and chosen.openai_options:
        return "--openai-option is for the local emulator, and --openai-url replaces it"
    return None


def _flags(option: str, texts: list[str]) -> tuple[str, ...]:
    return tuple(_flag(option, text) for text in texts)


def _flag(option: str, text: str) -> str:
    """Return `--latency-ms=500` for `latency_ms=500`, `latency-ms=500` or `--latency-ms=500`."""
    name, equals, value = text.lstrip("-").partition("=")
    if not name or not equals or not value:
        raise UsageError(f"{option} {text!r} is not NAME=VALUE, such as seed=7")
    return f"--{name.replace('_', '-')}={value}"


def _http_url(option: str, url: str | None) -> str | None:
    if url is None:
        return None
    if not _is_http_url(url):
        raise UsageError(f"{option} {url!r} is not an http(s) URL")
    return url.rstrip("/")


def _openai_url(url: str | None) -> str | None:
    base_url = _http_url("--openai-url", url)
    if base_url and not base_url.endswith("/v1"):
        raise UsageError(f"--openai-url {url} must end in /openai/v1, the API without versions")
    return base_url


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Raises ValueError for a wrong port.
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
