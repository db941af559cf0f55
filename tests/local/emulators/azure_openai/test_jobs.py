"""The course of jobs: statuses in order, metrics by a formula that say so, cancelling, restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.emulators.azure_openai.training import KEPT_CHECKPOINTS
from tests.support.azure_openai import Resource, chat_lines, emulator


def events(resource: Resource, job: str) -> list[dict[str, Any]]:
    return resource.ask(f"fine_tuning/jobs/{job}/events?limit=100")[1]["data"]


def losses(resource: Resource, job: str) -> list[float]:
    reported = [event["data"] for event in events(resource, job) if event["type"] == "metrics"]
    return [data["train_loss"] for data in reported[::-1]]


def test_a_job_ends_with_a_model_and_says_that_nothing_was_trained() -> None:
    with emulator() as url:
        resource = Resource(url)
        job = resource.job(suffix="mine")
        done = resource.wait(f"fine_tuning/jobs/{job}", "succeeded")
        reported = " ".join(str(event["message"]) for event in events(resource, job))
    assert done["fine_tuned_model"].startswith("gpt-4.1-mini-2025-04-14.ft-")
    assert done["fine_tuned_model"].endswith("-mine")
    assert done["finished_at"] >= done["created_at"]
    assert "nothing will be trained" in reported
    assert "nothing is trained, metrics follow a formula" in reported


def test_loss_falls_by_a_formula_that_the_seed_decides() -> None:
    collected: list[list[float]] = []
    for seed in (1, 1, 2):
        with emulator(seed=seed) as url:
            resource = Resource(url)
            job = resource.job()
            resource.wait(f"fine_tuning/jobs/{job}", "succeeded")
            collected.append(losses(resource, job))
    assert collected[0] == collected[1] != collected[2]
    assert all(each[0] > each[-1] for each in collected)
    assert all(
        earlier > later for earlier, later in zip(collected[0][:8], collected[0][1:9], strict=True)
    )


def test_the_last_checkpoints_are_kept_newest_first() -> None:
    with emulator() as url:
        resource = Resource(url)
        hyperparameters = {"n_epochs": KEPT_CHECKPOINTS + 2, "batch_size": 4}
        job = resource.job(rows=12, hyperparameters=hyperparameters)
        resource.wait(f"fine_tuning/jobs/{job}", "succeeded")
        _, listed = resource.ask(f"fine_tuning/jobs/{job}/checkpoints")
    assert [checkpoint["step_number"] for checkpoint in listed["data"]] == [15, 12, 9]


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("pending,running,succeeded", "succeeded"),
        ("running,paused,running,failed", "failed"),
        ("queued,running", "running"),
        ("queued,no_such_status", "no_such_status"),
    ],
)
def test_jobs_take_the_course_that_they_are_told(path: str, last: str) -> None:
    with emulator(status_path=tuple(path.split(","))) as url:
        resource = Resource(url)
        job = resource.job()
        ended = resource.wait(f"fine_tuning/jobs/{job}", last)
    assert (ended["fine_tuned_model"] is not None) == (last == "succeeded")


def test_the_failure_lottery_and_too_few_rows_fail_jobs_with_a_reason() -> None:
    with emulator(fail_rate=1.0) as url:
        resource = Resource(url)
        failed = resource.wait(f"fine_tuning/jobs/{resource.job()}", "failed")
        assert "lottery" in failed["error"]["message"]
        failed = resource.wait(f"fine_tuning/jobs/{resource.job(rows=9)}", "failed")
        assert "has 9 rows: at least 10" in failed["error"]["message"]


def test_a_job_can_be_cancelled_and_not_after_its_end() -> None:
    with emulator(pace=600, file_pace=0) as url:
        resource = Resource(url)
        job = f"fine_tuning/jobs/{resource.job()}"
        resource.wait(job, "pending")
        assert resource.ask(f"{job}/cancel", "POST")[1]["status"] == "cancelled"
        assert resource.ask(f"{job}/cancel", "POST")[1]["error"]["code"] == "invalid_job_state"
        assert resource.ask("fine_tuning/jobs/ftjob-nowhere/cancel", "POST")[0] == 404


def test_a_restart_goes_on_with_files_and_jobs_where_they_were(tmp_path: Path) -> None:
    with emulator(data_dir=tmp_path, pace=600, file_pace=0) as url:
        resource = Resource(url)
        running = resource.job()
    with emulator(data_dir=tmp_path, pace=600, file_pace=60) as url:
        _, pending = Resource(url).upload(chat_lines(12))
    with emulator(data_dir=tmp_path) as url:
        resource = Resource(url)
        resource.wait(f"fine_tuning/jobs/{running}", "succeeded")
        resource.wait(f"files/{pending['id']}", "processed")


def test_metrics_are_told_once_each_however_often_the_emulator_restarts(tmp_path: Path) -> None:
    with emulator(data_dir=tmp_path, pace=2, file_pace=0) as url:
        resource = Resource(url)
        job = resource.job(rows=40)
        resource.wait(f"fine_tuning/jobs/{job}", "running")
    with emulator(data_dir=tmp_path) as url:
        resource = Resource(url)
        resource.wait(f"fine_tuning/jobs/{job}", "succeeded")
        steps: list[int] = [
            event["data"]["step"] for event in events(resource, job) if event["type"] == "metrics"
        ]
    assert steps == sorted(set(steps), reverse=True)
    assert steps[0] == 120
