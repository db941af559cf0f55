"""How a fine-tuning job ends its run."""

from __future__ import annotations

from typing import Any

import pytest

from shared.finetuning.base import JobState, JobStatus
from shared.finetuning.outcome import CancelReason, TrainingOutcome, job_outcome


def job(status: JobStatus, **fields: Any) -> JobState:
    return JobState(job="nli-x-1", status=status, service_status=status.value.title(), **fields)


@pytest.mark.parametrize("status", [status for status in JobStatus if not status.is_terminal])
@pytest.mark.parametrize("cancelling", [None, CancelReason.USER, CancelReason.DEADLINE])
def test_what_is_no_end_is_no_outcome(status: JobStatus, cancelling: CancelReason | None) -> None:
    assert job_outcome(job(status), cancelling) is None


@pytest.mark.parametrize("cancelling", [None, CancelReason.USER, CancelReason.DEADLINE])
def test_a_completed_job_is_a_success_though_it_was_to_be_cancelled(
    cancelling: CancelReason | None,
) -> None:
    done = job(JobStatus.COMPLETED, model="student:1")
    assert job_outcome(done, cancelling) == TrainingOutcome(status="ok", job=done)


@pytest.mark.parametrize("cancelling", [None, CancelReason.USER])
def test_a_cancelled_job_cancels_the_run_whoever_cancelled_it(
    cancelling: CancelReason | None,
) -> None:
    outcome = job_outcome(job(JobStatus.CANCELLED), cancelling)
    assert outcome is not None
    assert outcome.status == "cancelled"


def test_a_job_that_was_cancelled_for_its_deadline_is_a_failure_that_says_so() -> None:
    outcome = job_outcome(job(JobStatus.CANCELLED, url="https://studio/j"), CancelReason.DEADLINE)
    assert outcome is not None
    assert outcome.error is not None
    assert outcome.status == "failed"
    assert outcome.error["message"] == (
        "fine-tuning job nli-x-1 ended as Cancelled: "
        "took longer than student.max_hours and was cancelled; "
        "see https://studio/j"
    )


@pytest.mark.parametrize(
    ("said", "told"), [("bad row 3", "bad row 3"), (None, "the service gives no reason")]
)
def test_a_failed_job_tells_the_services_reason_or_that_there_is_none(
    said: str | None, told: str
) -> None:
    outcome = job_outcome(job(JobStatus.FAILED, message=said), None)
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.status, outcome.error["code"]) == ("failed", "finetuning")
    assert outcome.error["message"] == f"fine-tuning job nli-x-1 ended as Failed: {told}"
