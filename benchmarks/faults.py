"""What a teacher's faults cost: rows lost, requests asked in vain or again, and time, against a
teacher that fails on purpose.

`python -m benchmarks.faults`: the whole activity asks the local teacher (a process of its own, 50
ms latency) for the same rows once without faults, then with 0.5, 2, 10 and 20 % of the requests
refused (429) although there is no quota, a fifth of them failed (5xx), reset or left hanging, and
with some of each; one row of those scenarios is always answered 400. What was asked is counted in
the teacher's own log. Ends with exit code 1 when a row
is lost, asked for again after its answer, asked for more than once although it was answered 400, or
when the app's own count of requests is not the teacher's.

Expected seconds: the fault-free time by as many requests, and the time-outs of hanging requests,
shared by the places in flight. Waits between two attempts hold no place, so they should cost
nothing but at the end, when few rows are left to fill the places: that is shown as the last rows'
time, from the last row's first request to the last answer.

With `--peers`, curator and distilabel are asked for fewer rows, with some of each fault and ours
beside them. All have the same time-out and as many attempts, and a peer that is not done in five
minutes has given up. Theirs is no reason for exit code 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.environment import PEERS, peer_python
from benchmarks.harness import measured, serving, start_contender, table, write_results, write_rows
from local.emulators.azurite import Azurite

MODEL = "local-teacher"
CONCURRENCY, LATENCY_MS, TIMEOUT_SECONDS = 64, 50, 2
# Of requests that fail one time in five, the default of 8 attempts would lose a row in one run of
# eighty (5,000 rows), and no row
# may be lost here by chance. Ten: in one of two thousand.
ATTEMPTS = 10
PEER_SECONDS, PEER_GRACE_SECONDS = 300, 60
FAULT_FREE, MIXED = "none", "mixed"
# name: which share of the requests has which fault
SCENARIOS: dict[str, dict[str, float]] = {
    FAULT_FREE: {},
    "429 0.5%": {"throttle": 0.005},
    "429 2%": {"throttle": 0.02},
    "429 10%": {"throttle": 0.1},
    "429": {"throttle": 0.2},
    "500": {"error": 0.2},
    "resets": {"reset": 0.2},
    "hangs": {"hang": 0.02},
    "many-hangs": {"hang": 0.2},
    MIXED: {"throttle": 0.05, "error": 0.05, "reset": 0.05, "hang": 0.05},
}
TEACHER = {"timeout_seconds": TIMEOUT_SECONDS, "max_attempts": ATTEMPTS}
OPTIONS: dict[str, dict[str, Any]] = {
    "ours": {"teacher": TEACHER},
    "curator": {
        "backend_params": {"request_timeout": TIMEOUT_SECONDS, "max_retries": ATTEMPTS - 1}
    },
    "distilabel": {"llm": {"timeout": TIMEOUT_SECONDS, "max_retries": ATTEMPTS - 1}},
}
HEAD = [
    "rows",
    "answered",
    "rejected",
    "requests",
    "asked again after an answer",
    "requests of the 400 row",
    "seconds",
]


def main() -> int:
    faulty = [name for name in SCENARIOS if name != FAULT_FREE]
    flags = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    flags.add_argument("--rows", type=int, default=5000)
    flags.add_argument(
        "--scenarios",
        nargs="*",
        choices=faulty,
        default=faulty,
        help="beside the one without faults",
    )
    flags.add_argument("--peers", action="store_true", help=f"also run {' and '.join(PEERS)}")
    flags.add_argument("--peer-rows", type=int, default=500)
    options = flags.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Azurite(None, log=Path(folder) / "azurite.log") as storage,
    ):
        place = (Path(folder), storage.connection_string)
        runs = [
            run("ours", name, options.rows, *place) for name in (FAULT_FREE, *options.scenarios)
        ]
        contenders = ("ours", *PEERS) if options.peers else ()
        beside = [run(contender, MIXED, options.peer_rows, *place) for contender in contenders]
    print(summary(runs))
    if beside:
        print(f"\n{beside_peers(beside)}")
    parameters = {"latency_ms": LATENCY_MS, "concurrency": CONCURRENCY, **TEACHER}
    write_results("faults", parameters, {"ours": runs, "peers": beside})
    problems = [
        problem
        for each in (*runs, *beside)
        if each["contender"] == "ours"
        for problem in broken(each)
    ]
    for problem in problems:
        print(f"broken: {problem}", file=sys.stderr)
    return 1 if problems else 0


def run(contender: str, scenario: str, count: int, folder: Path, storage: str) -> dict[str, Any]:
    """One contender with one scenario, against a teacher of its own."""
    rows, log, output = (
        folder / f"{contender}-{scenario}-{count}.{kind}" for kind in ("jsonl", "log", "answers")
    )
    write_rows(rows, range(count))
    options = [
        "--latency-ms",
        str(LATENCY_MS),
        "--log",
        str(log),
        *teacher_options(scenario, count),
    ]
    arguments = [
        "--model",
        MODEL,
        "--input",
        str(rows),
        "--output",
        str(output),
        "--concurrency",
        str(CONCURRENCY),
    ]
    arguments += ["--options", json.dumps(OPTIONS[contender])]
    arguments += ["--storage", storage] if contender == "ours" else ["--timeout", str(PEER_SECONDS)]
    python = sys.executable if contender == "ours" else peer_python(contender)
    with serving("local.emulators.teacher", *options) as url:
        process = start_contender(python, f"{contender}.py", ["--base-url", url, *arguments])
        finished = measured(process) if contender == "ours" else measured_in_time(process, count)
    requests = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    # rows that differ: one delivered twice must not stand for one that is lost
    delivered = len(set(output.read_text(encoding="utf-8").splitlines())) if output.exists() else 0
    result = {"contender": contender, "scenario": scenario, "rows": count, "delivered": delivered}
    result |= {"seconds": finished["seconds"], "failure": finished.get("failure", "")}
    result |= {"counted": finished.get("requests"), **analysed(requests)}
    print(f"{contender}, {scenario}: {result}", file=sys.stderr, flush=True)
    return result


def teacher_options(scenario: str, count: int) -> list[str]:
    """The local teacher's options for this scenario."""
    options = [
        text
        for fault, rate in SCENARIOS[scenario].items()
        for text in (f"--{fault}-rate", str(rate))
    ]
    # the colon makes it the text of one row alone: "Problem 25:" is not in "Problem 250:"
    return [*options, "--reject", f"Problem {count // 2}:"] if options else []


