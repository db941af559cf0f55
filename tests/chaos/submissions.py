"""The host is killed between the submission of a fine-tuning job and its response, as often as
asked for: one job, each time.

`python -m tests.chaos.submissions --kills 50`. The emulator holds the request back and carries it
out after the host is gone, so that the host that comes next cannot know of it: it must ask for the
same job again. Exit code 1 when there are two.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from local.emulators.faults import PATH
from local.runtime.client import storage_client, upload_dataset
from local.runtime.ports import LOOPBACK
from shared.runs.status import TERMINAL
from tests.chaos.storm import SPEC, Storm, dataset
from tests.support.azureml import ask
from tests.support.polling import wait_for

HELD_SECONDS = 4.0  # longer than it takes to kill the host
PATIENCE_SECONDS = 120.0


def kill_while_submitting(folder: Path, kills: int) -> tuple[int, dict[str, Any]]:
    """Number of jobs that the service has in the end, and the run's last view."""
    storm = Storm(folder, seed=0)
    train, spec = folder / "train.jsonl", folder / "run.json"
    folder.mkdir(parents=True, exist_ok=True)
    train.write_bytes(dataset(storm.lottery))
    spec.write_text(json.dumps({**SPEC, "teacher": {"concurrency": 64}}), encoding="utf-8")
    with storm.running():
        storm.calm()
        emulator = f"http://{LOOPBACK}:{storm.port('azureml')}"
        held = {
            "method": "PUT",
            "path_contains": "/jobs/",
            "delay_seconds": HELD_SECONDS,
            "times": kills,
        }
        ask(f"{emulator}{PATH}", "POST", held)
        with storage_client(storm.storage) as storage:
            run_id = upload_dataset(
                storage, "math", "storm", {"train.jsonl": train, "run.json": spec}
            )
        for number in range(1, kills + 1):
            seen = partial(_has_seen, emulator, number)
            wait_for(seen, f"submission {number}", PATIENCE_SECONDS)
            storm.kill("host")
        view = _ended(storm, run_id)
        jobs = ask(f"{emulator}/healthz")[1]["jobs"]
    return jobs, view


def _has_seen(emulator: str, submissions: int) -> bool:
    return ask(f"{emulator}{PATH}")[1]["hits"] >= submissions


def _ended(storm: Storm, run_id: str) -> dict[str, Any]:
    """The run's last view."""
    ended: list[dict[str, Any]] = []

    def has_ended() -> bool:
        status, view = storm.ask("GET", f"/api/runs/{run_id}")
        if status == 200 and view["status"] in TERMINAL:
            ended.append(view)
        return bool(ended)

    wait_for(has_ended, "the run's end", PATIENCE_SECONDS)
    return ended[0]


def main() -> int:
    flags = argparse.ArgumentParser(
        prog="python -m tests.chaos.submissions", description=(__doc__ or "").splitlines()[0]
    )
    flags.add_argument("--kills", type=int, default=50)
    given = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs, view = kill_while_submitting(Path(folder), given.kills)
    sys.stdout.write(
        f"{given.kills} kills: {jobs} job(s), "
        f"the run {view['status']} with {view['finetune']['job']}\n"
    )
    return 0 if jobs == 1 and view["status"] == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
