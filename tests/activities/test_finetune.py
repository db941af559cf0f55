"""Submit, poll and cancel through the real SDK: one job a run, every change sent to the root."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from shared.dataset.rows import as_jsonl
from shared.runs.contracts import (
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    SUBMIT_FINETUNING,
    Event,
)
from shared.students.catalogue import DEFAULT_STUDENT
from tests.activities.conftest import Configure, NewRun, OpenWorkspace
from tests.support.activity_runs import AppRun
from tests.support.azureml import PATIENCE, Workspace
from tests.support.training_runs import CHAT, RUNNING, follow, poll, ready, submit

PHI = "azureml://registries/azureml/models/Phi-4-mini-instruct/versions/1"


def details(workspace: Workspace, run: AppRun) -> dict[str, Any]:
    """The job as the service has it."""
    return workspace.ask(f"jobs/{run.paths.run_id}")[1]["properties"]


async def test_a_job_is_named_after_its_run_and_ends_in_a_registered_model(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    open_workspace()
    run = await ready(new_run())
    done = await follow(run, await submit(run))
    assert (done["job"], done["status"], done["message"]) == (run.paths.run_id, "completed", None)
    assert done["model"] == f"{run.paths.run_id}:1"
    assert f"/runs/{run.paths.run_id}?" in done["url"]


async def test_the_service_is_told_what_to_train_and_where_the_data_lies(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace(pace=600)
    student = {"hyperparameters": {"n_epochs": 3}, "registered_model_name": "my-student"}
    run = await ready(new_run(student=student), validation=2)
    await submit(run, "train", "validation")
    job = details(workspace, run)
    tags = job["tags"]
    tuning = job["fineTuningDetails"]
    assert tuning["trainingData"]["uri"].endswith(f"/paths/{run.paths.run_id}/train.jsonl")
    assert tuning["validationData"]["uri"].endswith(f"/paths/{run.paths.run_id}/validation.jsonl")
    assert tuning["hyperParameters"] == {"num_train_epochs": "3"}
    assert job["outputs"]["registered_model"]["assetName"] == "my-student"
    assert (tags["run_id"], tags["task"], tags["isDistill"]) == (run.paths.run_id, "math", "True")
    for split in ("train", "validation"):
        content = await run.storage.read(run.paths.dataset(split))
        assert tags[f"{split}_sha256"] == hashlib.sha256(content).hexdigest()
    other = await ready(new_run(), validation=2)
    await submit(other, "train")
    assert "validationData" not in details(workspace, other)["fineTuningDetails"]


async def test_without_a_datastore_data_is_named_by_its_blob_address(
    new_run: NewRun, open_workspace: OpenWorkspace, configure: Configure
) -> None:
    workspace = open_workspace()
    configure(AZUREML_DATASTORE=None)
    run = await ready(new_run())
    job = await submit(run)
    uri = details(workspace, run)["fineTuningDetails"]["trainingData"]["uri"]
    assert uri == run.storage.uri(run.paths.dataset("train"))
    assert (await follow(run, job))["status"] == "completed"


async def test_the_root_is_told_of_the_job_as_soon_as_there_is_one(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    open_workspace(pace=600)
    run = await ready(new_run())
    submitted = await run.call(SUBMIT_FINETUNING, splits=["train"])
    assert run.client.events == [
        (run.paths.run_id, Event.JOB_CHANGED, {"student": 0, "job": submitted["job"]})
    ]
    assert submitted["job"]["url"]


async def test_the_root_is_told_of_every_change_and_of_nothing_else(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    open_workspace(final_status="Paused")
    run = await ready(new_run())
    job = await submit(run)
    async with asyncio.timeout(PATIENCE):
        while job["status"] != "paused":
            job = await poll(run, job)
    assert await poll(run, job) == job
    events = [
        (instance, event, data["job"]["status"]) for instance, event, data in run.client.events
    ]
    assert events[-1] == (run.paths.run_id, "finetune", "paused")
    changes = [data for _, _, data in run.client.events]
    assert all(earlier != other for earlier, other in pairwise(changes))


@pytest.mark.parametrize("status", [{}, {"runtimeStatus": "Failed"}])
async def test_a_root_that_has_ended_is_not_told(
    new_run: NewRun, open_workspace: OpenWorkspace, status: dict[str, Any]
) -> None:
    open_workspace()
    run = await ready(new_run())
    job = await submit(run)
    run.client.statuses[run.paths.run_id] = status
    await follow(run, job)
    await submit(run)
    assert run.client.events == []


async def test_a_run_that_stops_takes_its_job_with_it(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    open_workspace(pace=5)
    run = await ready(new_run())
    job = await submit(run)
    run.client.statuses[run.paths.run_id] = {**RUNNING, "customStatus": {"stopping": True}}
    assert (await poll(run, job))["status"] in ("cancelling", "cancelled")
    assert (await follow(run, job))["status"] == "cancelled"


async def test_a_cancellation_that_does_not_reach_the_service_is_repeated_by_the_next_poll(
    new_run: NewRun, open_workspace: OpenWorkspace, environment: Callable[[str], None]
) -> None:
    workspace = open_workspace(pace=600)
    run = await ready(new_run())
    job = await submit(run)
    environment("http://127.0.0.1:9")
    unheard = (await run.call(CANCEL_FINETUNING, job=job))["job"]
    assert {**unheard, "message": None} == job
    environment(workspace.base_url)
    assert (await poll(run, job, cancel=True))["status"] == "cancelling"


@pytest.mark.parametrize("stopping", [False, True])
async def test_a_service_that_cannot_be_reached_changes_nothing_and_is_asked_later(
    new_run: NewRun,
    open_workspace: OpenWorkspace,
    environment: Callable[[str], None],
    stopping: bool,
) -> None:
    workspace = open_workspace(pace=600)
    run = await ready(new_run())
    job = await submit(run)
    run.client.statuses[run.paths.run_id] = {**RUNNING, "customStatus": {"stopping": stopping}}
    environment("http://127.0.0.1:9")
    polled = await poll(run, job)
    assert {**polled, "message": None} == job
    assert "could not be reached" in polled["message"]
    assert run.client.events == []
    environment(workspace.base_url)
    assert (await poll(run, polled))["message"] is None


async def training_record(run: AppRun, student: int = 0) -> dict[str, Any]:
    return await run.storage.read_json(run.paths.training(student))


async def conclude(run: AppRun, job: dict[str, Any], student: int = 0) -> dict[str, Any]:
    return await run.call(CONCLUDE_FINETUNING, job=job, student=student)


async def test_a_resumed_run_finds_the_job_that_still_runs_and_the_one_that_has_succeeded(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace(pace=1)
    run = await ready(new_run())
    first = await submit(run)
    again = await run.call(SUBMIT_FINETUNING, splits=("train",), round=1)
    assert again["job"]["job"] == first["job"]
    await follow(run, first)
    done = await run.call(SUBMIT_FINETUNING, splits=("train",), round=2)
    assert (done["job"]["status"], done["job"]["model"]) == ("completed", f"{run.paths.run_id}:1")
    assert len(workspace.ask("jobs")[1]["value"]) == 1


@pytest.mark.parametrize("final_status", ["Failed", "Canceled"])
async def test_a_resumed_run_whose_job_did_not_succeed_submits_a_new_attempt(
    new_run: NewRun, open_workspace: OpenWorkspace, final_status: str
) -> None:
    open_workspace(pace=0.2, final_status=final_status)
    run = await ready(new_run())
    names: list[str] = []
    for round_ in range(3):
        twice = [
            await run.call(SUBMIT_FINETUNING, splits=("train",), round=round_) for _ in range(2)
        ]
        assert twice[0]["job"]["job"] == twice[1]["job"]["job"]
        names.append(twice[1]["job"]["job"])
        await follow(run, twice[1]["job"])
    assert names == [run.paths.run_id, f"{run.paths.run_id}-2", f"{run.paths.run_id}-3"]
    assert [attempt["job_name"] for attempt in (await training_record(run))["attempts"]] == names


async def test_a_job_that_trains_with_what_has_changed_since_is_cancelled_and_replaced(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace(pace=600)
    run = await ready(new_run())
    await submit(run)
    await run.storage.write(run.paths.dataset("train"), as_jsonl([{"messages": CHAT}] * 20))
    second = (await run.call(SUBMIT_FINETUNING, splits=("train",), round=1))["job"]
    assert second["job"] == f"{run.paths.run_id}-2"
    assert details(workspace, run)["status"] in ("CancelRequested", "Canceled")


async def test_a_dataset_that_is_written_again_with_the_same_content_is_no_reason_to_train_again(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    open_workspace(pace=600)
    run = await ready(new_run())
    first = await submit(run)
    await run.storage.write(run.paths.dataset("train"), as_jsonl([{"messages": CHAT}] * 10))
    assert (await run.call(SUBMIT_FINETUNING, splits=("train",), round=1))["job"]["job"] == first[
        "job"
    ]


async def test_each_of_several_students_has_a_job_and_a_model_of_its_own(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace()
    run = await ready(
        new_run(
            student=[{"model": DEFAULT_STUDENT}, {"model": PHI, "hyperparameters": {"epochs": 2}}]
        )
    )
    for number, name in enumerate((run.paths.run_id, f"{run.paths.run_id}-s2")):
        submitted = await run.call(SUBMIT_FINETUNING, splits=("train",), student=number)
        assert submitted["job"]["job"] == name
        done = await follow(run, submitted["job"])
        assert done["model"] == f"{name}:1"
        assert (await conclude(run, done, number))["job"]["status"] == "completed"
    second = workspace.ask(f"jobs/{run.paths.run_id}-s2")[1]["properties"]["fineTuningDetails"]
    assert (second["model"]["uri"], second["hyperParameters"]) == (PHI, {"num_train_epochs": "2"})
    written = await run.report(outcome="failed")
    assert written["status"] == "ok", written
    trained = (await run.storage.read_json(run.paths.report))["training"]
    assert [(earlier["student"], earlier["job"]["status"]) for earlier in trained] == [
        (DEFAULT_STUDENT, "completed"),
        (PHI, "completed"),
    ]


async def test_a_dataset_that_is_gone_is_a_failure_that_names_it(
    new_run: NewRun, open_workspace: OpenWorkspace
) -> None:
    open_workspace()
    run = await ready(new_run())
    await run.storage.delete(run.paths.dataset("train"))
    submitted = await run.call(SUBMIT_FINETUNING, splits=("train",))
    assert "train.jsonl is gone: resume the run" in submitted["error"]["message"]
