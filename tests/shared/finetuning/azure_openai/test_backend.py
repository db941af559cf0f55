"""The Azure OpenAI backend through the unmodified SDK, against the emulator over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import OpenAI

from shared.core.errors import NotFound, PermanentError, TransientError
from shared.finetuning.azure_openai.models import ModelSearch, find_model
from shared.finetuning.base import JobStatus
from shared.finetuning.statuses import AZURE_OPENAI_STATUSES, azure_openai_status
from shared.spec.models import StudentSpec
from tests.support.azure_openai import MODEL, chat_lines
from tests.support.openai_resource import NewResource, new_resource, request_of, student

__all__ = ["new_resource"]


def test_a_good_resource_has_no_problems_and_is_asked_for_each_model_once(
    new_resource: NewResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[tuple[str, ...]] = []

    def search(client: OpenAI, ids: tuple[str, ...]) -> ModelSearch:
        searches.append(ids)
        return find_model(client, ids)

    monkeypatch.setattr("shared.finetuning.azure_openai.backend.find_model", search)
    backend = new_resource().backend
    for model in ("gpt-4.1-mini", MODEL, "gpt-4o"):
        assert backend.preflight(student(model=model)) == []
        backend.warnings(student(model=model))
    assert len(searches) == len(set(searches)) == 2


@pytest.mark.parametrize(
    "model", ["Ministral-3B", "Qwen-32B", "Llama-3.3-70B-Instruct", "gpt-oss-20b", "gpt-oss-20b-11"]
)
def test_open_students_pass_although_the_service_says_that_they_cannot_be_trained(
    new_resource: NewResource, model: str
) -> None:
    backend = new_resource().backend
    assert backend.preflight(student(model=model)) == []
    assert backend.warnings(student(model=model)) == []


def test_a_region_without_training_names_the_training_type_that_works(
    new_resource: NewResource,
) -> None:
    backend = new_resource(no_regional_training=True).backend
    (problem,) = backend.preflight(student())
    assert "set student.training_type to global or developer" in problem
    assert backend.preflight(student(training_type="global")) == []


def test_a_projects_address_that_lists_no_models_is_a_warning(new_resource: NewResource) -> None:
    backend = new_resource(no_models=True).backend
    assert backend.preflight(student()) == []
    assert "lists no models" in backend.warnings(student())[0]


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


def test_preflight_names_the_setting_of_a_wrong_key_and_not_the_key(
    new_resource: NewResource,
) -> None:
    tuning = new_resource(api_key="the-right-one")
    other = tuning.with_settings(AZURE_OPENAI_API_KEY="the-wrong-one")
    (problem,) = other.backend.preflight(student())
    assert "AZURE_OPENAI_API_KEY" in problem
    assert "the-wrong-one" not in problem


def test_preflight_names_the_setting_of_a_wrong_address(new_resource: NewResource) -> None:
    tuning = new_resource()
    wrong = tuning.resource.base_url.replace("/openai/", "/elsewhere/")
    (problem,) = tuning.with_settings(AZURE_OPENAI_BASE_URL=wrong).backend.preflight(student())
    assert "check AZURE_OPENAI_BASE_URL" in problem


def test_a_job_runs_to_a_fine_tuned_model(new_resource: NewResource) -> None:
    tuning = new_resource()
    request = tuning.put(request_of(), chat_lines(20), chat_lines(3))
    submitted = tuning.submit(request)
    assert submitted.job.startswith("ftjob-")
    done = tuning.wait(submitted.job)
    assert (done.status, done.service_status, done.message) == (
        JobStatus.COMPLETED,
        "succeeded",
        None,
    )
    assert (done.model or "").startswith(f"{MODEL}.ft-")
    assert done.metrics.keys() == {
        "step",
        "loss",
        "accuracy",
        "validation_loss",
        "validation_accuracy",
    }
    assert done.url is None  # a link to the portal would need what the settings do not hold


def test_submit_does_not_wait_for_files_that_are_not_ready(new_resource: NewResource) -> None:
    tuning = new_resource(file_pace=600)
    request = tuning.put(request_of(), chat_lines(20))
    for _ in range(2):
        state = tuning.backend.submit(request)
        assert (state.job, state.status, state.submitted) == ("", JobStatus.PREPARING, False)
        assert state.service_status == "files pending"
    assert (len(tuning.resource.files()), tuning.resource.jobs()) == (1, [])


def test_the_service_gets_all_that_was_asked_for(new_resource: NewResource) -> None:
    tuning = new_resource(pace=1)
    spec = student(
        model="Ministral-3B",
        suffix="mine",
        seed=7,
        hyperparameters={"n_epochs": 2, "learning_rate_multiplier": 0.5},
    )
    tags = {"task": "nli", "long": "x" * 600, **{f"tag{number}": "y" for number in range(20)}}
    request = tuning.put(request_of(spec, tags=tags), chat_lines(20), chat_lines(2))
    tuning.submit(request)
    (job,) = tuning.resource.jobs()
    assert (job["model"], job["suffix"], job["seed"]) == ("Ministral-3B", "mine", 7)
    assert job["trainingType"] == "GlobalStandard"
    assert job["hyperparameters"]["n_epochs"] == 2
    assert job["hyperparameters"]["learning_rate_multiplier"] == 0.5
    assert (job["metadata"]["job"], job["metadata"]["run"]) == (request.job_name, request.run_id)
    assert (len(job["metadata"]), len(job["metadata"]["long"])) == (16, 512)
    names = {file["id"]: file["filename"] for file in tuning.resource.files()}
    training_file = f"{request.job_name}-train-{request.training.sha256[:12]}.jsonl"
    assert names[job["training_file"]] == training_file
    assert "-validation-" in names[job["validation_file"]]


@pytest.mark.parametrize(
    ("training_type", "answered"),
    [
        (None, "Standard"),
        ("standard", "Standard"),
        ("global", "GlobalStandard"),
        ("developer", "DeveloperTier"),
        ("data_zone", "DatazoneStandard"),
    ],
)
def test_a_job_is_trained_where_the_student_says(
    new_resource: NewResource, training_type: str | None, answered: str
) -> None:
    tuning = new_resource()
    spec = student(training_type=training_type)
    state = tuning.submit(tuning.put(request_of(spec), chat_lines(20)))
    assert state.warnings == []
    assert [job["trainingType"] for job in tuning.resource.jobs()] == [answered]


def test_a_service_that_trains_elsewhere_than_asked_is_warned_of_each_time_the_job_is_found(
    new_resource: NewResource,
) -> None:
    tuning = new_resource(ignore_training_type=True)
    request = tuning.put(request_of(student(training_type="developer")), chat_lines(20))
    for state in (tuning.submit(request), tuning.submit(request)):
        (warning,) = state.warnings
        assert "is trained as Standard and not as developerTier" in warning


def test_the_id_that_the_service_has_is_used(new_resource: NewResource) -> None:
    tuning = new_resource()
    tuning.submit(tuning.put(request_of(student(model="gpt-oss-20b")), chat_lines(20)))
    assert [job["model"] for job in tuning.resource.jobs()] == ["gpt-oss-20b-11"]


def test_all_ids_of_a_model_are_tried_and_every_refusal_is_told(new_resource: NewResource) -> None:
    tuning = new_resource()
    tuning.resource.fault(method="POST", path_contains="/fine_tuning/jobs", status=400)
    first = tuning.put(request_of(student(model="gpt-oss-20b")), chat_lines(20))
    with pytest.raises(PermanentError, match=r"with model gpt-oss-20b-11: .*model gpt-oss-20b: "):
        tuning.submit(first)


def test_submitting_again_finds_the_job_and_its_files_of_the_first_time(
    new_resource: NewResource,
) -> None:
    tuning = new_resource()
    request = tuning.put(request_of(), chat_lines(20))
    first = tuning.submit(request)
    tuning.wait(first.job)
    again = tuning.backend.submit(request)
    assert (again.job, again.status) == (first.job, JobStatus.COMPLETED)
    assert (len(tuning.resource.files()), len(tuning.resource.jobs())) == (1, 1)


def test_a_job_is_found_again_among_many_others(new_resource: NewResource) -> None:
    tuning = new_resource(pace=600)
    request = tuning.put(request_of(), chat_lines(20))
    file = tuning.ready_file(request)
    code, job = tuning.resource.create(file, metadata={"job": request.job_name})
    assert code == 201
    for number in range(130):  # a page holds 100
        tuning.resource.create(file, metadata={"job": f"other-{number}"})
    assert tuning.backend.submit(request).job == job["id"]


def test_a_job_without_metadata_is_found_by_its_file(new_resource: NewResource) -> None:
    tuning = new_resource(pace=600)
    request = tuning.put(request_of(), chat_lines(20))
    _, job = tuning.resource.create(tuning.ready_file(request))
    assert tuning.backend.submit(request).job == job["id"]
    assert len(tuning.resource.jobs()) == 1


def test_many_submissions_at_once_leave_one_job_running(new_resource: NewResource) -> None:
    tuning = new_resource(pace=600)
    request = tuning.put(request_of(), chat_lines(20))
    tuning.ready_file(request)
    with ThreadPoolExecutor(8) as pool:
        names = {state.job for state in pool.map(tuning.backend.submit, [request] * 8)}
    names |= {tuning.backend.submit(request).job}
    running = [job["id"] for job in tuning.resource.jobs() if job["status"] != "cancelled"]
    assert running == [tuning.backend.submit(request).job]
    assert running[0] in names


def test_a_changed_dataset_is_another_file(new_resource: NewResource) -> None:
    tuning = new_resource(pace=600)
    first = tuning.put(request_of(), chat_lines(20))
    tuning.backend.submit(first)
    tuning.backend.submit(tuning.put(first, chat_lines(21)))
    assert len({file["filename"] for file in tuning.resource.files()}) == 2


def test_the_files_of_a_runs_jobs_are_deleted_and_no_others(new_resource: NewResource) -> None:
    tuning = new_resource(pace=0)
    first = tuning.put(request_of(), chat_lines(20), chat_lines(12))
    second = first.model_copy(update={"job_name": f"{first.job_name}-2"})
    other = tuning.put(request_of(), chat_lines(20))
    state, *_ = [tuning.submit(request) for request in (first, second, other)]
    names = [first.job_name, second.job_name]
    tuning.resource.fault(method="DELETE", status=403, message="not yours")
    with pytest.raises(
        PermanentError, match=rf"file {first.job_name}.*\(403\).*not yours"
    ) as error:
        tuning.backend.delete_files(names)
    assert (error.value.code, len(error.value.details)) == ("openai", 1)
    [remaining] = [
        file["filename"]
        for file in tuning.resource.files()
        if not file["filename"].startswith(other.job_name)
    ]
    assert remaining == error.value.details[0]["where"]
    tuning.resource.fault(method="DELETE", status=500)
    with pytest.raises(TransientError):
        tuning.backend.delete_files(names)
    for _ in range(2):
        tuning.backend.delete_files(names)
    assert [file["filename"].startswith(other.job_name) for file in tuning.resource.files()] == [
        True
    ]
    assert tuning.wait(state.job).model


def test_a_file_that_the_service_refuses_is_reported_with_its_reason_and_deleted(
    new_resource: NewResource,
) -> None:
    tuning = new_resource()
    request = tuning.put(request_of(), chat_lines(20) + b'{"text": "no"}\n')
    with pytest.raises(PermanentError, match=r"refuses the data: .*-train-.*line 21: has keys"):
        tuning.submit(request)
    assert tuning.resource.files() == []
    assert tuning.submit(tuning.put(request, chat_lines(20))).submitted  # what a resumed run does


def test_too_few_rows_fail_the_job_in_the_services_words(new_resource: NewResource) -> None:
    tuning = new_resource()
    failed = tuning.wait(tuning.submit(tuning.put(request_of(), chat_lines(9))).job)
    assert failed.status is JobStatus.FAILED
    assert failed.message == "The file has 9 rows: at least 10 are needed."


@pytest.mark.parametrize(
    "ends", [{"final_status": "canceled"}, {"final_status": "deleted"}, {"fail_rate": 1.0}]
)
def test_an_end_without_a_model_is_not_a_success(
    new_resource: NewResource, ends: dict[str, Any]
) -> None:
    tuning = new_resource(**ends)
    ended = tuning.wait(tuning.submit(tuning.put(request_of(), chat_lines(20))).job)
    assert ended.status in (JobStatus.FAILED, JobStatus.CANCELLED)
    assert ended.model is None


def test_a_job_is_cancelled_once_however_often_it_is_asked_for(new_resource: NewResource) -> None:
    tuning = new_resource(pace=600)
    tuning.ready_file(request := tuning.put(request_of(), chat_lines(20)))
    job = tuning.backend.submit(request).job
    assert tuning.backend.cancel(job).status is JobStatus.CANCELLED
    assert tuning.backend.cancel(job).status is JobStatus.CANCELLED
    assert tuning.backend.submit(request).status is JobStatus.CANCELLED  # and is not created anew


def test_cancelling_a_job_that_has_ended_leaves_it_as_it_is(new_resource: NewResource) -> None:
    tuning = new_resource()
    done = tuning.wait(tuning.submit(tuning.put(request_of(), chat_lines(20))).job)
    assert tuning.backend.cancel(done.job) == done


def test_a_job_that_does_not_exist_is_not_found(new_resource: NewResource) -> None:
    tuning = new_resource()
    for ask in (tuning.backend.poll, tuning.backend.cancel):
        with pytest.raises(NotFound, match="ftjob-never"):
            ask("ftjob-never")


@pytest.mark.parametrize("status", AZURE_OPENAI_STATUSES)
def test_every_status_is_shown_as_what_it_means(new_resource: NewResource, status: str) -> None:
    tuning = new_resource(status_path=(status,))
    submitted = tuning.submit(tuning.put(request_of(), chat_lines(20)))
    state = tuning.wait_for(submitted.job, status)
    assert state.status is AZURE_OPENAI_STATUSES[status]
    assert bool(state.model) == (status == "succeeded")


COURSES = [
    ("validating_files,pending,created,notRunning,queued,running,succeeded", JobStatus.COMPLETED),
    ("running,pausing,paused,resuming,never_heard_of,running,succeeded", JobStatus.COMPLETED),
    ("validating_files,failed", JobStatus.FAILED),
    ("queued,running,cancelling,cancelled", JobStatus.CANCELLED),
    ("running,canceled", JobStatus.CANCELLED),
    ("running,deleted", JobStatus.FAILED),
]


@pytest.mark.parametrize(("course", "end"), COURSES)
def test_each_course_ends_where_the_service_ends_it(
    new_resource: NewResource, course: str, end: JobStatus
) -> None:
    path = tuple(course.split(","))
    tuning = new_resource(status_path=path, pace=0.02 * len(path))
    submitted = tuning.submit(tuning.put(request_of(), chat_lines(20)))
    seen, done = tuning.follow(submitted.job)
    assert done.status is end
    assert (done.model is not None) == (end is JobStatus.COMPLETED)
    assert set(seen) <= {azure_openai_status(status) for status in path}


def test_one_status_alone_is_a_success() -> None:
    assert [
        name for name, status in AZURE_OPENAI_STATUSES.items() if status is JobStatus.COMPLETED
    ] == ["succeeded"]
