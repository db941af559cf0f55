"""Services that break at the wrong moment: one job, and it is followed to its end."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from local.emulators.faults import PATH
from shared.core.errors import TransientError
from shared.dataset.rows import as_jsonl
from shared.runs.contracts import CONCLUDE_FINETUNING, POLL_FINETUNING, SUBMIT_FINETUNING
from tests.activities.conftest import Configure, NewRun, OpenWorkspace
from tests.support.activity_runs import AppRun
from tests.support.azure_openai import Resource
from tests.support.azure_openai import emulator as openai_emulator
from tests.support.azureml import PATIENCE, ask
from tests.support.training_runs import CHAT, follow, poll, ready, submit

BREAKS = 12


def break_next(base_url: str, **fault: Any) -> None:
    root = base_url.removesuffix("/openai/v1")
    status, answer, _ = ask(f"{root}{PATH}", "POST", fault)
    assert status < 300, answer


async def submit_whatever_breaks(run: AppRun, base_url: str) -> dict[str, Any]:
    """Submit until it succeeds, while connections break before and after the service accepts."""
    lottery = random.Random(7)
    for number in range(BREAKS):
        fault = {
            "drop": lottery.choice(["before", "after"]),
            "method": lottery.choice(["", "PUT", "POST", "GET"]),
        }
        break_next(base_url, path_contains="/jobs/", **fault)
        try:
            submitted = await run.call(SUBMIT_FINETUNING, splits=("train",), round=0)
        except TransientError:
            continue
        assert submitted["status"] == "ok", (number, submitted)
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await submit(run)
            except TransientError:
                continue


async def test_a_job_whose_submission_keeps_breaking_is_one_job(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace(pace=600)
    run = await ready(new_run())
    job = await submit_whatever_breaks(run, workspace.base_url)
    assert job["job"] == run.paths.run_id
    assert len(workspace.ask("jobs")[1]["value"]) == 1


async def test_an_azure_openai_job_is_followed_from_its_files_to_its_model_and_its_course_is_kept(
    new_run: NewRun, app: Configure
) -> None:
    with openai_emulator(pace=0.5) as base_url:
        app(AZURE_OPENAI_BASE_URL=base_url, AZURE_OPENAI_API_KEY="any")
        run = await ready(new_run(student={"model": "gpt-4.1-mini", "delete_files": True}), rows=20)
        async with asyncio.timeout(PATIENCE):
            while not (job := await submit(run)).get("submitted", True):
                assert job["service_status"].startswith("files ")
                await asyncio.sleep(0.02)
        done = await follow(run, job)
        assert (done["status"], done["model"].startswith("gpt-4.1-mini")) == ("completed", True)
        concluded = await run.call(CONCLUDE_FINETUNING, job=done)
        assert (concluded["status"], concluded["warnings"]) == ("ok", [])
        record = await run.storage.read_json(run.paths.training(0))
        losses = [point["loss"] for point in record["ended"]["curve"]]
        assert losses[0] > losses[-1]
        assert concluded["job"]["metrics"]["loss"] == losses[-1]
        assert Resource(base_url).files() == []


@pytest.mark.parametrize("status", [403, 429, 503])
async def test_a_service_that_refuses_for_a_while_is_asked_again_and_the_job_goes_on(
    new_run: NewRun, open_workspace: OpenWorkspace, status: int
) -> None:
    workspace = open_workspace(pace=0.5)
    run = await ready(new_run())
    job = await submit(run)
    break_next(workspace.base_url, path_contains="/jobs/", status=status, times=1)
    unreached = await run.call(POLL_FINETUNING, job=job)
    assert (unreached["status"], unreached["reached"]) == ("ok", False)
    assert (
        str(status) in unreached["job"]["message"]
        or "access is denied" in unreached["job"]["message"]
    )
    assert unreached["job"]["status"] == job["status"]
    assert (await follow(run, unreached["job"]))["status"] == "completed"


async def test_a_cancellation_that_breaks_is_asked_for_again(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace(pace=600)
    run = await ready(new_run())
    job = await submit(run)
    break_next(workspace.base_url, path_contains="/cancel", drop="after")
    assert (await poll(run, job, cancel=True))["message"] is not None
    assert (await poll(run, job, cancel=True))["status"] in ("cancelling", "cancelled")


async def test_a_resumed_run_uploads_a_changed_dataset_anew(
    new_run: NewRun, app: Configure
) -> None:
    with openai_emulator(pace=0) as base_url:
        app(AZURE_OPENAI_BASE_URL=base_url, AZURE_OPENAI_API_KEY="any")
        run = await ready(new_run(student={"model": "gpt-4.1-mini"}))
        names: list[str] = []
        for round_ in (0, 1):
            async with asyncio.timeout(PATIENCE):
                while not (
                    submitted := await run.call(SUBMIT_FINETUNING, splits=("train",), round=round_)
                )["job"]["job"]:
                    await asyncio.sleep(0.02)
            names.append(submitted["job"]["job"])
            await follow(run, submitted["job"])
            await run.storage.write(run.paths.dataset("train"), as_jsonl([{"messages": CHAT}] * 30))
        assert len(set(names)) == len(Resource(base_url).files()) == 2


async def test_the_root_hears_once_of_a_service_that_cannot_be_reached_for_the_submission(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace(pace=600)
    run = await ready(new_run())
    break_next(workspace.base_url, path_contains="/jobs/", status=503, times=2)
    job: dict[str, Any] = {}
    for _ in range(3):
        job = (
            await run.call(SUBMIT_FINETUNING, splits=("train",), **({"job": job} if job else {}))
        )["job"]
    statuses = [data["job"]["service_status"] for _, _, data in run.client.events]
    assert statuses == ["not submitted yet", "NotStarted"]
    assert "503" in run.client.events[0][2]["job"]["message"]


async def test_the_root_hears_now_and_then_of_a_service_that_cannot_be_polled(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace(pace=600)
    run = await ready(new_run())
    job = await submit(run)
    break_next(workspace.base_url, path_contains="/jobs/", status=503, times=2)
    for tell in (False, True):
        await run.call(POLL_FINETUNING, job=job, report_metrics=tell)
    assert ["503" in data["job"]["message"] for _, _, data in run.client.events] == [True]
