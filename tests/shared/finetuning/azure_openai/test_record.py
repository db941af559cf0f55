"""The record of a job that has ended, and the deletion of its files."""

from __future__ import annotations

import pytest
from openai.types.fine_tuning import FineTuningJob

from shared.finetuning.azure_openai.jobs import job_state
from shared.finetuning.base import MAX_CURVE_POINTS
from tests.support.azure_openai import chat_lines
from tests.support.openai_resource import NewResource, new_resource, request_of, student

__all__ = ["new_resource"]


def test_a_jobs_curve_checkpoints_and_events_are_recorded(
    new_resource: NewResource,
) -> None:
    tuning = new_resource()
    spec = student(hyperparameters={"n_epochs": 3})
    request = tuning.put(request_of(spec), chat_lines(20), chat_lines(3))
    record = tuning.backend.conclude(request, tuning.wait(tuning.submit(request).job))
    steps = [point["step"] for point in record.curve]
    assert steps == sorted(set(steps))
    assert 3 <= len(steps) <= MAX_CURVE_POINTS
    assert record.curve[0]["loss"] > record.curve[-1]["loss"]
    assert "validation_loss" in record.curve[-1]
    assert [checkpoint.step for checkpoint in record.checkpoints] == [20, 40, 60]
    assert record.checkpoints[-1].metrics["loss"] == record.curve[-1]["loss"]
    assert record.events[0].startswith("Job enqueued")
    assert record.events[-1] == "The job has successfully completed."
    assert (record.warnings, len(tuning.resource.files())) == ([], 2)


def test_files_are_deleted_where_the_student_says_so(new_resource: NewResource) -> None:
    tuning = new_resource()
    request = tuning.put(request_of(student(delete_files=True)), chat_lines(20), chat_lines(3))
    done = tuning.wait(tuning.submit(request).job)
    assert tuning.backend.conclude(request, done).warnings == []
    assert tuning.resource.files() == []
    assert tuning.backend.conclude(request, done).warnings == []  # once more, as activities may
    assert tuning.backend.submit(request).job == done.job  # and a late submission uploads nothing
    assert tuning.resource.files() == []


def test_what_cannot_be_read_or_deleted_at_the_end_is_a_warning(new_resource: NewResource) -> None:
    tuning = new_resource()
    request = tuning.put(request_of(student(delete_files=True)), chat_lines(20))
    done = tuning.wait(tuning.submit(request).job)
    tuning.resource.fault(path_contains="/events", status=500)
    tuning.resource.fault(path_contains="/checkpoints", status=429)
    tuning.resource.fault(method="DELETE", status=403)
    record = tuning.backend.conclude(request, done)
    first_words = [warning.partition(" ")[0] for warning in record.warnings]
    assert first_words == ["events", "checkpoints", "file"]
    assert (record.curve, record.checkpoints) == ([], [])


@pytest.mark.parametrize(("counted", "billed"), [(4321, 4321), (0, None), (None, None)])
def test_tokens_that_the_service_bills_are_shown_where_it_counts_them(
    counted: int | None, billed: int | None
) -> None:
    job = FineTuningJob.model_construct(
        id="ftjob-1", status="succeeded", error=None, fine_tuned_model="m", trained_tokens=counted
    )
    state = job_state(job)
    assert state.trained_tokens == billed
    assert ("trained_tokens" in state.model_dump()) is (billed is not None)
