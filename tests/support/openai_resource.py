"""The Azure OpenAI backend over an emulator, with datasets in Azurite."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import uuid4

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from openai import OpenAI
from pydantic import SecretStr

from shared.core.paths import RUNS
from shared.core.settings import load
from shared.finetuning.azure_openai.backend import AzureOpenAIBackend
from shared.finetuning.azure_openai.clients import openai_client
from shared.finetuning.base import Dataset, FineTuneRequest, JobState, JobStatus
from shared.finetuning.redacting import RedactingBackend
from shared.finetuning.registry import get_backend
from shared.spec.models import StudentSpec
from tests.support.azure_openai import MODEL, Resource, emulator
from tests.support.azureml import PATIENCE

KEY = "sesame-key"
# Each client reads the system's certificates, though none of these speaks TLS.
one_context = lru_cache(ssl.create_default_context)


def student(**changes: Any) -> StudentSpec:
    settings: dict[str, Any] = {"backend": "azure_openai", "model": MODEL, **changes}
    return StudentSpec(**settings)


def request_of(spec: StudentSpec | None = None, **changes: Any) -> FineTuneRequest:
    name = f"nli-sample-{uuid4().hex[:12]}"
    nothing = Dataset(blob="", uri="", bytes=0, lines=0, sha256="")
    settings: dict[str, Any] = {
        "run_id": name,
        "job_name": name,
        "student": spec or student(),
        "registered_model_name": name,
        "training": nothing,
        "validation": None,
        "experiment": "distillation-nli",
        "display_name": "nli sample",
        "tags": {"task": "nli"},
        "description": "A student.",
    }
    return FineTuneRequest(**{**settings, **changes})


@dataclass
class Tuning:
    """The backend under test, and the resource that it uses."""

    storage: str
    resource: Resource
    settings: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def backend(self) -> AzureOpenAIBackend:
        environ = {
            "DISTILLATION_STORAGE": self.storage,
            "TEACHER_BASE_URL": "http://127.0.0.1:9/v1",
            "TEACHER_MODEL": "m",
            "AZURE_OPENAI_BASE_URL": self.resource.base_url,
            "AZURE_OPENAI_API_KEY": KEY,
            **self.settings,
        }
        backend = get_backend("azure_openai", load(environ))
        assert isinstance(backend, RedactingBackend)
        assert isinstance(backend.backend, AzureOpenAIBackend)
        return backend.backend

    def with_settings(self, **settings: str) -> Tuning:
        return Tuning(self.storage, self.resource, settings)

    def put(
        self, request: FineTuneRequest, training: bytes, validation: bytes | None = None
    ) -> FineTuneRequest:
        """Return the request with datasets that are in storage."""
        changes: dict[str, Any] = {
            "training": self._dataset(f"{request.run_id}/train.jsonl", training)
        }
        if validation is not None:
            changes["validation"] = self._dataset(f"{request.run_id}/validation.jsonl", validation)
        return request.model_copy(update=changes)

    def submit(self, request: FineTuneRequest) -> JobState:
        """Submit as the app does: until the state is submitted."""
        return self._until(lambda: self.backend.submit(request), lambda state: state.submitted)

    def ready_file(self, request: FineTuneRequest) -> str:
        """Upload the training file as the backend does, and return its id once it is processed."""
        training = request.training
        name = f"{request.job_name}-train-{training.sha256[:12]}.jsonl"
        service: Any
        with BlobServiceClient.from_connection_string(self.storage) as service:
            blob = service.get_blob_client(RUNS, training.blob)
            _, file = self.resource.upload(blob.download_blob().readall(), name)
        return self.resource.wait(f"files/{file['id']}", "processed")["id"]

    def all_jobs(self) -> list[Any]:
        return list(self._client().fine_tuning.jobs.list(limit=100))

    def all_files(self) -> list[Any]:
        return list(self._client().files.list(limit=100))

    def wait(self, job: str) -> JobState:
        return self._until(lambda: self.backend.poll(job), lambda state: state.status.is_terminal)

    def wait_for(self, job: str, service_status: str) -> JobState:
        return self._until(
            lambda: self.backend.poll(job), lambda state: state.service_status == service_status
        )

    def follow(self, job: str) -> tuple[list[JobStatus], JobState]:
        """Return every status that was seen, and the last state."""
        seen: list[JobStatus] = []

        def poll() -> JobState:
            state = self.backend.poll(job)
            seen.append(state.status)
            return state

        return seen, self._until(poll, lambda state: state.status.is_terminal)

    def _client(self) -> OpenAI:
        return openai_client(self.resource.base_url, SecretStr(KEY))

    def _until(self, ask: Callable[[], JobState], enough: Callable[[JobState], bool]) -> JobState:
        give_up = time.monotonic() + PATIENCE
        while not enough(state := ask()):
            assert time.monotonic() < give_up, f"still {state}"
            time.sleep(0.005)  # the service tells nobody: it can only be polled
        return state

    def _dataset(self, blob: str, content: bytes) -> Dataset:
        service: Any
        with BlobServiceClient.from_connection_string(self.storage) as service:
            with contextlib.suppress(ResourceExistsError):
                service.create_container(RUNS)
            service.get_blob_client(RUNS, blob).upload_blob(content, overwrite=True)
        digest = hashlib.sha256(content).hexdigest()
        lines = content.count(b"\n")
        return Dataset(
            blob=blob,
            uri=f"https://x/{RUNS}/{blob}",
            bytes=len(content),
            lines=lines,
            sha256=digest,
        )


NewResource = Callable[..., Tuning]


@pytest.fixture
def new_resource(azurite: str, monkeypatch: pytest.MonkeyPatch) -> Generator[NewResource]:
    """Start an emulator with options, and give the backend that uses it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(ssl, "create_default_context", one_context)
    with contextlib.ExitStack() as running:

        def begin(**options: Any) -> Tuning:
            chosen: dict[str, Any] = {"file_pace": 0, **options}
            base_url = running.enter_context(emulator(**chosen))
            return Tuning(azurite, Resource(base_url, options.get("api_key", "any")))

        yield begin
