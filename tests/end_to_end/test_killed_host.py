"""`kill -9` of the host in the middle of its work, then `up` again: the runs finish, no row is
missing or doubled.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from local.cli.verification import check_run
from local.runtime.children import ChildFailed
from local.runtime.client import download_outputs
from local.runtime.cloud import LocalCloud
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from shared.tasks import TASKS
from tests.support.app import PATIENCE, App, answers_bought_twice, sample, unjournaled_answers
from tests.support.polling import wait_for

LATENCY_SECONDS = 0.6
CONCURRENCY = 32  # of the whole worker process: as many may be in flight when it is killed


def host_pid(data_dir: Path) -> int:
    """Of the process that holds the host's lock file open."""
    lock = (data_dir / "host.lock").resolve()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(link.resolve() == lock for link in (process / "fd").iterdir()):
                return int(process.name)
    raise LookupError(f"no process holds {lock}")


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="finds the host's process through /proc"
)
def test_runs_go_on_after_the_host_was_killed_and_no_answered_row_is_asked_again(
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
        runs = {task: app.upload(task, "killed", sample(task)) for task in TASKS}

        def is_under_way() -> bool:
            views = [app.run(run_id) for run_id in runs.values()]
            return (
                sum(bool(view and view["splits"].get("train", {}).get("done")) for view in views)
                >= 3
            )

        wait_for(is_under_way, "the first answers of three runs", PATIENCE)
        os.kill(host_pid(options.data_dir), signal.SIGKILL)

        def is_noticed() -> bool:
            try:
                cloud.check()
            except ChildFailed:
                return True
            return False

        wait_for(is_noticed, "noticing the end of the host", PATIENCE)
        lost = unjournaled_answers(app, runs.values(), log)
    with LocalCloud(options, free_port()) as cloud:
        app = App(cloud.endpoints, tmp_path / "files")
        for task, run_id in runs.items():
            view = app.ended(run_id)
            with app.storage() as storage:
                download_outputs(storage, run_id, tmp_path / run_id)
            inputs = {
                name.removesuffix(".jsonl"): path
                for name, path in sample(task).items()
                if name != "run.json"
            }
            assert check_run(view, inputs, tmp_path / run_id) == []
    assert answers_bought_twice(log) <= lost + CONCURRENCY
