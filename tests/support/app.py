"""How the end-to-end tests use the app: as a person with curl and a storage client would."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.storage.blob import BlobServiceClient

from local.bootstrap import ROOT
from local.runtime.client import storage_client, upload_dataset
from local.runtime.cloud import LocalCloud
from local.runtime.endpoints import Endpoints
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from shared.dataset.rows import as_jsonl
from shared.runs.status import TERMINAL
from tests.support.api_contract import undocumented
from tests.support.azureml import ask
from tests.support.polling import wait_for

PATIENCE = 120.0
POLL_SECONDS = 0.2
SAMPLES = ROOT / "samples"


@dataclass(frozen=True)
class App:
    """A running app. `folder` is where datasets are written before they are uploaded."""

    endpoints: Endpoints
    folder: Path

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers.

        `path` is below the host, with the function key, or a whole URL, as the links are.
        """
        sent = {} if body is None else {"Content-Type": "application/json"}
        if path.startswith("/"):
            sent["x-functions-key"] = self.endpoints.function_key
        sent |= headers
        url = self.endpoints.host_url + path if path.startswith("/") else path
        answer = ask(url, method, body, **{name: value for name, value in sent.items() if value})
        if url.startswith(f"{self.endpoints.host_url}/api/"):
            assert undocumented(method, urlsplit(url).path, answer[0], answer[1]) == []
        return answer

    def put(self, name: str, content: bytes) -> str:
        """Upload a dataset that starts no run by itself. Return its path."""
        path = f"elsewhere/{name}.jsonl"
        with self.storage() as storage:
            storage.get_blob_client("datasets", path).upload_blob(content, overwrite=True)
        return f"datasets/{path}"

    def start(self, name: str, content: bytes, **spec: Any) -> str:
        """Start a run of task math by HTTP. Return its id."""
        body = {"task": "math", "name": name, "train": self.put(name, content), **spec}
        status, started, _ = self.ask("POST", "/api/runs", body)
        assert status == 202, started
        return started["id"]

    def resume(self, run_id: str, **changes: Any) -> dict[str, Any]:
        """Resume a run with changed settings. Return its view."""
        status, view, headers = self.ask("POST", f"/api/runs/{run_id}/resume", changes or None)
        assert status == 202, view
        assert headers["Location"] == view["links"]["self"]
        return view

    def journal_records(self, run_id: str) -> list[dict[str, Any]]:
        """Return the records of all journals of a run."""
        records: list[dict[str, Any]] = []
        with self.storage() as storage:
            runs = storage.get_container_client("runs")
            for blob in runs.list_blobs(name_starts_with=f"{run_id}/shards/"):
                records += jsonl(runs.download_blob(blob.name).readall())
        return records

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
        """Return the run's view once it fulfils a condition."""
        seen: dict[str, Any] | None = None

        def is_fulfilled() -> bool:
            nonlocal seen
            seen = self.run(run_id)
            return seen is not None and until(seen)

        wait_for(
            is_fulfilled, lambda: f"what run {run_id} should do ({seen})", PATIENCE, POLL_SECONDS
        )
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


def sample(task: str) -> dict[str, Path]:
    names = ("train.jsonl", "validation.jsonl", "run.json")
    return {name: SAMPLES / task / name for name in names if (SAMPLES / task / name).exists()}


def sums(count: int, first: int = 0) -> bytes:
    """Rows of task math, each with another question."""
    questions = [f"What is {number} + 1?" for number in range(first, first + count)]
    return as_jsonl(
        [{"messages": [{"role": "user", "content": question}]} for question in questions]
    )


def answered_requests(log: Path) -> Counter[str]:
    """Count the complete answers in the teacher's log, by request."""
    records = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    return Counter(record["request"] for record in records if record["status"] == 200)


def answers_bought_twice(log: Path) -> int:
    """Count the answers to requests that had been answered before. Preflights don't count."""
    answered = answered_requests(log)
    preflight, _ = answered.most_common(1)[0]
    return sum(count - 1 for request, count in answered.items() if request != preflight)


def unjournaled_answers(app: App, run_ids: Iterable[str], log: Path) -> int:
    """Count the answers that the teacher gave and that are in no journal: they may be lost."""
    records = [record for run_id in run_ids for record in app.journal_records(run_id)]
    journaled = sum(record.get("requests", 0) for record in records)
    return answered_requests(log).total() - journaled


def requests_of_rows(view: Mapping[str, Any]) -> int:
    """Return a run's requests for its rows: all but those of preflight."""
    return view["requests"] - view["preflight"]["requests"]


def durable_links(app: App, run_id: str) -> dict[str, str]:
    """Durable's own links of a run, by name."""
    return app.ask("GET", f"/api/runs/{run_id}?links=durable")[1]["links"]


def jsonl(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]
