"""Runs whose every door is used at the wrong moment, and what must hold afterwards.

`python -m tests.chaos.doors --seeds 0:10 --runs 6`. Each run draws, by its seed and number, what
happens to it at which moment: odd and unknown events to the run and its parts, changes of pace,
pauses, cancellations and terminations, bursts of requests that resume it, with and without changes,
Durable's restarts and rewinds, also of parts, and kills of the host between them.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.kills import APPEND_SECONDS
from local.cli.verification import check_run
from local.emulators.azureml.server import DATABASE
from local.emulators.azureml.store import Store
from local.runtime.client import download_outputs, storage_client
from local.runtime.ports import LOOPBACK
from shared.core.paths import RunPaths
from shared.runs.status import TERMINAL
from tests.chaos.storm import CONCURRENCY, FLUSHED_SECONDS, LATENCY_SECONDS, Storm
from tests.support.app import sums
from tests.support.azureml import ask

ROWS = 60
ROWS_PER_SHARD = 10
BURST = 5
ACTS = 6
PATIENCE_SECONDS = 240.0
STUCK_SECONDS = 60.0  # without an end, after which the run is cancelled
LEASE_PATIENCE_SECONDS = 90.0
ODD: list[Any] = [
    *(-5, 0, 10**9, 10**40, -1e308, True, None, 2.5, "x", "ü" * 30_000, [1], {}),
    {"parallel_shards": -1},
    {"student": -1, "job": None},
    {"student": 10**30, "job": {"job": "x", "status": "running", "service_status": "x"}},
    {
        "student": 0,
        "job": {
            "job": "x" * 9000,
            "status": "running",
            "service_status": "x",
            "metrics": {"loss": 1e308, "eval": -1e308, "": 0},
        },
    },
]
STAGES = ("scan", "queue", "preflight", "generate", "assemble", "finetune")
EVENTS = ("concurrency", "finetune", "turn", "nobody-knows-this", "CONCURRENCY")


@dataclass
class Outcome:
    """What became of the runs of one seed. `problems`: promises that don't hold."""

    seed: int
    acts: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[int] = field(default_factory=Counter[int])
    problems: list[str] = field(default_factory=list[str])
    kills: list[float] = field(default_factory=list[float])
    """When the host was killed, as the clock has it."""
    jobs: int = 0
    rounds: int = 0
    asked_again: int = 0
    allowed: int = 0
    seconds: float = 0.0


class Doors:
    """One cloud, and what happens at its doors."""

    def __init__(self, storm: Storm, outcome: Outcome, kills: int) -> None:
        self.storm = storm
        self.outcome = outcome
        self.kills_left = kills
        self.killing = threading.Lock()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and body of an answer; a host that is being killed is asked again."""
        host = f"http://{LOOPBACK}:{self.storm.port('host')}"
        headers = {"x-functions-key": self.storm.secrets["function_key"]}
        if path.startswith("/runtime"):
            headers = {"x-functions-key": self.storm.secrets["system_key"]}
        if body is not None:
            headers["Content-Type"] = "application/json"
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                status, answer, _ = ask(f"{host}{path}", method, body, **headers)
            except (OSError, ValueError):
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.3)
                continue
            self.outcome.statuses[status] += 1
            if status >= 500:
                self.outcome.problems.append(
                    f"{method} {path.partition('?')[0]}: {status} {answer}"
                )
            return status, answer

    def view(self, run_id: str) -> dict[str, Any]:
        status, view = self.ask("GET", f"/api/runs/{run_id}")
        return view if status == 200 else {"status": "unknown", "stage": ""}

    def durable(self, instance_id: str, operation: str, query: str = "") -> int:
        """Return the status of an operation of Durable's own API."""
        path = f"/runtime/webhooks/durabletask/instances/{instance_id}/{operation}?{query}"
        return self.ask("POST", path, "odd" if operation == "none" else None)[0]

    def raise_event(self, instance_id: str, name: str, data: Any) -> None:
        path = f"/runtime/webhooks/durabletask/instances/{instance_id}/raiseEvent/{name}"
        self.ask("POST", path, json.dumps(data).encode())

    def kill_host(self) -> None:
        with self.killing:
            if self.kills_left:
                self.kills_left -= 1
                self.outcome.kills.append(time.time())
                self.storm.kill("host")


