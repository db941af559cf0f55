"""Teachers and services of every kind: one that refuses `max_tokens`, one behind a company's proxy,
and the preflight of every student in the catalogue.

`python -m benchmarks.teachers`:

- token parameter: two worker processes ask a teacher that wants `max_completion_tokens`, without a
  preflight that would have learned it. No row may be lost, and each worker may waste one request
  for each that was in flight when it learned the name.
- proxy: the same rows by way of a forward proxy that demands a password, while the storage is
  reached without it. Every request must have passed the proxy.
- preflight: runs on the local host whose students are all those of the catalogue, of each backend,
  against the emulators of AzureML and Azure OpenAI. Each must get past preflight; its jobs are
  cancelled then.

Ends with exit code 1 when one of that doesn't hold.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import worker
from benchmarks.harness import host_answer, measured, serving, table, write_results, write_rows
from local.bootstrap import ROOT
from local.emulators.azurite import Azurite
from local.runtime.client import storage_client
from local.runtime.cloud import LocalCloud
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from shared.runs.status import TERMINAL
from shared.students.backends import AZURE_OPENAI, AZUREML, AZUREML_COMMAND
from shared.students.catalogue import STUDENTS, Student
from tests.support.forward_proxy import ForwardProxy, forward_proxy

ROWS, WORKERS, CONCURRENCY = 600, 2, 32
TEACHER = {"concurrency": CONCURRENCY, "max_tokens": 256}
LATENCY = ("--latency-ms", "50", "--latency-jitter", "50")
CREDENTIALS = ("user", "word")
POLL_SECONDS = 0.2
AFTER_PREFLIGHT = ("generate", "assemble", "finetune")
OWN_STUDENT = "Qwen/Qwen2.5-0.5B-Instruct"
HEAD = ["what", "of", "did", "needed", "besides", "most allowed"]


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        Azurite(None, log=Path(folder) / "azurite.log") as storage,
    ):
        write_rows(Path(folder) / "rows.jsonl", range(ROWS))
        results = [
            token_parameter(Path(folder), storage.connection_string),
            through_proxy(Path(folder), storage.connection_string),
        ]
    with tempfile.TemporaryDirectory() as folder:
        options = CloudOptions(data_dir=Path(folder) / "cloud")
        with LocalCloud(options, free_port()) as cloud:
            upload(cloud)
            results += [preflight(cloud, backend, models) for backend, models in backends().items()]
    print(table(HEAD, [_cells(result) for result in results]))
    write_results("teachers", {"rows": ROWS, "workers": WORKERS, "teacher": TEACHER}, results)
    problems = [problem for result in results for problem in broken(result)]
    for problem in problems:
        print(f"broken: {problem}", file=sys.stderr)
    return 1 if problems else 0


def token_parameter(folder: Path, storage: str) -> dict[str, Any]:
    """Rows delivered, and requests refused, by a teacher that refuses `max_tokens`."""
    log = folder / "token-parameter.log"
    with serving("local.emulators.teacher", *LATENCY, "--no-max-tokens", "--log", str(log)) as url:
        delivered = _delivered(folder, storage, url)
    records = _records(log)
    return {
        "what": "rows of a teacher that refuses `max_tokens`",
        "of": ROWS,
        "did": delivered,
        "needed": ROWS,
        "besides": sum(record["status"] == 400 for record in records),
        "besides_what": "requests refused",
        "most": WORKERS * CONCURRENCY,
    }


def through_proxy(folder: Path, storage: str) -> dict[str, Any]:
    """Rows delivered by way of a proxy, and requests that did not pass it."""
    log = folder / "proxy.log"
    with serving("local.emulators.teacher", *LATENCY, "--log", str(log)) as url, _proxy() as proxy:
        user, word = CREDENTIALS
        names = {"HTTP_PROXY": f"http://{user}:{word}@{proxy.address}", "NO_PROXY": "127.0.0.1"}
        # a name that isn't exempt, unlike the storage's
        url = url.replace("127.0.0.1", "localhost")
        delivered = _delivered(folder, storage, url, {**names, "no_proxy": names["NO_PROXY"]})
        passed = len(proxy.requests)
    return {
        "what": "rows by way of a proxy",
        "of": ROWS,
        "did": delivered,
        "needed": ROWS,
        "besides": len(_records(log)) - passed,
        "besides_what": "requests past the proxy",
        "most": 0,
    }


def backends() -> dict[str, list[str]]:
    """Return the models of the catalogue as users name them, by backend."""
    foundry = [student for student in STUDENTS if student.foundry]
    return {
        AZUREML: [student.asset for student in STUDENTS if student.asset],
        AZURE_OPENAI: [_foundry_name(student) for student in foundry],
        AZUREML_COMMAND: [OWN_STUDENT],
    }


def _foundry_name(student: Student) -> str:
    """Return the shortest of its ids: what users write before they know of others."""
    return min(student.foundry, key=len)


def preflight(cloud: LocalCloud, backend: str, models: Sequence[str]) -> dict[str, Any]:
    """How many of these students pass preflight, each in a run of its own."""
    failures: dict[str, str] = {}
    for model in models:
        body = {"task": "nli", "train": TRAIN, "student": {"backend": backend, "model": model}}
        run_id = host_answer(cloud, "POST", "/api/runs", body)["id"]
        view = _past_preflight(cloud, run_id)
        if view["status"] in TERMINAL:
            failures[model] = f"{view['status']}: {view['error']}"
        else:
            host_answer(cloud, "POST", f"/api/runs/{run_id}/cancel", {})
    return {
        "what": f"preflights of `{backend}`",
        "of": len(models),
        "did": len(models) - len(failures),
        "needed": len(models),
        "besides": 0,
        "besides_what": "",
        "most": 0,
        "failures": failures,
    }


TRAIN = "datasets/teachers/train.jsonl"


def upload(cloud: LocalCloud) -> None:
    """Write the sample of the runs that only have to get past preflight."""
    container, _, name = TRAIN.partition("/")
    with storage_client(cloud.endpoints.storage_connection_string) as storage:
        content = (ROOT / "samples" / "nli" / "train.jsonl").read_bytes()
        storage.get_blob_client(container, name).upload_blob(content, overwrite=True)


def broken(result: Mapping[str, Any]) -> list[str]:
    """Return what doesn't hold."""
    problems = [f"{model}: {problem}" for model, problem in result.get("failures", {}).items()]
    if result["did"] != result["needed"]:
        problems.append(f"{result['what']}: {result['did']} of {result['needed']}")
    if result["besides"] > result["most"]:
        problems.append(f"{result['what']}: {result['besides']} {result['besides_what']}")
    return problems


