"""A teacher, fine-tuning services and a storage that quote every key put none anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.bootstrap import ROOT
from local.emulators.faults import PATH as FAULTS
from local.runtime.client import make_containers, storage_client
from local.runtime.cloud import LOCK_FILE
from local.runtime.endpoints import Endpoints
from local.runtime.locks import FileLock
from local.runtime.ports import LOOPBACK
from shared.runs.status import TERMINAL
from tests.chaos.storm import Storm, leaks, secrets_in
from tests.support.app import sums
from tests.support.azureml import ask
from tests.support.polling import wait_for

PATIENCE_SECONDS = 240.0
POLL_SECONDS = 0.5
WITHOUT_INSTALLING = """
import sys
from local.bootstrap import entry
entry.ensure_environment = lambda arguments: None
from local.cli.commands import main
sys.exit(main(sys.argv[1:]))
"""
OPENAI_STUDENT = {"backend": "azure_openai", "model": "gpt-4.1-mini-2025-04-14"}


class Observer:
    """Asks the app, and looks for keys in every answer."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm
        self.found: list[str] = []
        self.own = {"master_key", "system_key", "function_key"} & set(storm.secrets)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and decoded body. `path` may be a whole URL."""
        storm = self.storm
        host = f"http://{LOOPBACK}:{storm.port('host')}"
        headers = {"x-functions-key": storm.secrets["function_key"]}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = host + path if path.startswith("/") else path
        status, answer, answered = ask(url, method, body, **headers)
        shown = json.dumps([answer, dict(answered)], ensure_ascii=False) + json.dumps(answer)
        self.found += [
            problem
            for problem in secrets_in(storm, f"{method} {path.partition('?')[0]}", shown.encode())
            # Durable's own links have the host's key where they are asked for
            if not any(f"secret {name} " in problem for name in self.own)
        ]
        return status, answer

    def start(self, name: str, **spec: Any) -> str:
        body = {"task": "math", "name": name, "train": self.put(name), **spec}
        status, started = self.ask("POST", "/api/runs", body)
        assert status == 202, started
        return started["id"]

    def put(self, name: str) -> str:
        with storage_client(self.storm.storage) as storage:
            blob = storage.get_blob_client("datasets", f"elsewhere/{name}.jsonl")
            blob.upload_blob(sums(60), overwrite=True)
        return f"datasets/elsewhere/{name}.jsonl"

    def ended(self, run_id: str) -> dict[str, Any]:
        """Return the last view of a run, having looked at everything that shows it."""
        views: list[dict[str, Any]] = []

        def has_ended() -> bool:
            status, view = self.ask("GET", f"/api/runs/{run_id}")
            if status == 200 and view["status"] in TERMINAL:
                views.append(view)
            return bool(views)

        wait_for(has_ended, f"the end of {run_id}", PATIENCE_SECONDS, POLL_SECONDS)
        _, linked = self.ask("GET", f"/api/runs/{run_id}?links=durable")
        url = linked["links"]["statusQueryGetUri"]
        self.ask("GET", f"{url}&showHistory=true&showHistoryOutput=true&showInput=true")
        return views[0]


@pytest.mark.slow
def test_keys_that_services_quote_reach_no_file_no_log_no_answer_and_no_terminal(
    tmp_path: Path,
) -> None:
    storm = Storm(tmp_path, seed=1, hostile=True)
    with storm.running():
        make_containers(storm.storage)
        observer = Observer(storm)
        for service in ("azureml", "azure_openai"):
            fault = {"path_contains": "jobs", "status": 503, "retry_after": 0.1, "times": 2}
            ask(f"http://{LOOPBACK}:{storm.port(service)}{FAULTS}", "POST", fault)
        teacher = {"concurrency": 32, "max_attempts": 5}
        quality = {"min_success_ratio": 0.1, "min_rows": 10}
        usual: dict[str, Any] = {"teacher": teacher, "quality": quality}
        trained = observer.start("trained", **usual)
        tuned = observer.start("tuned", student=OPENAI_STUDENT, **usual)
        refused = observer.start("refused", teacher={"model": "unknown"}, student=None)
        probed = {"task": "math", "train": observer.put("probed"), **usual}
        assert observer.ask("POST", "/api/runs?dry_run=true&probe=3", probed)[0] == 200
        views = {name: observer.ended(name) for name in (trained, tuned, refused)}
        fault = {"method": "PUT", "path_contains": "/jobs/", "status": 400, "times": 9}
        ask(f"http://{LOOPBACK}:{storm.port('azureml')}{FAULTS}", "POST", fault)
        failed = observer.ended(observer.start("failed", reuse=trained, **usual))
        observer.ask("GET", "/api/runs?limit=100")
        terminal = _followed_in_a_terminal(storm)
        found = [
            *observer.found,
            *leaks(storm),
            *secrets_in(storm, "the terminal", terminal.encode()),
        ]
    assert not found
    assert [view["status"] for view in views.values()] == ["completed", "completed", "failed"]
    assert '"secret"' in json.dumps(views[trained])
    assert (failed["status"], failed["stage"]) == ("failed", "finetune")
    assert "***" in json.dumps(failed)
    assert "files: " in terminal


def _followed_in_a_terminal(storm: Storm) -> str:
    """Return what `python -m local run` shows of a run."""
    data_dir = storm.folder / "cloud"
    endpoints = Endpoints(
        host_url=f"http://{LOOPBACK}:{storm.port('host')}",
        storage_connection_string=storm.storage,
        teacher_url="",
        azureml_url="",
        azure_openai_url="",
        function_key=storm.secrets["function_key"],
        reader_key=storm.secrets["reader_key"],
        master_key=storm.secrets["master_key"],
        system_key=storm.secrets["system_key"],
    )
    endpoints.write(data_dir)
    rows = storm.folder / "rows.jsonl"
    rows.write_bytes(sums(45, 1000))
    lock = FileLock(data_dir / LOCK_FILE)
    assert lock.acquire(wait=False)
    try:
        command = [sys.executable, "-c", WITHOUT_INSTALLING, "run", "math", str(rows)]
        ended = subprocess.run(
            [*command, "--data-dir", str(data_dir)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    finally:
        lock.release()
    return ended.stdout + ended.stderr
