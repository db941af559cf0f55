"""A run of the whole app while its host, its storage and its teacher are killed and unwell, and
what must hold afterwards.

`python -m tests.chaos --seeds 0:50`. Each seed draws its own storm: kills of the host, of Azurite
and of the teacher, shards executed by a second worker at the same time, the dataset's event
delivered again, a wall clock of the host that jumps either way, storage that answers 503 or 412 or
breaks connections before and after it has done its work. A storm has an end, so that a run can have
one.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import re
import secrets
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import worker
from local.bootstrap import ROOT
from local.cli.verification import check_run
from local.emulators.azurite import Azurite
from local.emulators.echo import spellings
from local.runtime import services
from local.runtime.children import Child
from local.runtime.client import download_outputs, make_containers, storage_client, upload_dataset
from local.runtime.cloud import read_keys
from local.runtime.options import CloudOptions
from local.runtime.ports import LOOPBACK, PortBook
from local.runtime.services import Addresses, Service
from local.runtime.supervisor import READY_SECONDS, answers
from shared.dataset.rows import as_jsonl
from shared.runs.status import TERMINAL
from tests.support.azureml import ask

ROWS, ROWS_PER_SHARD, CONCURRENCY, LATENCY_SECONDS = 480, 20, 8, 0.3
STORM_SECONDS, PATIENCE_SECONDS = 25.0, 240.0
FAULT_RATE = 0.06
HOSTILE_FAULT_RATE = 0.02  # enough for errors that quote keys
SECOND_TEACHER = "second-teacher"
INDEX_SECONDS = 6.0  # after which Azurite has written down what it has confirmed
CLOCK_FORWARD_SECONDS, CLOCK_BACK_SECONDS = (
    120.0,
    15.0,
)  # of one jump: after one back, timers are due so much later
CLOCK_OFF_SECONDS = (
    600.0  # in all: a storage account refuses clocks that are off by a quarter of an hour
)
FLUSHED_SECONDS = 2.0  # answers of the last second, and what a flush takes
BAD_LINES = (b"{", b"[]", b'{"messages": []}')


@dataclass
class Outcome:
    """What became of one storm. `problems`: invariants that do not hold."""

    seed: int
    acts: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    asked_again: int = 0
    seconds: float = 0.0


class Storm:
    """The processes of one local cloud, with the proxy between the app and its storage, and the
    means to harm them.
    """

    def __init__(self, folder: Path, seed: int, *, hostile: bool = False) -> None:
        """With `hostile`, every service quotes the keys that the app has or sends."""
        self.folder, self.lottery = folder, random.Random(seed)
        self.teacher_log = folder / "teacher.jsonl"
        self.hostile = hostile
        account_key = base64.b64encode(secrets.token_bytes(64)).decode()
        self.secrets = {
            "teacher": f"sk-+/={secrets.token_hex(16)}",
            "second teacher": f"sk-{secrets.token_urlsafe(24)}",
            "Azure OpenAI": secrets.token_hex(16),
            "storage": account_key,
            "proxy": secrets.token_urlsafe(16),
            "identity": secrets.token_hex(16),
        }
        self.key_file = folder / "account-key"
        self.key_file.parent.mkdir(parents=True, exist_ok=True)
        self.key_file.write_text(account_key, encoding="ascii")
        echoing = ("--echo-keys",) if hostile else ()
        self._options = CloudOptions(
            data_dir=folder / "cloud",
            teacher_options=(
                f"--latency-ms={LATENCY_SECONDS * 1000}",
                f"--log={self.teacher_log}",
                f"--seed={seed}",
                f"--model={SECOND_TEACHER}",
                *(("--echo-rate=0.5",) if hostile else ("--error-rate=0.03", "--reset-rate=0.02")),
            ),
            azureml_options=("--pace=1", *echoing),
            openai_options=("--pace=1", *echoing),
            openai_key=self.secrets["Azure OpenAI"],
        )
        self._book = PortBook(folder / "ports.json")
        self._azurite = Azurite(
            folder / "azurite",
            log=folder / "azurite.log",
            ports=self._book,
            account_key=account_key,
        )
        self._ports = self._book.claim(["teacher", "azureml", "azure_openai", "proxy", "host"])
        self._children: dict[str, Child] = {}
        self._clock_off, self._clock = 0.0, folder / "clock"
        fault_rate = HOSTILE_FAULT_RATE if hostile else FAULT_RATE
        self._proxy_flags = ["--fault-rate", str(fault_rate), "--seed", str(seed)]
        self._echo_flags = ["--echo-key-file", str(self.key_file)] if hostile else []
        self.kills = 0
        self.settings: dict[str, str] = {}
        """Further settings of the host."""

    @contextmanager
    def running(self) -> Generator[None]:
        try:
            self._set_clock(0.0)
            self._azurite.start()
            make_containers(self._azurite.connection_string)
            fine_tuning = ["azureml", "azure_openai"] if self.hostile else ["azureml"]
            for name in ("proxy", "teacher", *fine_tuning, "host"):
                self._start(name)
            self.secrets |= {
                name: key
                for name, key in read_keys(self._options.data_dir).items()
                if name != "encryption"
            }
            yield
        finally:
            for child in [*reversed(self._children.values()), self._azurite.child]:
                child.stop()

    def port(self, name: str) -> int:
        return self._ports[name]

    def kill(self, name: str) -> None:
        """`kill -9`, and after a moment a new start."""
        _kill(self._children[name])
        time.sleep(self.lottery.uniform(0, 2))
        self._start(name)
        self.kills += 1

    def kill_storage(self) -> None:
        """Connections break wherever they are, and for some seconds there is no storage; then
        Azurite is killed.

        It writes its index down only every 5 s, and a write that it has confirmed and then forgets
        is what no storage account does: so it is left alone for so long first.
        """
        _kill(self._children["proxy"])
        time.sleep(INDEX_SECONDS)
        _kill(self._azurite.child)
        self._azurite.start()
        self._start("proxy")

    def jump_clock(self) -> None:
        """The host's wall clock is set anew, forward or back, as its processes see it."""
        step = self.lottery.choice(
            [
                self.lottery.uniform(1, CLOCK_FORWARD_SECONDS),
                -self.lottery.uniform(1, CLOCK_BACK_SECONDS),
            ]
        )
        self._set_clock(max(-CLOCK_OFF_SECONDS, min(self._clock_off + step, CLOCK_OFF_SECONDS)))
        host = self._children["host"].pid
        assert host
        os.kill(host, signal.SIGUSR1)

    def _set_clock(self, off: float) -> None:
        self._clock_off = off
        self._clock.write_text(str(off), encoding="ascii")

    def calm(self) -> None:
        """The storage is well again."""
        self._proxy_flags = []
        self._children["proxy"].stop()
        self._start("proxy")

    def deliver_again(self, path: str) -> None:
        headers = {"x-functions-key": self.secrets["master_key"]}
        self.ask("POST", "/admin/functions/dataset_uploaded", {"input": path}, headers)

    def second_worker(self, run_id: str) -> None:
        """Shards executed by another process at the same time, as an activity that was delivered
        twice.
        """
        teacher = f"http://{LOOPBACK}:{self._ports['teacher']}/v1"
        with (self.folder / "second-worker.log").open(
            "ab"
        ) as log:  # where there is no plan yet, it has nothing to do
            process = worker.start("work", self._storage, teacher, "--run", run_id, log=log)
            time.sleep(self.lottery.uniform(1, 4))
            process.kill()
            process.communicate()
        self.kills += 1

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and body; (0, None) while nobody answers."""
        key = {"x-functions-key": self.secrets.get("function_key", "")}
        given = {"Content-Type": "application/json", **key, **(headers or {})}
        with contextlib.suppress(OSError, ValueError):
            status, answer, _ = ask(
                f"http://{LOOPBACK}:{self._ports['host']}{path}", method, body, **given
            )
            return status, answer
        return 0, None

    @property
    def storage(self) -> str:
        """Connection string of the storage itself."""
        return self._azurite.connection_string

    @property
    def _storage(self) -> str:
        """That of the app: blobs through the proxy."""
        blob = re.escape(self._azurite.url("blob"))
        return re.sub(
            blob,
            f"http://{LOOPBACK}:{self._ports['proxy']}/devstoreaccount1",
            self._azurite.connection_string,
        )

    def _start(self, name: str) -> None:
        service = self._service(name)
        child = Child(
            name,
            service.command,
            self.folder / f"{name}.log",
            environment=service.environment,
            folder=ROOT,
        )
        self._children[name] = child
        child.start()
        child.wait_until(service.ready, READY_SECONDS)

    def _service(self, name: str) -> Service:
        ports, addresses = self._ports, self._addresses()
        if name == "teacher":
            return services.teacher(
                self._options, ports["teacher"], services.child_environment(addresses)
            )
        if name == "azureml":
            direct = Addresses(**{**_fields(addresses), "storage": self._azurite.connection_string})
            return services.azureml(
                self._options, ports["azureml"], services.child_environment(direct)
            )
        if name == "host":
            settings = services.host_settings(self._options, addresses, os.environ)
            settings["TEACHER_API_KEY"] = self.secrets["teacher"]
            settings |= self.settings
            if self.hostile:
                settings |= self._further_keys(settings.pop("TEACHER_BASE_URL"))
            host = services.host(self._options, ports["host"], settings)
            jumping = [*_python("tests.chaos.jumping_clock"), str(self._clock)]
            return replace(host, command=[*jumping, *host.command[2:]])
        if name == "azure_openai":
            return services.azure_openai(
                self._options, ports["azure_openai"], services.child_environment(addresses)
            )
        target = self._azurite.url("blob").rpartition("/")[0]
        command = [
            *_python("tests.support.storage_proxy"),
            "--port",
            str(ports["proxy"]),
            "--target",
            target,
            "--lifeline",
        ]
        return Service(
            name="proxy",
            command=[*command, *self._proxy_flags, *self._echo_flags],
            environment={**os.environ, "PYTHONUNBUFFERED": "1"},
            ready=lambda: "storage proxy at" in self._children["proxy"].output(),
        )

    def _further_keys(self, teacher_url: str) -> dict[str, str]:
        """Return settings with keys: two deployments of the teacher, an unused proxy."""
        second = {
            "base_url": teacher_url,
            "model": SECOND_TEACHER,
            "api_key_setting": "SECOND_TEACHER_API_KEY",
        }
        proxy = f"http://user:{self.secrets['proxy']}@{LOOPBACK}:9"
        return {
            "TEACHER_ENDPOINTS": json.dumps([{"base_url": teacher_url}, second]),
            "SECOND_TEACHER_API_KEY": self.secrets["second teacher"],
            "HTTP_PROXY": proxy,
            "HTTPS_PROXY": proxy,
        }

    def _addresses(self) -> Addresses:
        return Addresses(
            storage=self._storage,
            teacher_url=f"http://{LOOPBACK}:{self._ports['teacher']}/v1",
            azureml_url=f"http://{LOOPBACK}:{self._ports['azureml']}",
            openai_url=f"http://{LOOPBACK}:{self._ports['azure_openai']}/openai/v1",
            identity_header=self.secrets["identity"],
        )


def weather(folder: Path, seed: int) -> Outcome:
    """One storm over one run, and what does not hold after it."""
    storm, outcome, began = Storm(folder, seed), Outcome(seed), time.monotonic()
    data = dataset(storm.lottery)
    train = folder / "train.jsonl"
    train.parent.mkdir(parents=True, exist_ok=True)
    train.write_bytes(data)
    spec = folder / "run.json"
    spec.write_text(json.dumps(SPEC), encoding="utf-8")
    with storm.running():
        with storage_client(storm.storage) as storage:
            run_id = upload_dataset(
                storage, "math", "storm", {"train.jsonl": train, "run.json": spec}
            )
        view = _blow(storm, run_id, outcome)
        with storage_client(storm.storage) as storage:
            files = folder / "outputs"
            with contextlib.suppress(Exception):  # what is missing is told below
                download_outputs(storage, run_id, files)
            outcome.problems += _check(storm, storage, run_id, view, train, files)
    outcome.asked_again, allowed = _asked_again(storm.teacher_log), _allowed(storm.kills)
    if outcome.asked_again > allowed:
        outcome.problems.append(
            f"{outcome.asked_again} answers were bought twice, {allowed} is what kills explain"
        )
    outcome.problems += leaks(storm)
    outcome.seconds = time.monotonic() - began
    return outcome


SPEC: dict[str, Any] = {
    "teacher": {"concurrency": CONCURRENCY, "timeout_seconds": 20},
    "generation": {"rows_per_shard": ROWS_PER_SHARD, "parallel_shards": 4},
}


def dataset(lottery: random.Random) -> bytes:
    """Word problems that the local teacher can solve, some of them broken, some twice."""
    numbers = [lottery.randrange(1000) for _ in range(ROWS)]
    system = {"role": "system", "content": "Solve the problem. Give the final number."}
    rows = [
        as_jsonl(
            [{"messages": [system, {"role": "user", "content": f"What is {number} + {place}?"}]}]
        ).strip()
        for place, number in enumerate(numbers)
    ]
    for _ in range(6):
        rows[lottery.randrange(ROWS)] = lottery.choice([*BAD_LINES, rows[0]])
    return b"\n".join(rows) + b"\n"


def _blow(storm: Storm, run_id: str, outcome: Outcome) -> dict[str, Any] | None:
    """Harm this and that, then wait for the run's end. Its last view."""
    path = "datasets/math/storm/train.jsonl"
    acts: dict[str, Callable[[], None]] = {
        "kill host": lambda: storm.kill("host"),
        "kill storage": storm.kill_storage,
        "kill teacher": lambda: storm.kill("teacher"),
        "jump clock": storm.jump_clock,
        "kill proxy": lambda: storm.kill("proxy"),
        "deliver again": lambda: storm.deliver_again(path),
        "second worker": lambda: storm.second_worker(run_id),
    }
    end = time.monotonic() + STORM_SECONDS
    left: list[str] = []  # of which each has its turn before one comes again
    while time.monotonic() < end:
        time.sleep(storm.lottery.uniform(0.3, 3))
        if not left:
            left = [*acts, "kill host"]
            storm.lottery.shuffle(left)
        name = left.pop()
        outcome.acts.append(name)
        acts[name]()
    storm.calm()
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        status, view = storm.ask("GET", f"/api/runs/{run_id}")
        if status == 200 and view["status"] in TERMINAL:
            storm.deliver_again(path)  # late
            time.sleep(1)
            return view
        time.sleep(0.5)
    return None