def _cells(result: Mapping[str, Any]) -> list[object]:
    has_more = bool(result["besides_what"])
    besides = f"{result['besides']} {result['besides_what']}" if has_more else ""
    most = result["most"] if has_more else ""
    return [result["what"], result["of"], result["did"], result["needed"], besides, most]


def _delivered(
    folder: Path, storage: str, url: str, environment: Mapping[str, str] | None = None
) -> int:
    """Have the workers answer all rows, and return how many the dataset has."""
    arguments = ["--input", str(folder / "rows.jsonl"), "--rows-per-shard", "50"]
    arguments += ["--teacher", json.dumps(TEACHER)]
    planned = measured(worker.start("plan", storage, url, *arguments))
    queue = worker.queue_of(planned["shards"])
    run = ("--run", planned["run"])
    processes = [
        worker.start("work", storage, url, *run, "--queue", queue=queue, environment=environment)
        for _ in range(WORKERS)
    ]
    os.close(queue)
    for process in processes:
        measured(process)
    output = folder / "questions.txt"
    return measured(worker.start("finish", storage, url, *run, "--output", str(output)))["rows"]


def _records(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@contextmanager
def _proxy() -> Generator[ForwardProxy]:
    """Serve a proxy in a thread, while the workers are waited for."""
    started: list[ForwardProxy] = []
    is_up, is_done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with forward_proxy(credentials=CREDENTIALS) as proxy:
            started.append(proxy)
            is_up.set()
            await asyncio.to_thread(is_done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    is_up.wait()
    try:
        yield started[0]
    finally:
        is_done.set()
        thread.join()


def _past_preflight(cloud: LocalCloud, run_id: str) -> dict[str, Any]:
    """Return a run's view once it has ended, or is at a stage after preflight.

    A run that fails shows the stage `report` before it has ended.
    """
    while True:
        view = host_answer(cloud, "GET", f"/api/runs/{run_id}", None)
        if view["status"] in TERMINAL or view.get("stage") in AFTER_PREFLIGHT:
            return view
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
