"""The AzureML backend over an emulator, and requests for it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from local.emulators.azureml.environment import DATASTORE, RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from shared.core.process import Process
from shared.finetuning.azureml.backend import AzureMLBackend
from shared.finetuning.azureml.workspace import Workspace
from shared.finetuning.base import Dataset, FineTuneRequest
from shared.spec.models import StudentSpec
from shared.students.catalogue import DEFAULT_STUDENT
from tests.support.azureml import datastore_uri, emulator
from tests.support.azureml_sdk import PointAt

Start = Callable[..., AzureMLBackend]
STUDENT = StudentSpec(backend="azureml", model=DEFAULT_STUDENT)


def backend_of(datastore: str | None = DATASTORE, **changes: str) -> AzureMLBackend:
    """Return the backend of the emulated workspace, with changes to its address."""
    workspace = {
        "subscription_id": SUBSCRIPTION,
        "resource_group": RESOURCE_GROUP,
        "name": WORKSPACE,
    }
    return AzureMLBackend(Workspace(**{**workspace, **changes}), datastore)


@dataclass(frozen=True)
class Service:
    """An emulator that many tests share, and the process whose clients know it."""

    base_url: str
    process: Process


@pytest.fixture(scope="session")
def shared_service(azurite: str) -> Generator[Service]:
    """One emulator without options, and its clients, for all tests of a worker."""
    with emulator(storage=azurite) as base_url:
        yield Service(base_url, Process())


@pytest.fixture
def start(azurite: str, environment: PointAt, shared_service: Service) -> Generator[Start]:
    """Give the backend of an emulator: the shared one, or one of its own if it needs options."""
    with ExitStack() as running:

        def begin(**options: Any) -> AzureMLBackend:
            if options:
                environment(running.enter_context(emulator(storage=azurite, **options)))
            else:
                environment(shared_service.base_url, shared_service.process)
            return backend_of()

        yield begin


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