def _check(
    storm: Storm, storage: Any, run_id: str, view: dict[str, Any] | None, train: Path, files: Path
) -> list[str]:
    if view is None:
        return [f"the run has not ended after {PATIENCE_SECONDS:g} s"]
    problems = check_run(view, {"train": train}, files)
    _, page = storm.ask("GET", "/api/runs?prefix=math-storm-&limit=10")
    found = [run["id"] for run in page["runs"]] if page else []
    if found != [run_id]:
        problems.append(f"runs of one version: {found}")
    container = storage.get_container_client("runs")
    for blob in container.list_blobs(name_starts_with=f"{run_id}/shards/"):
        records = [
            json.loads(line) for line in container.download_blob(blob.name).readall().splitlines()
        ]
        twice = [
            line
            for line, count in Counter(record["line"] for record in records).items()
            if count > 1
        ]
        if twice:
            problems.append(f"{blob.name} has lines twice: {twice[:5]}")
    return problems + _order(train, files)


def _order(train: Path, files: Path) -> list[str]:
    """The output's questions are the input's, in its order, and each answer is that of its
    question.
    """
    if not (files / "train.jsonl").is_file():
        return []
    given = [line for line in train.read_text(encoding="utf-8").splitlines() if '"user"' in line]
    asked = [json.loads(line)["messages"][-1]["content"] for line in given]
    problems: list[str] = []
    place = -1
    for line in (files / "train.jsonl").read_text(encoding="utf-8").splitlines():
        messages = json.loads(line)["messages"]
        question, answer = messages[-2]["content"], messages[-1]["content"]
        try:
            place = asked.index(question, place + 1)
        except ValueError:
            problems.append(f"{question!r} is out of order")
        first, second = map(int, re.findall(r"\d+", question))
        if str(first + second) not in answer:
            problems.append(f"{question!r} was answered {answer!r}")
    return problems[:5]


