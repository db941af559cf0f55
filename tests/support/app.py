"""How the end-to-end tests use the app: as a person with curl and a storage client would."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from local.bootstrap import ROOT
from local.runtime.client import storage_client, upload_dataset
from local.runtime.cloud import LocalCloud
from local.runtime.endpoints import Endpoints
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from shared.dataset.rows import as_jsonl
from tests.support.azureml import ask

PATIENCE = 120.0
POLL_SECONDS = 0.2
SAMPLES = ROOT / "samples"
TERMINAL = ("completed", "failed", "cancelled", "terminated")


@dataclass(frozen=True)
class App:
    """A running app. `folder` is where datasets are written before they are uploaded."""

    endpoints: Endpoints
    folder: Path

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers. `path` is below the host, with the function key, or a whole URL, as the links are."""
        given = {} if body is None else {"Content-Type": "application/json"}
        if path.startswith("/"):
            given["x-functions-key"] = self.endpoints.function_key
        given |= headers
        url = self.endpoints.host_url + path if path.startswith("/") else path
        return ask(url, method, body, **{name: value for name, value in given.items() if value})

    def run(self, run_id: str) -> dict[str, Any] | None:
        status, body, _ = self.ask("GET", f"/api/runs/{run_id}")
        return body if status == 200 else None

    def run_ids(self, prefix: str) -> list[str]:
        _, body, _ = self.ask("GET", f"/api/runs?prefix={prefix}&limit=100")
        return [run["id"] for run in body["runs"]]

    def upload(self, task: str, name: str, files: Mapping[str, Path]) -> str:
        """Upload a dataset and return the id of the run that it starts."""
        with self.storage() as storage:
            return upload_dataset(storage, task, name, dict(files))

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def wait(self, run_id: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The run's view once it is as wanted."""
        seen: dict[str, Any] | None = None

        def wanted() -> bool:
            nonlocal seen
            seen = self.run(run_id)
            return seen is not None and until(seen)

        wait_for(wanted, lambda: f"run {run_id} is {seen}")
        assert seen is not None
        return seen

    def ended(self, run_id: str) -> dict[str, Any]:
        return self.wait(run_id, lambda view: view["status"] in TERMINAL)

    def read(self, run_id: str, name: str) -> bytes:
        with self.storage() as storage:
            return storage.get_blob_client("runs", f"{run_id}/{name}").download_blob().readall()

    def exists(self, run_id: str, name: str) -> bool:
        with self.storage() as storage:
            return storage.get_blob_client("runs", f"{run_id}/{name}").exists()

    @contextmanager
    def storage(self) -> Generator[BlobServiceClient]:
        with storage_client(self.endpoints.storage_connection_string) as client:
            yield client


@contextmanager
def serving(data_dir: Path, *teacher_options: str) -> Generator[App]:
    """The whole local cloud on a port of its own. Options of the teacher as on its command line."""
    options = CloudOptions(
        data_dir=data_dir / "cloud", teacher_options=teacher_options, azureml_options=("--pace=3",)
    )
    with LocalCloud(options, free_port()) as cloud:
        yield App(cloud.endpoints, data_dir / "files")


def wait_for(condition: Callable[[], bool], problem: Callable[[], str]) -> None:
    """Look until it holds; fails with the problem after a while."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, problem()
        time.sleep(POLL_SECONDS)


def sample(task: str) -> dict[str, Path]:
    names = ("train.jsonl", "validation.jsonl", "run.json")
    return {name: SAMPLES / task / name for name in names if (SAMPLES / task / name).exists()}


def sums(count: int, first: int = 0) -> bytes:
    """Rows of task math, each with another question."""
    questions = [f"What is {number} + 1?" for number in range(first, first + count)]
    return as_jsonl(
        [{"messages": [{"role": "user", "content": question}]} for question in questions]
    )


def jsonl(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]