def measured_in_time(process: subprocess.Popen[str], count: int) -> dict[str, Any]:
    """What a peer measured.

    One that neither ends nor reports at its time limit is killed; one that fails is no error.
    """
    try:
        process.wait(PEER_SECONDS + PEER_GRACE_SECONDS)
        return measured(process)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {
            "rows": count,
            "seconds": PEER_SECONDS + PEER_GRACE_SECONDS,
            "failure": "killed: did not even report",
        }
    except RuntimeError as error:
        return {"rows": count, "seconds": 0.0, "failure": str(error)}


def analysed(requests: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What was asked, from the log's records in their order (`time`, `request`, `attempt`,
    `status`, `fault`).

    A request that was reset, left hanging or given up by the client has status 0: it is no answer.
    """
    sent: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    rejected: set[str] = set()
    again = 0
    last = last_new = 0.0
    for record in requests:
        request = record["request"]
        again += request in answered
        sent[request] += 1
        last = max(last, record["time"])
        if record["attempt"] == 1:
            last_new = max(last_new, record["time"])
        if record["status"] == 200:
            answered[request] += 1
        if record["fault"]:
            faults[record["fault"]] += 1
        if record["fault"] == "reject":
            rejected.add(request)
    return {
        "requests": sent.total(),
        "extra_requests": sent.total() - len(sent),
        "answered": len(answered),
        "paid_twice": answered.total() - len(answered),
        "asked_again": again,
        "rejected": len(rejected),
        "rejected_requests": sum(sent[request] for request in rejected),
        "faults": dict(faults),
        "last_rows_seconds": last - last_new,
    }


def expected_seconds(result: dict[str, Any], fault_free: dict[str, Any]) -> float:
    """As many requests at the fault-free speed, and the time-outs of those that hang, shared by the
    places in flight.
    """
    hangs = result["faults"].get("hang", 0)
    asking = fault_free["seconds"] * (result["requests"] - hangs) / fault_free["requests"]
    return asking + hangs * TIMEOUT_SECONDS / CONCURRENCY


def broken(result: dict[str, Any]) -> list[str]:
    """Which promises a run of ours broke, each in words."""
    problems: list[str] = []
    rejected = 0 if result["scenario"] == FAULT_FREE else 1
    lost = result["rows"] - rejected - result["delivered"]
    if lost:
        problems.append(f"{result['delivered']} of {result['rows'] - rejected} rows were delivered")
    if result["asked_again"]:
        problems.append(f"{result['asked_again']} requests asked for what had been answered")
    if result["rejected_requests"] != rejected:
        problems.append(
            f"{result['rejected_requests']} requests, not {rejected}, "
            "of the row that is answered 400"
        )
    if result["counted"] != result["requests"]:
        problems.append(
            f"{result['counted']} requests counted by the app, {result['requests']} by the teacher"
        )
    return [f"{result['scenario']}, {result['rows']} rows: {problem}" for problem in problems]


def summary(runs: Sequence[dict[str, Any]]) -> str:
    """Ours as a table; the first run is the one without faults."""
    fault_free = runs[0]
    rows = [
        [
            result["scenario"],
            faults_of(result["scenario"]),
            *_cells(result),
            f"{_speed(result):.0f}",
            f"{_speed(result) / _speed(fault_free):.0%}",
            f"{expected_seconds(result, fault_free):.1f}",
            f"{result['last_rows_seconds']:.1f}",
        ]
        for result in runs
    ]
    return table(
        ["scenario", "faults", *HEAD, "rows/s", "of fault-free", "expected", "last rows, seconds"],
        rows,
    )


def _speed(result: dict[str, Any]) -> float:
    """Rows a second."""
    return result["rows"] / result["seconds"]


def beside_peers(runs: Sequence[dict[str, Any]]) -> str:
    """Ours and the peers as a table."""
    return table(
        ["", *HEAD, "ended"],
        [[result["contender"], *_cells(result), _end(result)] for result in runs],
    )


def faults_of(scenario: str) -> str:
    """The scenario's faults in words."""
    return ", ".join(f"{100 * rate:g} % {fault}" for fault, rate in SCENARIOS[scenario].items())


def _cells(result: dict[str, Any]) -> list[object]:
    counts = [result["rows"], result["delivered"], result["rejected"], result["requests"]]
    return [*counts, result["asked_again"], result["rejected_requests"], f"{result['seconds']:.1f}"]


def _end(result: dict[str, Any]) -> str:
    if result["seconds"] >= PEER_SECONDS:
        return f"gave up after {result['seconds']:.0f} s"
    return result["failure"] or "done"


if __name__ == "__main__":
    sys.exit(main())