def _asked_again(log: Path) -> int:
    """Requests that were answered in full and sent once more.

    The preflight asks the same each time.
    """
    records = [
        json.loads(line)
        for line in log.read_text(encoding="utf-8").splitlines()
        if line.endswith("}")
    ]
    answered = Counter(record["request"] for record in records if record["status"] == 200)
    counts = sorted((count - 1 for count in answered.values()), reverse=True)
    return sum(counts) - (counts[0] if counts and counts[0] > 3 else 0)


def _allowed(kills: int) -> int:
    """Each kill may cost what was in flight and what was answered in the last second, of two
    workers at most.
    """
    return 2 * (kills + 1) * round(CONCURRENCY + FLUSHED_SECONDS * CONCURRENCY / LATENCY_SECONDS)


def leaks(storm: Storm) -> list[str]:
    """Files in which a secret stands that should not: whatever the app, its hub, its storage or its
    services have written.
    """
    own = {storm.folder / "cloud" / name for name in ("keys.json", "endpoints.json")}
    found: list[str] = []
    for path in storm.folder.rglob("*"):
        if path.is_file() and path not in {*own, storm.key_file} and path.suffix != ".lock":
            found += secrets_in(storm, path.name, _content(path))
    return found


def secrets_in(storm: Storm, place: str, content: bytes) -> list[str]:
    """Return which secrets the content holds, however they are spelled."""
    return [
        f"{place} holds the secret {name} as {spelled}"
        for name, secret in storm.secrets.items()
        for spelled in spellings(secret)
        if spelled.encode() in content
    ]


def _content(path: Path) -> bytes:
    """Return a file. The texts of a database may be spread over its pages, so each is read, too."""
    content = path.read_bytes()
    if not content.startswith(b"SQLite format 3"):
        return content
    with contextlib.closing(sqlite3.connect(path)) as database:
        return content + "\n".join(database.iterdump()).encode()


def _kill(child: Child) -> None:
    if child.pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
    child.stop()


def _fields(addresses: Addresses) -> dict[str, str]:
    return {
        name: getattr(addresses, name)
        for name in ("storage", "teacher_url", "azureml_url", "openai_url", "identity_header")
    }


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


__all__ = ["Outcome", "Storm", "answers", "leaks", "secrets_in", "weather"]
