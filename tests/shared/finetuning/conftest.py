"""A workspace for the backend under test: the emulator, found by environment variables alone as in the app."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Generator
from typing import Any
from uuid import uuid4

import pytest

from local.emulators.azureml import app_settings
from local.emulators.azureml.environment import DATASTORE, RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from shared.finetuning.azureml.backend import AzureMLBackend
from shared.finetuning.azureml.client import Workspace, forget_clients
from shared.finetuning.base import Dataset, FineTuneRequest
from shared.spec.models import StudentSpec
from shared.students.catalogue import DEFAULT_STUDENT
from tests.support.azureml import HEADER, datastore_uri, emulator

Start = Callable[..., AzureMLBackend]


def backend(datastore: str | None = DATASTORE, **changes: str) -> AzureMLBackend:
    workspace = {
        "subscription_id": SUBSCRIPTION,
        "resource_group": RESOURCE_GROUP,
        "name": WORKSPACE,
    }
    return AzureMLBackend(Workspace(**{**workspace, **changes}), datastore)


@pytest.fixture(scope="session", autouse=True)
def azureml_sdk() -> None:
    """The SDK, imported (5 s) where its use of marshmallow, which warns of its next version, may warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("azure.ai.ml", "azure.ai.ml.entities", "azure.ai.ml.finetuning"):
            importlib.import_module(module)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[str], None]]:
    """Points the SDK at an emulator, with no other identity or proxy in the way."""
    for name in list(os.environ):
        if name.startswith(("AZURE", "IDENTITY_", "MSI_", "ARM_", "REGISTRY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def point_at(base_url: str) -> None:
        for name, value in app_settings(base_url, HEADER).items():
            monkeypatch.setenv(name, value)
        forget_clients()

    yield point_at
    forget_clients()


@pytest.fixture
def start(azurite: str, environment: Callable[[str], None]) -> Generator[Start]:
    """Starts an emulator with options, and gives the backend of its workspace."""
    running: list[Any] = []

    def begin(**options: Any) -> AzureMLBackend:
        block = emulator(storage=azurite, **options)
        environment(block.__enter__())
        running.append(block)
        return backend()

    yield begin
    for block in running:
        block.__exit__(None, None, None)


STUDENT = StudentSpec(backend="azureml", model=DEFAULT_STUDENT)


def student_of(model: str) -> StudentSpec:
    return StudentSpec(backend="azureml", model=model)


def dataset_of(uri: str) -> Dataset:
    """A dataset that is not read, but where AzureML looks for it."""
    return Dataset(blob=uri.rpartition("/paths/")[2], uri=uri, bytes=1, lines=1, sha256="0" * 64)


def request_of(training_uri: str = datastore_uri("nowhere"), **changes: Any) -> FineTuneRequest:
    name = f"nli-sample-{uuid4().hex[:12]}"
    student = {
        "model": DEFAULT_STUDENT,
        "hyperparameters": {"num_train_epochs": 2, "learning_rate": 2e-5},
    }
    student |= changes.pop("student", {})
    validation_uri = changes.pop("validation_uri", None)
    settings: dict[str, Any] = {
        "run_id": name,
        "job_name": name,
        "student": StudentSpec(**student),
        "training": dataset_of(training_uri),
        "validation": dataset_of(validation_uri) if validation_uri else None,
        "registered_model_name": name,
        "experiment": "distillation-nli",
        "display_name": "nli sample",
        "tags": {"run_id": name},
        "description": "A student.",
    }
    return FineTuneRequest(**{**settings, **changes})
