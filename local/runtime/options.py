"""What `up`, `demo` and `run` can be told about the cloud they run in, as one object."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from local.runtime.failures import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudOptions:
    """`port` None: the default one for `up`, a free one otherwise. `teacher_url` None: the local teacher."""

    data_dir: Path
    port: int | None = None
    teacher_url: str | None = None
    teacher_model: str | None = None
    teacher_key: str | None = field(default=None, repr=False)
    teacher_options: tuple[str, ...] = ()  # flags of the local teacher
    azureml_url: str | None = None
    azureml_options: tuple[str, ...] = ()  # flags of the AzureML emulator
    openai_url: str | None = None
    openai_key: str | None = field(default=None, repr=False)
    openai_options: tuple[str, ...] = ()  # flags of the Azure OpenAI emulator

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"


def cloud_options(chosen: argparse.Namespace) -> CloudOptions:
    """Raises UsageError for options that contradict each other."""
    url, model = chosen.teacher_url, chosen.teacher_model
    if url and not model:
        raise UsageError(
            "--teacher-url needs --teacher-model: the model or deployment name to ask for"
        )
    if not url and (model or chosen.teacher_key):
        raise UsageError(
            "--teacher-model and --teacher-key are for a teacher of your own: add --teacher-url"
        )
    if url and chosen.teacher_options:
        raise UsageError("--teacher-option is for the local teacher, and --teacher-url replaces it")
    if chosen.azureml_url and chosen.azureml_options:
        raise UsageError(
            "--azureml-option is for the emulator that is started, and --azureml-url replaces it"
        )
    if chosen.openai_url and chosen.openai_options:
        raise UsageError(
            "--openai-option is for the emulator that is started, and --openai-url replaces it"
        )
    return CloudOptions(
        data_dir=chosen.data_dir.absolute(),
        port=chosen.port,
        teacher_url=_http_url("--teacher-url", url),
        teacher_model=model,
        teacher_key=(chosen.teacher_key or os.environ.get("TEACHER_API_KEY")) if url else None,
        teacher_options=tuple(_flag("--teacher-option", text) for text in chosen.teacher_options),
        azureml_url=_http_url("--azureml-url", chosen.azureml_url),
        azureml_options=tuple(_flag("--azureml-option", text) for text in chosen.azureml_options),
        openai_url=_http_url("--openai-url", chosen.openai_url),
        openai_key=os.environ.get("AZURE_OPENAI_API_KEY") if chosen.openai_url else None,
        openai_options=tuple(_flag("--openai-option", text) for text in chosen.openai_options),
    )


def _flag(option: str, text: str) -> str:
    """`latency_ms=500`, `latency-ms=500` and `--latency-ms=500` all mean the last."""
    name, equals, value = text.lstrip("-").partition("=")
    if not name or not equals or not value:
        raise UsageError(f"{option} {text!r} is not NAME=VALUE, such as seed=7")
    return f"--{name.replace('_', '-')}={value}"


def _http_url(option: str, url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # ValueError if it is none
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{option} {url!r} is not an http(s) URL")
    return url.rstrip("/")
