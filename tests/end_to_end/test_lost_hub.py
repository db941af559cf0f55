"""The task hub is gone in the middle of a run, and only the blobs are left: `resume` goes on from
them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.runtime.cloud import LocalCloud
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from tests.support.app import App, answers_bought_twice, unjournaled_answers
from tests.support.polling import wait_for

pytestmark = pytest.mark.slow

ROWS = 200
CONCURRENCY = 16
LATENCY_SECONDS = 0.6


def dataset(app: App) -> dict[str, Path]:
    system = {
        "role": "system",
        "content": "Solve the arithmetic question. The answer must be one integer.",
    }
    rows = [
        {
            "messages": [
                system,
                {
                    "role": "user",
                    "content": f"Keiko has {n} plums, and Nadia has 4 more. How many has Nadia?",
                },
            ]
        }
        for n in range(ROWS)
    ]
    spec = {
        "teacher": {"concurrency": CONCURRENCY},
        "generation": {"rows_per_shard": 20, "parallel_shards": 4},
    }
    return {
        "train.jsonl": app.write(
            "lost.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode()
        ),
        "run.json": app.write("lost.json", json.dumps(spec).encode()),
    }


def test_a_run_whose_task_hub_is_lost_is_resumed_and_asks_no_answered_row_again(
    tmp_path: Path,
) -> None:
    log = tmp_path / "teacher.jsonl"
    options = CloudOptions(
        data_dir=tmp_path / "cloud",
        teacher_options=(f"--latency-ms={LATENCY_SECONDS * 1000}", f"--log={log}"),
        azureml_options=("--pace=2",),
    )
    with LocalCloud(options, free_port()) as cloud:
        app = App(cloud.endpoints, tmp_path / "files")
        run_id = app.upload("math", "lost", dataset(app))
        app.wait(run_id, lambda view: view["splits"].get("train", {}).get("done", 0) >= 0.6 * ROWS)
    hubs = list(options.data_dir.glob("*.sqlite*"))
    assert hubs
    for hub in hubs:
        hub.unlink()
    with LocalCloud(options, free_port()) as cloud:
        app = App(cloud.endpoints, tmp_path / "files")
        assert app.run(run_id) is None
        lost = unjournaled_answers(app, [run_id], log)
        assert app.ask("POST", f"/api/runs/{run_id}/resume")[0] == 202
        wait_for(lambda: app.run(run_id) is not None, "resuming the run")
        view = app.ended(run_id)
    assert (view["status"], view["splits"]["train"]["done"]) == ("completed", ROWS)
    assert answers_bought_twice(log) <= lost + CONCURRENCY
