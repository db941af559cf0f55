"""Every sequence of AzureML statuses, through the real SDK: it ends in the right state."""

from __future__ import annotations

import asyncio

import pytest

from shared.finetuning.base import JobState
from shared.finetuning.outcome import job_outcome
from shared.finetuning.statuses import AZUREML_STATUSES
from shared.runs.contracts import CONCLUDE_FINETUNING, POLL_FINETUNING, SUBMIT_FINETUNING
from tests.activities.conftest import NewRun, OpenWorkspace
from tests.support.azureml import PATIENCE
from tests.support.training_runs import ready

ENDS = {"Completed": "ok", "Failed": "failed", "Canceled": "cancelled"}
UNDER_WAY = [status for status in AZUREML_STATUSES if status not in ENDS]
PATHS = [
    *[(*UNDER_WAY, end) for end in ENDS],
    *[(end,) for end in ENDS],
    ("Running", "NotResponding", "Unknown", "Running", "Completed"),
    ("Running", "Paused", "Running", "Paused", "Canceled"),
    ("Queued", "Running", "Queued", "Running", "Failed"),  # a node was lost
]


def path_id(path: tuple[str, ...]) -> str:
    return "-".join(path)


@pytest.mark.parametrize("path", PATHS, ids=path_id)
async def test_a_course_of_statuses_ends_as_the_service_says(
    new_run: NewRun, open_workspace: OpenWorkspace, path: tuple[str, ...]
) -> None:
    open_workspace(pace=0.06, status_path=path)
    run = await ready(new_run())
    job = (await run.call(SUBMIT_FINETUNING, splits=("train",)))["job"]
    seen = [job["service_status"]]
    async with asyncio.timeout(PATIENCE):
        while (outcome := job_outcome(JobState.model_validate(job), None)) is None:
            job = (await run.call(POLL_FINETUNING, job=job))["job"]
            seen.append(job["service_status"])
            assert job["status"] == AZUREML_STATUSES[job["service_status"]].value
    assert outcome.status == ENDS[path[-1]]
    assert seen[-1] == path[-1]
    assert set(seen) <= {"NotStarted", *path}
    assert (await run.call(CONCLUDE_FINETUNING, job=job))["job"]["status"] == job["status"]
    if path[-1] == "Failed":
        assert "The emulator was told to end jobs as Failed." in str(outcome.error)
    if path[-1] == "Completed":
        assert job["model"] == f"{run.paths.run_id}:1"