class Scenario:
    """What happens to one run."""

    def __init__(
        self, doors: Doors, number: int, lottery: random.Random, folder: Path, acts: int
    ) -> None:
        self.doors = doors
        self.number = number
        self.acts = acts
        self.lottery = lottery
        self.problems: list[str] = []
        self.content = sums(ROWS, number * 1000)
        self.train = folder / f"{number}.jsonl"
        self.train.write_bytes(self.content)
        self.run_id = ""

    def play(self) -> None:
        """Start the run, harm it, and bring it to its end."""
        self._start()
        acts: list[Callable[[], None]] = [
            self._raise_odd_events,
            self._change_pace,
            self._pause,
            self._cancel,
            self._terminate,
            self._use_durables_doors,
            self.doors.kill_host,
        ]
        left: list[Callable[[], None]] = []
        for _ in range(self.acts):
            if not left:
                left = self.lottery.sample(acts, len(acts))
            act = left.pop()
            self.doors.outcome.acts[act.__name__.strip("_")] += 1
            self._wait()
            act()
        self._complete()

    def _start(self) -> None:
        name = f"doors-{self.number}"
        with storage_client(self.doors.storm.storage) as storage:
            blob = storage.get_blob_client("datasets", f"elsewhere/{name}.jsonl")
            blob.upload_blob(self.content, overwrite=True)
        spec: dict[str, Any] = {
            "task": "math",
            "name": name,
            "train": f"datasets/elsewhere/{name}.jsonl",
            "teacher": {"concurrency": CONCURRENCY, "timeout_seconds": 20},
            "generation": {"rows_per_shard": ROWS_PER_SHARD, "parallel_shards": 3},
        }
        status, started = self.doors.ask("POST", "/api/runs", spec)
        assert status == 202, started
        self.run_id = started["id"]

    def _wait(self) -> None:
        """Let a moment pass, of any length, or until the run is in some stage."""
        if self.lottery.random() < 0.5:
            time.sleep(self.lottery.uniform(0.05, 3))
            return
        stage = self.lottery.choice(STAGES)
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            view = self.doors.view(self.run_id)
            if view["stage"] == stage or view["status"] in TERMINAL:
                return
            time.sleep(0.1)

    # Acts

    def _raise_odd_events(self) -> None:
        parts = ("", ":generate:train", ":finetune", ":scan")
        for _ in range(8):
            instance_id = self.run_id + self.lottery.choice(parts)
            name = self.lottery.choice(EVENTS)
            self.doors.raise_event(instance_id, name, self.lottery.choice(ODD))

    def _change_pace(self) -> None:
        shards = self.lottery.choice([1, 2, 8, -3, 10**9, "x", None])
        path = f"/api/runs/{self.run_id}/concurrency"
        self.doors.ask("POST", path, {"parallel_shards": shards})

    def _pause(self) -> None:
        self.doors.ask("POST", f"/api/runs/{self.run_id}/pause")
        self._wait_until(lambda view: view["status"] in {"suspended", *TERMINAL})
        time.sleep(self.lottery.uniform(0, 2))
        self._resume_in_a_burst()

    def _cancel(self) -> None:
        self.doors.ask("POST", f"/api/runs/{self.run_id}/cancel")
        if self.lottery.random() < 0.3:
            self.doors.kill_host()
        self._wait_until(lambda view: view["status"] in TERMINAL)
        self._resume_in_a_burst()

    def _terminate(self) -> None:
        self.doors.durable(self.run_id, "terminate", "reason=storm")
        self._wait_until(lambda view: view["status"] in TERMINAL)
        self._resume_in_a_burst()

    def _use_durables_doors(self) -> None:
        parts = ("", "", ":generate:train", ":finetune", ":scan")
        for _ in range(3):
            instance_id = self.run_id + self.lottery.choice(parts)
            operation = self.lottery.choice(["restart", "restart", "rewind"])
            in_place = self.lottery.choice(["true", "false"])
            self.doors.durable(instance_id, operation, f"restartWithNewInstanceId={in_place}")

    # Resuming

    def _resume_in_a_burst(self) -> None:
        """Resume by several requests at a time. If the run has ended, exactly one may count."""
        has_ended = self.doors.view(self.run_id)["status"] in TERMINAL
        has_changes = self.lottery.random() < 0.6
        limits = [100_000 + self.lottery.randrange(1000) * 5 + place for place in range(BURST)]
        if self.lottery.random() < 0.3:
            timer = threading.Timer(self.lottery.uniform(0, 0.5), self.doors.kill_host)
            timer.start()
        kills = len(self.doors.outcome.kills)

        def resume(limit: int) -> int:
            changes = {"budget": {"max_requests": limit}} if has_changes else None
            return self.doors.ask("POST", f"/api/runs/{self.run_id}/resume", changes)[0]

        with ThreadPoolExecutor(BURST) as clients:
            statuses = list(clients.map(resume, limits))
        counted = statuses.count(202)
        # a request whose host was killed is sent again, and the lease of a killed one is held
        if len(self.doors.outcome.kills) != kills:
            return
        if set(statuses) - {202, 409}:
            self._problem(f"resumed with {statuses}")
        if has_ended and counted > 1:
            self._problem(f"{counted} of {BURST} requests resumed the run: {statuses}")
        if has_changes and counted == 1:
            self._check_changes(limits[statuses.index(202)])

    def _check_changes(self, limit: int) -> None:
        """Only what the request that counted wanted may have an effect."""
        kept = self._request()["changes"].get("budget", {}).get("max_requests")
        if kept != limit:
            self._problem(f"max_requests is {kept}, but the request that counted wanted {limit}")

    def _complete(self) -> None:
        """Bring the run to its end, as a patient user would."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        since = time.monotonic()
        seen: Any = None
        while time.monotonic() < give_up:
            view = self.doors.view(self.run_id)
            now = (view["status"], view["stage"], json.dumps(view.get("splits")))
            if now != seen:
                seen, since = now, time.monotonic()
            if view["status"] == "completed":
                self._check(view)
                return
            if view["status"] in {"suspended", *TERMINAL}:
                self.doors.ask("POST", f"/api/runs/{self.run_id}/resume")
            elif time.monotonic() - since > STUCK_SECONDS:
                self._problem(f"nothing happened for {STUCK_SECONDS:g} s in {now}")
                self.doors.ask("POST", f"/api/runs/{self.run_id}/cancel")
                since = time.monotonic()
            time.sleep(1)
        self._problem(f"the run didn't complete: {seen}, {self.doors.view(self.run_id)['error']}")

    def _wait_until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        give_up = time.monotonic() + LEASE_PATIENCE_SECONDS
        while time.monotonic() < give_up:
            if condition(self.doors.view(self.run_id)):
                return
            time.sleep(0.2)
        self._problem(f"it didn't end or pause: {self.doors.view(self.run_id)['status']}")

    # Promises

    def _check(self, view: dict[str, Any]) -> None:
        files = self.train.with_suffix("")
        with storage_client(self.doors.storm.storage) as storage:
            download_outputs(storage, self.run_id, files)
            for problem in check_run(view, {"train": self.train}, files):
                self._problem(problem)
            container = storage.get_container_client("runs")
            for blob in container.list_blobs(name_starts_with=f"{self.run_id}/shards/"):
                content = container.download_blob(blob.name).readall()
                records = [json.loads(line) for line in content.splitlines()]
                moments = Counter(
                    (record["line"], record.get("round", 0), record.get("checked", 0))
                    for record in records
                )
                twice = [moment for moment, count in moments.items() if count > 1]
                if twice:
                    self._problem(f"{blob.name} has lines twice: {twice[:5]}")
        self.doors.outcome.rounds += self._request()["round"] + 1

    def _request(self) -> dict[str, Any]:
        with storage_client(self.doors.storm.storage) as storage:
            blob = storage.get_blob_client("runs", RunPaths(self.run_id).request)
            return json.loads(blob.download_blob().readall())

    def _problem(self, problem: str) -> None:
        self.problems.append(f"{self.run_id}: {problem}")


def play(folder: Path, seed: int, *, runs: int, kills: int, acts: int = ACTS) -> Outcome:
    """Play these many runs at a time, and return what doesn't hold."""
    began = time.monotonic()
    outcome = Outcome(seed)
    storm = Storm(folder, seed)
    if seed % 2:
        storm.settings["MAX_ACTIVE_RUNS"] = str(max(1, runs - 1))
    with storm.running():
        storm.calm()
        doors = Doors(storm, outcome, kills)
        scenarios = [
            Scenario(doors, number, random.Random(f"{seed}/{number}"), folder, acts)
            for number in range(1, runs + 1)
        ]
        with ThreadPoolExecutor(runs) as players:
            for scenario, played in [(each, players.submit(each.play)) for each in scenarios]:
                error = played.exception()
                if error is not None:
                    scenario.problems.append(f"{scenario.run_id}: {type(error).__name__}: {error}")
        for scenario in scenarios:
            outcome.problems += scenario.problems
    outcome.problems += _jobs_at_a_time(folder, outcome, [each.run_id for each in scenarios])
    _count_requests(storm.teacher_log, outcome)
    if outcome.asked_again > outcome.allowed:
        outcome.problems.append(
            f"{outcome.asked_again} answers were bought twice, kills explain {outcome.allowed}"
        )
    outcome.seconds = time.monotonic() - began
    return outcome


