"""Faults of Azure OpenAI and its network: which are retried, and that none makes a second job."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from shared.core.errors import PermanentError, TransientError
from shared.finetuning.base import FineTuneRequest, JobState, JobStatus
from tests.support.azure_openai import chat_lines
from tests.support.openai_resource import (
    KEY,
    NewResource,
    Tuning,
    new_resource,
    request_of,
    student,
)

__all__ = ["new_resource"]

ROUNDS = 8
FAULTS: list[dict[str, Any]] = [
    {"drop": "before"},
    {"drop": "after"},
    {"drop": "after"},
    {"status": 500},
]


def persistent(tuning: Tuning, request: FineTuneRequest) -> JobState:
    """Submit as Durable does: again after each transient error, until the job is submitted."""
    for _ in range(1000):
        try:
            state = tuning.backend.submit(request)
        except TransientError:
            continue
        if state.submitted:
            return state
    raise AssertionError("the job was never submitted")


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_create_whose_connection_breaks_is_one_job(new_resource: NewResource, drop: str) -> None:
    tuning = new_resource(pace=600)
    tuning.ready_file(request := tuning.put(request_of(), chat_lines(12)))
    tuning.resource.fault(method="POST", path_contains="/fine_tuning/jobs", drop=drop)
    with pytest.raises(TransientError, match="could not be reached"):
        tuning.backend.submit(request)
    assert len(tuning.resource.jobs()) == (1 if drop == "after" else 0)
    state = persistent(tuning, request)
    assert [job["id"] for job in tuning.resource.jobs()] == [state.job]


def test_whatever_breaks_while_jobs_are_submitted_each_is_one_job_with_one_file_a_dataset(
    new_resource: NewResource,
) -> None:
    tuning = new_resource(pace=600)
    lottery = random.Random(7)
    requests = [tuning.put(request_of(), chat_lines(12), chat_lines(2)) for _ in range(ROUNDS)]
    for request in requests:
        for _ in range(3):
            method = lottery.choice(["GET", "POST"])
            path = lottery.choice(["/fine_tuning/jobs", "/files"])
            fault = lottery.choice(FAULTS)
            tuning.resource.fault(method=method, path_contains=path, **fault)
        persistent(tuning, request)
    jobs, files = tuning.all_jobs(), tuning.all_files()
    assert sorted(job.metadata["job"] for job in jobs) == sorted(
        request.job_name for request in requests
    )
    assert not [job for job in jobs if job.status == "cancelled"]
    assert len({file.filename for file in files}) == len(files) == 2 * ROUNDS


def test_a_second_job_of_the_same_name_is_cancelled_and_the_oldest_stays(
    new_resource: NewResource,
) -> None:
    tuning = new_resource(pace=600)
    file = tuning.ready_file(request := tuning.put(request_of(), chat_lines(12)))
    made = [tuning.resource.create(file, metadata={"job": request.job_name})[1] for _ in range(3)]
    expected = min(made, key=lambda job: (job["created_at"], job["id"]))["id"]
    assert tuning.backend.submit(request).job == expected
    statuses = {job["id"]: job["status"] for job in tuning.resource.jobs()}
    assert [job for job, status in statuses.items() if status != "cancelled"] == [expected]


CALLS: dict[str, Callable[[Tuning, FineTuneRequest], object]] = {
    "submit": lambda tuning, request: tuning.backend.submit(request),
    "poll": lambda tuning, request: tuning.backend.poll("ftjob-1"),
    "cancel": lambda tuning, request: tuning.backend.cancel("ftjob-1"),
    "preflight": lambda tuning, request: tuning.backend.preflight(student()),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_passing_fault_is_retried_after_the_time_that_the_service_names(
    new_resource: NewResource, call: str, status: int
) -> None:
    tuning = new_resource()
    tuning.resource.fault(status=status, retry_after=7)
    with pytest.raises(TransientError, match=f"answered {status}: The emulator was told") as raised:
        CALLS[call](tuning, request_of())
    assert raised.value.retry_after == 7


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_broken_connection_is_retried(new_resource: NewResource, call: str, drop: str) -> None:
    tuning = new_resource()
    tuning.resource.fault(drop=drop)
    with pytest.raises(TransientError, match="could not be reached"):
        CALLS[call](tuning, request_of())


@pytest.mark.parametrize("status", [401, 403])
def test_denied_access_names_setting_and_role_and_never_the_key(
    new_resource: NewResource, status: int
) -> None:
    tuning = new_resource()
    tuning.resource.fault(status=status, message=f"The key {KEY} is not ours.")
    with pytest.raises(
        PermanentError, match=r"AZURE_OPENAI_API_KEY.*Cognitive Services OpenAI Contributor"
    ) as raised:
        tuning.backend.poll("ftjob-1")
    assert raised.value.code == "openai_access"
    assert KEY not in str(raised.value)


def test_what_the_service_refuses_is_permanent_and_in_its_own_words(
    new_resource: NewResource,
) -> None:
    tuning = new_resource()
    tuning.ready_file(
        request := tuning.put(request_of(student(hyperparameters={"n_epochs": 99})), chat_lines(12))
    )
    with pytest.raises(
        PermanentError, match=r"could not be submitted .*: Invalid value for .*n_epochs"
    ):
        tuning.backend.submit(request)
    tuning.resource.fault(status=409, message="A job of this kind runs already.")
    with pytest.raises(PermanentError, match="runs already"):
        tuning.backend.submit(request)


def test_a_service_that_cannot_be_reached_is_retried(new_resource: NewResource) -> None:
    tuning = new_resource().with_settings(AZURE_OPENAI_BASE_URL="http://127.0.0.1:9/openai/v1")
    for call in CALLS.values():
        with pytest.raises(TransientError, match="could not be reached"):
            call(tuning, request_of())


def test_a_job_whose_metrics_cannot_be_read_is_polled_all_the_same(
    new_resource: NewResource,
) -> None:
    tuning = new_resource()
    job = tuning.submit(tuning.put(request_of(), chat_lines(12))).job
    tuning.wait(job)
    tuning.resource.fault(path_contains="/events", status=500)
    state = tuning.backend.poll(job)
    assert (state.status, state.metrics) == (JobStatus.COMPLETED, {})
    assert tuning.backend.poll(job).metrics != {}


def test_a_refused_cancellation_of_a_running_job_is_an_error(new_resource: NewResource) -> None:
    tuning = new_resource(pace=600)
    tuning.ready_file(request := tuning.put(request_of(), chat_lines(12)))
    job = tuning.backend.submit(request).job
    tuning.resource.fault(path_contains="/cancel", status=400, message="Not now.")
    with pytest.raises(PermanentError, match=r"could not be cancelled: Not now\."):
        tuning.backend.cancel(job)


def test_a_job_that_ends_while_it_is_being_cancelled_is_shown_as_ended(
    new_resource: NewResource,
) -> None:
    tuning = new_resource(pace=0.3)
    job = tuning.submit(tuning.put(request_of(), chat_lines(12))).job
    tuning.resource.fault(
        path_contains="/cancel", status=400, message="It has ended.", delay_seconds=1.0
    )
    assert tuning.backend.cancel(job).status is JobStatus.COMPLETED


def test_a_dataset_that_is_missing_or_changed_is_permanent(new_resource: NewResource) -> None:
    tuning = new_resource()
    request = tuning.put(request_of(), chat_lines(12))
    changed = request.training.model_copy(update={"bytes": 5})
    with pytest.raises(PermanentError, match="instead of 5: it was changed"):
        tuning.backend.submit(request.model_copy(update={"training": changed}))
    missing = request.training.model_copy(update={"blob": "nowhere/train.jsonl"})
    with pytest.raises(PermanentError, match=r"nowhere/train\.jsonl is not in container runs"):
        tuning.backend.submit(request.model_copy(update={"training": missing}))


def test_a_dataset_that_is_too_large_for_the_service_is_refused_before_it_is_read(
    new_resource: NewResource,
) -> None:
    tuning = new_resource()
    request = tuning.put(request_of(), chat_lines(12))
    huge = request.training.model_copy(update={"bytes": 2**30})
    with pytest.raises(PermanentError, match="use another backend, or fewer rows"):
        tuning.backend.submit(request.model_copy(update={"training": huge}))
