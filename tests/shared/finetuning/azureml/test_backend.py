"""The AzureML backend through the unmodified SDK, against the emulator."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.emulators.azureml.environment import COMPUTE
from shared.core.errors import NotFound, PermanentError
from shared.finetuning.azureml.access import is_allowed
from shared.finetuning.azureml.backend import AzureMLBackend
from shared.finetuning.azureml.clients import clients
from shared.finetuning.base import JobState, JobStatus
from shared.students.catalogue import DEFAULT_STUDENT
from tests.support.azureml import PATIENCE, chat_rows, datastore_uri, put_lines
from tests.support.azureml_backend import STUDENT, Start, backend_of, request_of, student_of


def wait(backend: AzureMLBackend, job: str, *statuses: JobStatus) -> JobState:
    """Return the job once it has one of these statuses, or has ended if none is given."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        state = backend.poll(job)
        if state.status in statuses or (not statuses and state.status.is_terminal):
            return state
        time.sleep(0.01)  # the service tells nobody: it can only be polled
    raise AssertionError(f"{job} did not get there")


def test_a_good_workspace_has_no_problems(start: Start) -> None:
    assert start().preflight(STUDENT) == []


def test_preflight_accepts_the_latest_version_by_label(start: Start) -> None:
    assert (
        start().preflight(student_of(DEFAULT_STUDENT.replace("versions/1", "labels/latest"))) == []
    )


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"name": "typo"}, "check the settings AZUREML_"),
        ({"resource_group": "typo"}, "check the settings AZUREML_"),
        (
            {"subscription_id": "11111111-1111-1111-1111-111111111111"},
            "check the settings AZUREML_",
        ),
        ({"datastore": "typo"}, "remove the setting AZUREML_DATASTORE"),
    ],
)
def test_preflight_names_what_is_wrong_and_the_setting(
    start: Start, change: dict[str, str], remedy: str
) -> None:
    start()
    (problem,) = backend_of(**change).preflight(STUDENT)
    assert remedy in problem
    assert next(iter(change.values())) in problem


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o-mini",
        DEFAULT_STUDENT.replace("azureml-mistral", "typo"),
        DEFAULT_STUDENT.replace("Ministral-3B", "Typo"),
        DEFAULT_STUDENT.replace("versions/1", "versions/7"),
        DEFAULT_STUDENT.replace("versions/1", "labels/stable"),
        "azureml://registries/azureml/models/Typo/labels/latest",
    ],
)
def test_preflight_refuses_a_student_that_does_not_exist(start: Start, model: str) -> None:
    (problem,) = start().preflight(student_of(model))
    assert model in problem
    assert "student.model" in problem


def test_all_problems_are_reported_at_once(start: Start) -> None:
    start()
    assert len(backend_of(datastore="typo").preflight(student_of("typo"))) == 2


def test_a_job_runs_to_a_registered_model_with_a_studio_link(azurite: str, start: Start) -> None:
    backend = start()
    request = request_of(put_lines(azurite, "sdk/train.jsonl", chat_rows(10)))
    submitted = backend.submit(request)
    done = wait(backend, request.job_name)
    assert submitted.job == done.job == request.job_name
    assert (done.status, done.service_status, done.message) == (
        JobStatus.COMPLETED,
        "Completed",
        None,
    )
    assert done.model == f"{request.registered_model_name}:1"
    assert f"/runs/{request.job_name}?" in (done.url or "")
    assert "tid=" in (done.url or "")


def test_the_service_gets_all_that_was_asked_for_and_data_by_reference_only(
    azurite: str, start: Start
) -> None:
    validation = put_lines(azurite, "sdk/validation.jsonl", chat_rows(1))
    request = request_of(
        put_lines(azurite, "sdk/train.jsonl", chat_rows(10)),
        validation_uri=validation,
        student={"hyperparameters": {"num_train_epochs": 3, "learning_rate": 1e-05}},
    )
    backend = start()
    backend.submit(request)
    client = clients().workspace(backend.workspace)
    job: Any = client.jobs.get(request.job_name)
    assert (job.display_name, job.experiment_name) == (request.display_name, request.experiment)
    assert (job.tags, job.task) == (request.tags, "chatCompletion")
    assert job.hyperparameters == {"num_train_epochs": "3", "learning_rate": "1e-05"}
    uris = [data.path for data in (job.model, job.training_data, job.validation_data)]
    assert uris == [DEFAULT_STUDENT, request.training.uri, validation]
    assert job.description.startswith(request.description)


def test_many_submissions_at_once_are_one_job(azurite: str, start: Start) -> None:
    backend = start()
    request = request_of(put_lines(azurite, "sdk/train.jsonl", chat_rows(10)))
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(backend.submit, [request] * 8))
    assert {state.job for state in states} == {request.job_name}
    assert wait(backend, request.job_name).model == f"{request.registered_model_name}:1"


def test_a_failed_job_carries_the_services_reason(start: Start) -> None:
    backend = start()
    request = request_of(datastore_uri("missing/train.jsonl"))
    backend.submit(request)
    failed = wait(backend, request.job_name)
    assert (failed.status, failed.model) == (JobStatus.FAILED, None)
    assert "missing/train.jsonl" in (failed.message or "")


