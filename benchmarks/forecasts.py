"""How close forecasts of a run's tokens come: the whole app on the local host, on the five samples,
with chain of thought where the task has it.

`python -m benchmarks.forecasts`. For each sample, all tokens that the finished run has used, and
beside them: the range of a dry run, the estimate of a dry run with `probe=20`, and what the run
expected after its first wave. Ends with exit code 1 when a forecast is off by more than a quarter,
or the range doesn't hold what was used.

The teacher is the local one, which answers from keys: it says what short answers and short chains
of thought take, not how much the lengths of a real teacher's answers vary.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness import host_answer, table, write_results
from local.bootstrap import ROOT
from local.runtime.client import storage_client
from local.runtime.cloud import LocalCloud
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from shared.runs.status import TERMINAL

PROBE_ROWS = 20
MOST_OFF = 0.25
POLL_SECONDS = 0.2
SPECIFICATIONS: dict[str, dict[str, Any]] = {
    "conversation": {},
    "math": {"prompt": {"chain_of_thought": True, "student_learns": "reasoning"}},
    "nli": {"prompt": {"chain_of_thought": True}},
    "nlu_qa": {"prompt": {"chain_of_thought": True}},
    "summarization": {"prompt": {"chain_of_density": True}},
}
HEAD = [
    "sample",
    "used",
    "range of a dry run",
    "`probe=20` ÷ used",
    "after the first wave ÷ used",
    "a dry run's estimate ÷ used",
]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        options = CloudOptions(data_dir=Path(folder) / "cloud")
        with LocalCloud(options, free_port()) as cloud:
            results = [
                measure(cloud, task, {"task": task, "student": None, **specification})
                for task, specification in SPECIFICATIONS.items()
            ]
    sys.stdout.write(summary(results) + "\n")
    write_results("forecasts", {"probe": PROBE_ROWS}, results)
    problems = [problem for result in results for problem in broken(result)]
    for problem in problems:
        sys.stderr.write(f"broken: {problem}\n")
    return 1 if problems else 0


def measure(cloud: LocalCloud, task: str, specification: Mapping[str, Any]) -> dict[str, Any]:
    """Forecast a run of one sample in every way, then run it. All numbers are tokens."""
    train = f"forecasts/{task}.jsonl"
    with storage_client(cloud.endpoints.storage_connection_string) as storage:
        content = (ROOT / "samples" / task / "train.jsonl").read_bytes()
        storage.get_blob_client("datasets", train).upload_blob(content, overwrite=True)
    body = {**specification, "train": f"datasets/{train}"}
    unprobed = host_answer(cloud, "POST", "/api/runs?dry_run=true", body)
    probed = host_answer(cloud, "POST", f"/api/runs?dry_run=true&probe={PROBE_ROWS}", body)
    run_id = host_answer(cloud, "POST", "/api/runs", body)["id"]
    view = _ended(cloud, run_id)
    if view["status"] != "completed":
        raise SystemExit(f"{task}: {view['status']}: {view['error']}")
    return {
        "sample": task,
        "used": sum(view["tokens"].values()),
        "low": tokens(unprobed["range"]["low"]),
        "high": tokens(unprobed["range"]["high"]),
        "estimate": tokens(unprobed["estimate"]),
        "probe": tokens(probed["estimate"]),
        "first_wave": tokens(view["expected"]),
    }


def tokens(usage: Mapping[str, Any]) -> int:
    """Return the prompt and answer tokens of a usage together."""
    return usage["prompt_tokens"] + usage["completion_tokens"]


def broken(result: Mapping[str, Any]) -> list[str]:
    """Return what a sample's forecasts don't hold."""
    sample, used = result["sample"], result["used"]
    problems = [
        f"{sample}: {name} forecasts {result[name]:,} tokens, and {used:,} were used"
        for name in ("probe", "first_wave")
        if abs(result[name] / used - 1) > MOST_OFF
    ]
    if not result["low"] <= used <= result["high"]:
        outside = f"{used:,} tokens were used, outside {result['low']:,} to {result['high']:,}"
        problems.append(f"{sample}: {outside}")
    return problems


def summary(results: list[dict[str, Any]]) -> str:
    """Return the table of all samples, in Markdown."""
    rows = [
        [
            result["sample"],
            f"{result['used']:,}",
            f"{result['low']:,}–{result['high']:,}",
            *(
                f"{result[name] / result['used']:.2f}"
                for name in ("probe", "first_wave", "estimate")
            ),
        ]
        for result in results
    ]
    return table(HEAD, rows)


def _ended(cloud: LocalCloud, run_id: str) -> dict[str, Any]:
    """Return a run's view once it has ended."""
    while True:
        view = host_answer(cloud, "GET", f"/api/runs/{run_id}", None)
        if view["status"] in TERMINAL:
            return view
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