def _count_requests(log: Path, outcome: Outcome) -> None:
    """Count answers to questions that had been answered, and what the kills excuse of them.

    They excuse what was in flight, or answered but not written yet. Preflights ask the same.
    """
    answered: Counter[str] = Counter()
    for line in log.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        answered[record["request"]] += record["status"] == 200
        late = LATENCY_SECONDS + APPEND_SECONDS
        outcome.allowed += any(
            moment - FLUSHED_SECONDS <= record["time"] <= moment + late for moment in outcome.kills
        )
    preflight = max(answered.values(), default=0)
    again = [count - 1 for count in answered.values() if count > 1 and count != preflight]
    outcome.asked_again = sum(again)


def _jobs_at_a_time(folder: Path, outcome: Outcome, run_ids: list[str]) -> list[str]:
    """Return the runs that had two jobs at a time, from the emulator's own records."""
    store = Store(folder / "cloud" / "azureml" / DATABASE)
    with closing(store):
        jobs = store.jobs()
    outcome.jobs = len(jobs)
    problems: list[str] = []
    for run_id in run_ids:
        own = sorted(
            (job for job in jobs if job.name.startswith(run_id)), key=lambda job: job.created
        )
        for first, second in pairwise(own):
            if not first.is_terminal or second.created < first.statuses[-1].at:
                problems.append(f"{second.name} was submitted while {first.name} was running")
    return problems


