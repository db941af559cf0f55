"""The Azure OpenAI backend through the unmodified SDK, against the emulator over HTTP."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.core.errors import NotFound, PermanentError
from shared.finetuning.base import JobStatus
from shared.finetuning.statuses import AZURE_OPENAI_STATUSES, azure_openai_status
from shared.spec.models import StudentSpec
from tests.support.azure_openai import MODEL, chat_lines
from tests.support.openai_resource import NewResource, new_resource, request_of, student

__all__ = ["new_resource"]


def test_a_good_resource_stands_in_nobodys_way(new_resource: NewResource) -> None:
    own = new_resource()
    for model in ("gpt-4.1-mini", MODEL, "Ministral-3B", "gpt-4o"):
        assert own.backend.preflight(student(model=model)) == []


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        (
            "gpt-9",
            "has no model gpt-9: set student.model to one that it can fine-tune (Ministral-3B",
        ),
        (
            "azureml://registries/azureml/models/Phi-4/versions/7",
            "set student.model to one that it can fine-tune",
        ),
        ("text-embedding-3-small", "cannot be fine-tuned in this resource"),
        (None, "no student is named"),
    ],
)
def test_preflight_names_what_is_wrong_with_the_student(
    new_resource: NewResource, model: str | None, remedy: str
) -> None:
    (problem,) = new_resource().backend.preflight(StudentSpec(backend="azure_openai", model=model))
    assert remedy in problem


def test_preflight_names_a_key_that_is_not_accepted_without_telling_it(
    new_resource: NewResource,
) -> None:
    own = new_resource(api_key="the-right-one")
    (problem,) = own.with_settings(AZURE_OPENAI_API_KEY="the-wrong-one").backend.preflight(
        student()
    )
    assert "AZURE_OPENAI_API_KEY" in problem
    assert "the-wrong-one" not in problem


def test_preflight_names_an_address_that_is_none_of_the_api(new_resource: NewResource) -> None:
    own = new_resource()
    wrong = own.resource.base_url.replace("/openai/", "/elsewhere/")
    (problem,) = own.with_settings(AZURE_OPENAI_BASE_URL=wrong).backend.preflight(student())
    assert "check AZURE_OPENAI_BASE_URL" in problem


def test_a_job_runs_to_a_fine_tuned_model(new_resource: NewResource) -> None:
    own = new_resource()
    request = own.put(request_of(), chat_lines(20), chat_lines(3))
    submitted = own.submit(request)
    assert submitted.name.startswith("ftjob-")
    done = own.wait(submitted.name)
    assert (done.status, done.service_status, done.message) == (
        JobStatus.COMPLETED,
        "succeeded",
        None,
    )
    assert (done.registered_model or "").startswith(f"{MODEL}.ft-")
    assert done.metrics.keys() == {
        "step",
        "loss",
        "accuracy",
        "validation_loss",
        "validation_accuracy",
    }
    assert done.url is None  # a link to the portal would need what the settings do not hold


def test_submit_does_not_wait_for_files_that_are_not_ready(new_resource: NewResource) -> None:
    own = new_resource(file_pace=600)
    request = own.put(request_of(), chat_lines(20))
    began = time.monotonic()
    for _ in range(2):
        state = own.backend.submit(request)
        assert (state.name, state.status, state.submitted) == ("", JobStatus.PREPARING, False)
        assert state.service_status == "files pending"
    assert time.monotonic() - began < 5
    assert (len(own.resource.files()), own.resource.jobs()) == (1, [])


def test_the_service_gets_all_that_was_asked_for(new_resource: NewResource) -> None:
    own = new_resource(pace=1)
    spec = student(
        model="Ministral-3B",
        suffix="mine",
        seed=7,
        hyperparameters={"n_epochs": 2, "learning_rate_multiplier": 0.5},
    )
    tags = {"task": "nli", "long": "x" * 600, **{f"tag{number}": "y" for number in range(20)}}
    request = own.put(request_of(spec, tags=tags), chat_lines(20), chat_lines(2))
    own.submit(request)
    (job,) = own.resource.jobs()
    assert (job["model"], job["suffix"], job["seed"]) == ("Ministral-3B", "mine", 7)
    assert (
        job["hyperparameters"]["n_epochs"],
        job["hyperparameters"]["learning_rate_multiplier"],
    ) == (2, 0.5)
    assert (job["metadata"]["job"], job["metadata"]["run"]) == (request.job_name, request.run_id)
    assert (len(job["metadata"]), len(job["metadata"]["long"])) == (16, 512)
    names = {file["id"]: file["filename"] for file in own.resource.files()}
    assert (
        names[job["training_file"]]
        == f"{request.job_name}-train-{request.training.sha256[:12]}.jsonl"
    )
    assert "-validation-" in names[job["validation_file"]]


def test_submitting_again_finds_the_job_and_its_files_of_the_first_time(
    new_resource: NewResource,
) -> None:
    own = new_resource()
    request = own.put(request_of(), chat_lines(20))
    first = own.submit(request)
    own.wait(first.name)
    again = own.backend.submit(request)
    assert (again.name, again.status) == (first.name, JobStatus.COMPLETED)
    assert (len(own.resource.files()), len(own.resource.jobs())) == (1, 1)


def test_a_job_is_found_again_among_many_others(new_resource: NewResource) -> None:
    own = new_resource(pace=600)
    request, training = own.put(request_of(), chat_lines(20)), own.resource
    file = own.ready_file(request)
    code, wanted = training.create(file, metadata={"job": request.job_name})
    assert code == 201
    for number in range(130):  # a page holds 100
        training.create(file, metadata={"job": f"other-{number}"})
    assert own.backend.submit(request).name == wanted["id"]


def test_a_job_without_metadata_is_found_by_its_file(new_resource: NewResource) -> None:
    own = new_resource(pace=600)
    request = own.put(request_of(), chat_lines(20))
    _, job = own.resource.create(own.ready_file(request))
    assert own.backend.submit(request).name == job["id"]
    assert len(own.resource.jobs()) == 1


def test_many_submissions_at_once_leave_one_job_running(new_resource: NewResource) -> None:
    own = new_resource(pace=600)
    request = own.put(request_of(), chat_lines(20))
    own.ready_file(request)
    with ThreadPoolExecutor(8) as pool:
        names = {state.name for state in pool.map(own.backend.submit, [request] * 8)}
    names |= {own.backend.submit(request).name}
    running = [job["id"] for job in own.resource.jobs() if job["status"] != "cancelled"]
    assert running == [own.backend.submit(request).name]
    assert running[0] in names


def test_a_changed_dataset_is_another_file(new_resource: NewResource) -> None:
    own = new_resource(pace=600)
    first = own.put(request_of(), chat_lines(20))
    own.backend.submit(first)
    own.backend.submit(own.put(first, chat_lines(21)))
    assert len({file["filename"] for file in own.resource.files()}) == 2


def test_a_file_that_the_service_refuses_is_told_with_its_reason_and_deleted(
    new_resource: NewResource,
) -> None:
    own = new_resource()
    request = own.put(request_of(), chat_lines(20) + b'{"text": "no"}\n')
    with pytest.raises(PermanentError, match=r"refuses the data: .*-train-.*line 21: has keys"):
        own.submit(request)
    assert own.resource.files() == []
    assert own.submit(own.put(request, chat_lines(20))).submitted  # what a resumed run does


def test_too_few_rows_fail_the_job_in_the_services_words(new_resource: NewResource) -> None:
    own = new_resource()
    failed = own.wait(own.submit(own.put(request_of(), chat_lines(9))).name)
    assert failed.status is JobStatus.FAILED
    assert failed.message == "The file has 9 rows: at least 10 are needed."


@pytest.mark.parametrize(
    "ends", [{"final_status": "canceled"}, {"final_status": "deleted"}, {"fail_rate": 1.0}]
)
def test_an_end_without_a_model_is_no_success(
    new_resource: NewResource, ends: dict[str, Any]
) -> None:
    own = new_resource(**ends)
    ended = own.wait(own.submit(own.put(request_of(), chat_lines(20))).name)
    assert ended.status in (JobStatus.FAILED, JobStatus.CANCELLED)
    assert ended.registered_model is None


def test_a_job_is_cancelled_once_however_often_it_is_asked_for(new_resource: NewResource) -> None:
    own = new_resource(pace=600)
    own.ready_file(request := own.put(request_of(), chat_lines(20)))
    job = own.backend.submit(request).name
    assert own.backend.cancel(job).status is JobStatus.CANCELLED
    assert own.backend.cancel(job).status is JobStatus.CANCELLED
    assert own.backend.submit(request).status is JobStatus.CANCELLED  # and is not created anew


def test_cancelling_a_job_that_has_ended_leaves_it_as_it_is(new_resource: NewResource) -> None:
    own = new_resource()
    done = own.wait(own.submit(own.put(request_of(), chat_lines(20))).name)
    assert own.backend.cancel(done.name) == done


def test_a_job_that_does_not_exist_is_not_found(new_resource: NewResource) -> None:
    own = new_resource()
    for ask in (own.backend.poll, own.backend.cancel):
        with pytest.raises(NotFound, match="ftjob-never"):
            ask("ftjob-never")


@pytest.mark.parametrize("status", AZURE_OPENAI_STATUSES)
def test_every_status_is_shown_as_what_it_means(new_resource: NewResource, status: str) -> None:
    own = new_resource(status_path=(status,))
    submitted = own.submit(own.put(request_of(), chat_lines(20)))
    state = own.wait_for(submitted.name, status)
    assert state.status is AZURE_OPENAI_STATUSES[status]
    assert bool(state.registered_model) == (status == "succeeded")


COURSES = [
    ("pending,running,succeeded", JobStatus.COMPLETED),
    ("created,notRunning,running,succeeded", JobStatus.COMPLETED),
    (
        "validating_files,queued,running,pausing,paused,resuming,running,succeeded",
        JobStatus.COMPLETED,
    ),
    ("validating_files,failed", JobStatus.FAILED),
    ("queued,running,failed", JobStatus.FAILED),
    ("queued,running,cancelling,cancelled", JobStatus.CANCELLED),
    ("running,canceled", JobStatus.CANCELLED),
    ("running,deleted", JobStatus.FAILED),
    ("queued,never_heard_of,running,succeeded", JobStatus.COMPLETED),
]


@pytest.mark.parametrize(("course", "end"), COURSES)
def test_each_course_ends_where_the_service_ends_it(
    new_resource: NewResource, course: str, end: JobStatus
) -> None:
    path = tuple(course.split(","))
    own = new_resource(status_path=path, pace=0.02 * len(path))
    submitted = own.submit(own.put(request_of(), chat_lines(20)))
    seen, done = own.follow(submitted.name)
    assert done.status is end
    assert (done.registered_model is not None) == (end is JobStatus.COMPLETED)
    assert set(seen) <= {azure_openai_status(status) for status in path}


def test_a_status_that_is_new_to_us_is_waited_on_not_taken_for_an_end() -> None:
    for status in (None, "", "brand_new"):
        assert azure_openai_status(status) is JobStatus.NOT_RESPONDING
    assert [
        name for name, status in AZURE_OPENAI_STATUSES.items() if status is JobStatus.COMPLETED
    ] == ["succeeded"]
