"""How well a quota is used: a teacher that enforces requests or tokens a minute as Azure OpenAI
does, asked by one worker process and by three that share it unaware of each other: each takes the
next shard when it has room, as from a hub's queue.

`python -m benchmarks.quota`. Everything is counted from the teacher's own log, from the first
request's arrival on. The warm-up ends with the tenth second, or the twentieth where answers take
2 s:

- ramp: seconds until 95 % of the quota are used, over five seconds; not told of long periods.
- used: what the quota admitted after the warm-up, by what it still allowed then, up to the
  end of the last whole period in which every worker had rows left. A period is what the teacher
  counts in: what it allows may be used at once, so a period that was used up before the warm-up
  ended has nothing left to use.
- refused: refused by accepted requests, after the warm-up.
- time / bound: until the last answer, by the least that the quota allows: the last request can be
  admitted no sooner than the periods before it are used up. The rows fill whole periods and a
  little of the next one: nearly the same as rows by rate, which tests/support/quota_simulation.py
  takes, but no burst can be faster.

Ends with exit code 1 when a row is lost or asked for twice, or when a share or the time is not what
BOUNDS say.

With `--peers`, curator and distilabel ask for fewer rows under one of the quotas, with as many
requests at a time. They aren't told the quota either, and one that is not done in four minutes has
given up. Theirs is no reason for exit code 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import worker
from benchmarks.environment import PEERS, peer_python
from benchmarks.harness import measured, serving, start_contender, table, write_results, write_rows
from local.emulators.azurite import Azurite

MODEL = "local-teacher"
OURS, ANSWERS = "ours", "answers.jsonl"
SHARDS = (
    280  # of a run of minutes: each is as small a part of it as a real one is of a run of hours
)
CONCURRENCY = 64
WARM_SECONDS = 10
RAMP_SECONDS = 5
OWN_SECONDS, PEER_SECONDS, GRACE_SECONDS = 480, 240, 30
LEAST_USED, MOST_REFUSED, MOST_TIME = 0.95, 0.02, 1.1
BOUNDS = (
    f"at least {LEAST_USED:.0%} used, at most {MOST_REFUSED:.0%} refused, "
    f"time / bound at most {MOST_TIME}"
)
HEAD = [
    "quota",
    "who",
    "workers",
    "rows",
    "used",
    "refused",
    "time / bound",
    "ramp s",
    "peak MB",
    "rows lost",
    "asked twice",
    "ended",
]


@dataclass(frozen=True, slots=True)
class Quota:
    """What a teacher allows a minute, and the seconds of the periods that it shares that out
    over.
    """

    unit: str  # requests or tokens
    minute: int
    period: int

    @property
    def allowed(self) -> float:
        """In one period."""
        return self.minute * self.period / 60

    @property
    def options(self) -> list[str]:
        """The local teacher's."""
        return ["--tpm" if self.unit == "tokens" else "--rpm", str(self.minute)]

    def spent(self, record: dict[str, Any]) -> int:
        """What an admitted request takes of it."""
        return record["charged"] if self.unit == "tokens" else 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """A quota, and how it is asked.

    `rows` are for some whole periods and a little more (periods: see
    local/emulators/teacher/limits.py). `is_default`: neither the requests in flight nor the size of
    shards is set.
    """

    quota: Quota
    rows: int
    latency_ms: int = 500
    jitter_ms: int = 500
    warm_seconds: int = WARM_SECONDS
    is_default: bool = False

    @property
    def last_answers_seconds(self) -> float:
        """Before a worker's end: it has no row left to ask for."""
        return (self.latency_ms + self.jitter_ms) / 1000

    @property
    def rows_per_shard(self) -> list[str]:
        """The option of the planning worker."""
        return [] if self.is_default else ["--rows-per-shard", str(max(1, self.rows // SHARDS))]

    @property
    def teacher(self) -> dict[str, Any]:
        """That section of the run's specification."""
        return {"max_tokens": 256} | ({} if self.is_default else {"concurrency": CONCURRENCY})


SCENARIOS: dict[str, Scenario] = {
    "3,000 requests a minute": Scenario(Quota("requests", 3000, 1), 4510),
    "300 requests a minute": Scenario(Quota("requests", 300, 10), 460),
    "300,000 tokens a minute": Scenario(Quota("tokens", 300_000, 60), 2690),
    "10,000 requests a minute, 2 s latency, nothing set": Scenario(
        Quota("requests", 10_000, 1), 20_010, 2000, 0, warm_seconds=20, is_default=True
    ),
}
PEERS_SCENARIO = "3,000 requests a minute"


def main() -> int:
    flags = argparse.ArgumentParser(prog="python -m benchmarks.quota")
    flags.add_argument("--workers", type=int, nargs="+", default=[1, 3])
    flags.add_argument("--scenarios", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    flags.add_argument(
        "--peers", action="store_true", help=f"also run {' and '.join(PEERS)}: {PEERS_SCENARIO}"
    )
    flags.add_argument("--peer-rows", type=int, default=2000)
    options = flags.parse_args()
    scenarios = [
        (OURS, name, workers, SCENARIOS[name].rows)
        for name in options.scenarios
        for workers in options.workers
    ]
    peers = (
        [(peer, PEERS_SCENARIO, 1, options.peer_rows) for peer in PEERS] if options.peers else []
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Azurite(None, log=Path(folder) / "azurite.log") as storage,
    ):
        results = [
            compete(*each, Path(folder), storage.connection_string) for each in (*scenarios, *peers)
        ]
    write_results(
        "quota",
        {
            "concurrency": CONCURRENCY,
            "scenarios": {name: asdict(SCENARIOS[name]) for name in SCENARIOS},
        },
        results,
    )
    print(summary(results))
    problems = [problem for result in results for problem in broken(result)]
    for problem in problems:
        print(f"broken: {problem}", file=sys.stderr)
    if problems:
        print(f"wanted: every row once, {BOUNDS}", file=sys.stderr)
    return 1 if problems else 0


def compete(
    who: str, name: str, workers: int, count: int, folder: Path, storage: str
) -> dict[str, Any]:
    """One scenario, against a teacher of its own."""
    scenario = SCENARIOS[name]
    place = folder / f"{who}-{name}-{workers}"
    place.mkdir()
    log = place / "teacher.log"
    options = ["--latency-ms", str(scenario.latency_ms), "--log", str(log)]
    options += ["--latency-jitter", str(scenario.jitter_ms), *scenario.quota.options]
    with serving("local.emulators.teacher", *options) as url:
        write_rows(place / "rows.jsonl", range(count))
        finished = (
            ours(url, place, storage, workers, scenario) if who == OURS else [peer(who, url, place)]
        )
    requests = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    result = {
        "who": who,
        "scenario": name,
        "workers": workers,
        "rows": count,
        "delivered": delivered(place),
    }
    result |= {"failure": ", ".join(each["failure"] for each in finished if each.get("failure"))}
    seconds = [each["seconds"] for each in finished]
    peaks = [each["peak_mb"] for each in finished if "peak_mb" in each]
    result |= {"seconds": seconds, "peak_mb": max(peaks, default=None)}
    result |= analysed(
        requests,
        scenario.quota,
        min(seconds),
        warm_seconds=scenario.warm_seconds,
        last_answers_seconds=scenario.last_answers_seconds,
    )
    print(f"{who}, {name}, {workers}: {result}", file=sys.stderr, flush=True)
    return result


def ours(
    url: str, place: Path, storage: str, workers: int, scenario: Scenario
) -> list[dict[str, Any]]:
    """One run, at which so many processes work: what each of them measured."""
    rows = ["--input", str(place / "rows.jsonl"), *scenario.rows_per_shard]
    teacher = json.dumps(scenario.teacher)
    planned = measured(worker.start("plan", storage, url, *rows, "--teacher", teacher))
    queue = worker.queue_of(planned["shards"])
    run = ("--run", planned["run"])
    processes = [
        worker.start("work", storage, url, *run, "--queue", queue=queue) for _ in range(workers)
    ]
    os.close(queue)
    finished = [measured_in_time(process, OWN_SECONDS) for process in processes]
    measured(worker.start("finish", storage, url, *run, "--output", str(place / ANSWERS)))
    return finished


def peer(who: str, url: str, place: Path) -> dict[str, Any]:
    """The same rows, by one of the peers."""
    arguments = [
        "--base-url",
        url,
        "--model",
        MODEL,
        "--input",
        str(place / "rows.jsonl"),
        "--timeout",
        str(PEER_SECONDS),
    ]
    arguments += ["--concurrency", str(CONCURRENCY), "--output", str(place / ANSWERS)]
    return measured_in_time(start_contender(peer_python(who), f"{who}.py", arguments), PEER_SECONDS)


def measured_in_time(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """What a contender measured. One that takes too long is killed, and one that fails has no time:
    neither ends the benchmark.

    The grace is for a peer that reports at its time limit what it has.
    """
    try:
        process.wait(seconds + GRACE_SECONDS)
        return measured(process)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {
            "seconds": seconds + GRACE_SECONDS,
            "failure": f"killed after {seconds + GRACE_SECONDS:g} s",
        }
    except RuntimeError as error:
        return {"seconds": 0.0, "failure": str(error)}


def delivered(place: Path) -> int:
    """Answers that differ: a row delivered twice must not stand for one that is lost."""
    answers = place / ANSWERS
    return len(set(answers.read_text(encoding="utf-8").splitlines())) if answers.exists() else 0


def analysed(
    requests: Sequence[dict[str, Any]],
    quota: Quota,
    shared_seconds: float,
    *,
    warm_seconds: float = WARM_SECONDS,
    last_answers_seconds: float = 1.0,
) -> dict[str, Any]:
    """Shares of the quota and of its bound, from the log's records (`time`, `arrived`, `charged`,
    `status`, `request`).

    `shared_seconds`: how long every worker was at work. A share is None where the run is too short
      to tell.
    """
    begin = min((record["arrived"] for record in requests), default=0.0)
    admitted = [record for record in requests if record["charged"]]
    warm = begin + warm_seconds
    refused = sum(record["status"] == 429 and record["arrived"] >= warm for record in requests)
    accepted = sum(record["arrived"] >= warm for record in admitted)
    bound = bound_seconds(admitted, quota, begin)
    return {
        "used": _used(admitted, quota, warm, begin + shared_seconds - last_answers_seconds),
        "ramp": _ramp(admitted, quota, begin),
        "refused": refused / accepted if accepted else None,
        "time_by_bound": _seconds(requests, begin) / bound if bound else None,
        "asked_twice": len(admitted) - len({record["request"] for record in admitted}),
        "other_errors": sum(record["status"] not in (200, 429) for record in requests),
    }


def bound_seconds(admitted: Sequence[dict[str, Any]], quota: Quota, begin: float) -> float:
    """The least time from the first request, which arrived at `begin`, to the last one: 0 when one
    period has room for all.
    """
    spent = [quota.spent(record) for record in admitted]
    # the last request of a period is admitted however much it takes of the next one
    most = quota.allowed + max(spent, default=1) - 1
    first = math.floor(begin / quota.period)
    last = first + max(0, math.ceil(sum(spent) / most) - 1)
    return max(0.0, last * quota.period - begin)


def _used(
    admitted: Sequence[dict[str, Any]], quota: Quota, warm: float, rows_until: float
) -> float | None:
    rows_until = min(rows_until, max((record["arrived"] for record in admitted), default=0.0))
    first, end = math.floor(warm / quota.period), math.floor(rows_until / quota.period)
    before = sum(
        quota.spent(record)
        for record in admitted
        if first * quota.period <= record["arrived"] < warm
    )
    within = sum(
        quota.spent(record) for record in admitted if warm <= record["arrived"] < end * quota.period
    )
    allowed = (end - first) * quota.allowed - before
    return within / allowed if allowed > 0 else None


def _ramp(admitted: Sequence[dict[str, Any]], quota: Quota, begin: float) -> int | None:
    """The seconds until the quota is used, None if it never is or its periods are long."""
    if quota.period > 1:
        return None
    spent = Counter[int]()
    for record in admitted:
        spent[int(record["arrived"] - begin)] += quota.spent(record)
    least = LEAST_USED * RAMP_SECONDS * quota.allowed
    for second in range(max(spent, default=0)):
        if sum(spent[later] for later in range(second, second + RAMP_SECONDS)) >= least:
            return second
    return None


def _seconds(requests: Sequence[dict[str, Any]], begin: float) -> float:
    """From the first arrival to the last answer.

    Answers are logged by another clock; the record that was decided soonest, such as a refusal,
    tells how far apart the two are.
    """
    started = min(record["time"] - record["arrived"] for record in requests)
    answered = [record["time"] for record in requests if record["status"] == 200]
    return max(answered, default=started) - started - begin


def broken(result: dict[str, Any]) -> list[str]:
    """What a run of ours did not keep, each in words. Peers have promised nothing."""
    if result["who"] != OURS:
        return []
    problems: list[str] = [result["failure"]] if result["failure"] else []
    if result["delivered"] != result["rows"]:
        problems.append(f"{result['delivered']} of {result['rows']} rows were delivered")
    if result["asked_twice"]:
        problems.append(f"{result['asked_twice']} requests asked for what had been asked for")
    # written so that a share that could not be told is broken, too
    if not (result["used"] is not None and result["used"] >= LEAST_USED):
        problems.append(f"{_cell(result['used'], '.1%')} of the quota used")
    if not (result["refused"] is not None and result["refused"] <= MOST_REFUSED):
        problems.append(f"{_cell(result['refused'], '.2%')} refused")
    if not (result["time_by_bound"] is not None and result["time_by_bound"] <= MOST_TIME):
        problems.append(
            f"{_cell(result['time_by_bound'], '.3f')} times as long as the quota's bound"
        )
    return [f"{result['scenario']}, {result['workers']} workers: {problem}" for problem in problems]


def summary(results: Sequence[dict[str, Any]]) -> str:
    """One line a run."""
    return table(HEAD, [_cells(result) for result in results])


def _cells(result: dict[str, Any]) -> list[object]:
    shares = [
        _cell(result["used"], ".1%"),
        _cell(result["refused"], ".2%"),
        _cell(result["time_by_bound"], ".3f"),
        _cell(result["ramp"], "d"),
        _cell(result["peak_mb"], ".0f"),
    ]
    counts = [result["rows"] - result["delivered"], result["asked_twice"]]
    who = [result["scenario"], result["who"], result["workers"], result["rows"]]
    return [*who, *shares, *counts, _end(result)]


def _end(result: dict[str, Any]) -> str:
    """A request that failed otherwise, for instance as malformed, is none of the quota's doing:
    such a run proves nothing.
    """
    others = (
        f", {result['other_errors']} requests failed otherwise" if result["other_errors"] else ""
    )
    return (result["failure"] or "done") + others


def _cell(share: float | None, form: str) -> str:
    return "unknown" if share is None else format(share, form)


if __name__ == "__main__":
    sys.exit(main())