def main() -> int:
    flags = argparse.ArgumentParser(
        prog="python -m tests.chaos.doors", description=(__doc__ or "").splitlines()[0]
    )
    flags.add_argument("--seeds", default="0:3", help="FIRST:END, or one seed")
    flags.add_argument("--runs", type=int, default=4, help="at a time")
    flags.add_argument("--kills", type=int, default=3, help="of the host, at most")
    flags.add_argument("--keep", type=Path, help="folder that keeps what each storm has left")
    given = flags.parse_args()
    first, _, end = given.seeds.partition(":")
    failed = 0
    for seed in range(int(first), int(end or int(first) + 1)):
        with tempfile.TemporaryDirectory() as temporary:
            folder = (given.keep or Path(temporary)) / f"doors-{seed}"
            folder.mkdir(parents=True)
            outcome = play(folder, seed, runs=given.runs, kills=given.kills)
        failed += bool(outcome.problems)
        acts = ", ".join(f"{count} × {act}" for act, count in sorted(outcome.acts.items()))
        sys.stdout.write(
            f"seed {seed}: {outcome.seconds:.0f} s, {len(outcome.kills)} kills, {acts}; "
            f"{outcome.rounds} rounds, {outcome.jobs} jobs, answers {dict(outcome.statuses)}, "
            f"{outcome.asked_again} of {outcome.allowed} asked again: "
            f"{'; '.join(outcome.problems) or 'holds'}\n"
        )
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