def test_cancelling_twice_asks_once(start: Start) -> None:
    backend = start(pace=600)
    request = request_of()
    backend.submit(request)
    assert backend.cancel(request.job_name).status is JobStatus.CANCELLING
    assert backend.cancel(request.job_name).status is JobStatus.CANCELLING


def test_cancelling_a_job_that_has_ended_leaves_it_as_it_is(azurite: str, start: Start) -> None:
    backend = start()
    request = request_of(put_lines(azurite, "sdk/train.jsonl", chat_rows(10)))
    backend.submit(request)
    done = wait(backend, request.job_name)
    assert backend.cancel(request.job_name) == done


def test_a_job_that_does_not_exist_is_not_found(start: Start) -> None:
    backend = start()
    with pytest.raises(NotFound, match="never-submitted"):
        backend.poll("never-submitted")
    with pytest.raises(NotFound, match="never-submitted"):
        backend.cancel("never-submitted")


def test_what_the_service_refuses_is_permanent_and_in_its_own_words(start: Start) -> None:
    backend = start()
    with pytest.raises(PermanentError, match="lora_rank is not a hyperparameter of Ministral 3B"):
        backend.submit(request_of(student={"hyperparameters": {"lora_rank": 8}}))


def test_the_datastore_need_not_exist_where_data_is_named_by_blob_uri(start: Start) -> None:
    start()
    assert backend_of(datastore=None).preflight(STUDENT) == []
    assert backend_of(datastore="missing").preflight(STUDENT) != []


def test_an_identity_that_may_only_read_is_reported_before_anything_is_paid_for(
    start: Start,
) -> None:
    backend = start(role="Reader")
    (problem,) = backend.preflight(STUDENT)
    assert "may not submit jobs or cancel jobs" in problem
    assert "AzureML Data Scientist" in problem
    with pytest.raises(PermanentError, match="access is denied"):
        backend.submit(request_of())


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ([], False),
        ([{"actions": ["*"]}], True),
        (
            [
                {
                    "actions": ["*"],
                    "notActions": ["Microsoft.MachineLearningServices/workspaces/jobs/*"],
                }
            ],
            False,
        ),
        (
            [
                {"actions": ["*/read"]},
                {"actions": ["microsoft.machinelearningservices/workspaces/*/WRITE"]},
            ],
            True,
        ),
        ([{"actions": ["*"], "notActions": ["*/write"]}, {"actions": ["*/jobs/write"]}], True),
        ([{"actions": ["Microsoft.Storage/*"]}], False),
    ],
)
def test_roles_allow_the_union_of_their_actions_each_without_its_exceptions(
    permissions: list[dict[str, list[str]]], allowed: bool
) -> None:
    assert (
        is_allowed("Microsoft.MachineLearningServices/workspaces/jobs/write", permissions)
        is allowed
    )


def test_metrics_are_shown_while_a_job_runs(azurite: str, start: Start) -> None:
    backend = start(status_path=("Running",))
    request = request_of(put_lines(azurite, "sdk/metrics.jsonl", chat_rows(10)))
    state = backend.submit(request)
    while state.status is not JobStatus.RUNNING or not state.metrics:
        state = backend.poll(request.job_name)
    assert state.metrics == {"step": 400.0, "loss": 0.429305}


def test_the_curve_of_a_job_that_has_ended_is_kept(azurite: str, start: Start) -> None:
    backend = start()
    request = request_of(put_lines(azurite, "sdk/metrics.jsonl", chat_rows(10)))
    backend.submit(request)
    done = wait(backend, request.job_name)
    curve = backend.conclude(request, done).curve
    losses = [point["loss"] for point in curve]
    assert losses == sorted(losses, reverse=True)
    assert (len(curve), curve[-1]) == (20, {"step": 400.0, "loss": 0.429305})
    assert done.metrics == curve[-1]


def test_a_job_runs_on_the_compute_or_the_machine_that_the_student_names(
    azurite: str, start: Start
) -> None:
    backend = start()
    training = put_lines(azurite, "sdk/train.jsonl", chat_rows(10))
    for setting in ({"compute": COMPUTE}, {"instance_type": "Standard_NC24ads_A100_v4"}):
        request = request_of(training, student=setting)
        backend.submit(request)
        client = clients().workspace(backend.workspace)
        job: Any = client.jobs.get(request.job_name)
        assert (job.compute or "").endswith(setting.get("compute", ""))
        assert (job.resources.instance_types if job.resources else None) == (
            [setting["instance_type"]] if "instance_type" in setting else None
        )


def test_a_compute_that_does_not_exist_is_reported_before_anything_is_paid_for(
    start: Start,
) -> None:
    (problem,) = start().preflight(STUDENT.model_copy(update={"compute": "typo"}))
    assert "compute typo cannot be used (check student.compute)" in problem


def test_a_workspace_outside_the_students_regions_is_a_warning_only(
    start: Start,
) -> None:
    backend = start()
    llama = student_of("azureml://registries/azureml-meta/models/Llama-3.3-70B-Instruct/versions/4")
    (warning,) = backend.warnings(llama)
    assert "fine-tuned in westus3, and workspace local is in eastus2" in warning
    assert backend.preflight(llama) == []
    assert (
        backend.warnings(STUDENT)
        == backend.warnings(student_of("azureml://registries/r/models/new/versions/1"))
        == []
    )
