"""A backend of command jobs over an emulator that runs them, and requests for it."""

from __future__ import annotations

import os
from typing import Any
from uuid import uuid4

from shared.core.settings import Settings, load
from shared.finetuning.azureml.command import AzureMLCommandBackend
from shared.finetuning.base import Dataset, FineTuneRequest
from shared.spec.models import StudentSpec
from tests.support.azureml import chat_rows, put_lines

MODEL = "Qwen/Qwen3-0.6B"


def settings_of(storage: str, **changes: str) -> Settings:
    required = {
        "DISTILLATION_STORAGE": storage,
        "TEACHER_BASE_URL": "http://127.0.0.1:9/v1",
        "TEACHER_MODEL": "t",
    }
    return load({**os.environ, **required, **changes})


def command_backend(storage: str, **changes: str) -> AzureMLCommandBackend:
    """Return the backend of the workspace that the environment points at."""
    return AzureMLCommandBackend(settings_of(storage, **changes))


def student(**changes: Any) -> StudentSpec:
    settings: dict[str, Any] = {"backend": "azureml_command", "model": MODEL, **changes}
    return StudentSpec(**settings)


def dataset(storage: str, path: str, rows: int = 10) -> Dataset:
    return Dataset(
        blob=path, uri=put_lines(storage, path, chat_rows(rows)), bytes=1, lines=rows, sha256=""
    )


def command_request(storage: str, spec: StudentSpec, *, validation: bool = True) -> FineTuneRequest:
    name = f"nli-command-{uuid4().hex[:12]}"
    return FineTuneRequest(
        run_id=name,
        job_name=name,
        student=spec,
        registered_model_name=name,
        training=dataset(storage, f"{name}/train.jsonl"),
        validation=dataset(storage, f"{name}/validation.jsonl", 2) if validation else None,
        experiment="distillation-nli",
        display_name="nli command",
        tags={"run_id": name},
        description="A student.",
    )
