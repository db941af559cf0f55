"""Hosted fine-tuning in an AzureML workspace: custom-model chat-completion jobs.

A job's name is the run id and its data is named by URI, so submitting twice is one job and nothing
is uploaded. The SDK's `create_finetuning_job` fails without validation data, so the job is built
directly.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from shared.core.errors import NotFound, PermanentError
from shared.core.settings import Settings
from shared.finetuning.azureml import metrics as azureml_metrics
from shared.finetuning.azureml.access import access_problems
from shared.finetuning.azureml.clients import clients
from shared.finetuning.azureml.errors import problem_of, service_errors
from shared.finetuning.azureml.rest import WorkspaceRest
from shared.finetuning.azureml.workspace import Workspace
from shared.finetuning.base import (
    FineTuneRequest,
    FineTuningBackend,
    JobRecord,
    JobState,
    JobStatus,
    ask_to_cancel,
)
from shared.finetuning.statuses import azureml_status
from shared.spec.models import Hyperparameter, StudentSpec
from shared.students.asset_names import model_problem
from shared.students.backends import AZUREML
from shared.students.catalogue import ASSET_ID, find_student

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

log = logging.getLogger(__name__)

MODEL_OUTPUT = "registered_model"  # the service's name for the output that is registered
TASK = "chatCompletion"
WITH_METRICS = frozenset({JobStatus.RUNNING, JobStatus.FINALIZING, JobStatus.COMPLETED})


class AzureMLBackend:
    """Jobs of one workspace.

    `datastore` is the one over container `runs`, None if jobs read data by blob URI.
    """

    model_output = MODEL_OUTPUT

    def __init__(self, workspace: Workspace, datastore: str | None) -> None:
        self.workspace = workspace
        self._datastore = datastore

    def preflight(self, student: StudentSpec) -> list[str]:
        """Return what would prevent a job, each with its remedy. Raises TransientError."""
        problems = problem_of(self._check_workspace) or self._access_problems()
        if not problems and self._datastore:
            problems += problem_of(self._check_datastore, self._datastore)
        if student.compute:
            problems += problem_of(self._check_compute, student.compute)
        return problems + self._student_problems(student)

    def warnings(self, student: StudentSpec) -> list[str]:
        """Warn if the student's fine-tuning is offered in regions other than the workspace's."""
        listed = find_student(student.model or "")
        if not listed.regions or student.compute:
            return []
        name = self.workspace.name
        with service_errors(f"AzureML workspace {name} cannot be read"):
            location = cast(Any, self._client.workspaces).get(name).location or ""
        region = location.replace(" ", "").lower()
        if region in listed.regions:
            return []
        offered = ", ".join(listed.regions)
        return [
            f"{listed.name} was last known to be fine-tuned in {offered}, "
            f"and workspace {name} is in {region}"
        ]

    def submit(self, request: FineTuneRequest) -> JobState:
        """Submit the job, or find the one of this name that exists already."""
        try:
            return self.poll(request.job_name)
        except NotFound:
            pass
        try:
            return self._create(request)
        except PermanentError:
            try:
                return self.poll(request.job_name)  # another submission of this job came first
            except NotFound:
                pass
            raise

    def poll(self, job_name: str) -> JobState:
        """Return the job's state. Raises NotFound if there is no job of this name."""
        with service_errors(f"fine-tuning job {job_name} could not be read"):
            return self._state(self._client.jobs.get(job_name))

    def cancel(self, job_name: str) -> JobState:
        """Request cancellation without waiting for it. A job that has ended stays as it is."""

        def ask() -> None:
            with service_errors(f"fine-tuning job {job_name} could not be cancelled"):
                self._client.jobs.begin_cancel(job_name, polling=False)

        return ask_to_cancel(lambda: self.poll(job_name), ask)

    def conclude(self, request: FineTuneRequest, state: JobState) -> JobRecord:
        """Return the curve of the training. Nothing was uploaded, so nothing is tidied up."""
        return JobRecord(curve=azureml_metrics.curve(self._rest, state.job))

    def delete_files(self, job_names: Sequence[str]) -> None:
        """Do nothing: jobs read the run's own files, and no copy is made."""

    @property
    def _client(self) -> MLClient:
        return clients().workspace(self.workspace)

    @property
    def _rest(self) -> WorkspaceRest:
        return clients().rest(self.workspace)

    def _create(self, request: FineTuneRequest) -> JobState:
        with service_errors(f"fine-tuning job {request.job_name} could not be submitted"):
            jobs: Any = self._client.jobs
            return self._state(jobs.create_or_update(self._job(request)))

    def _job(self, request: FineTuneRequest) -> Any:
        return _finetuning_job(request)

    def _state(self, job: Any) -> JobState:
        status = azureml_status(job.status)
        model: str | None = None
        message: str | None = None
        metrics: dict[str, float] = {}
        if status is JobStatus.COMPLETED:
            model = _registered_model(self._client, job, self.model_output)
        if status is JobStatus.FAILED:
            message = self._failure(job.name)
        if status in WITH_METRICS:
            metrics = azureml_metrics.latest(self._rest, job.name)
        return JobState(
            job=job.name,
            status=status,
            service_status=job.status or "Unknown",
            url=_studio_url(job),
            model=model,
            message=message,
            metrics=metrics,
        )

    def _failure(self, job_name: str) -> str | None:
        """Return why a job failed, which only the run history knows."""
        try:
            with service_errors("the reason could not be read"):
                return self._rest.failure(job_name)
        except Exception as problem:  # that the job has failed must be shown in any case
            log.warning("job %s failed, and %s", job_name, problem)
            return None

    def _student_problems(self, student: StudentSpec) -> list[str]:
        return problem_of(_check_student, student.model or "")

    def _check_workspace(self) -> None:
        name = self.workspace.name
        remedy = "check the settings AZUREML_*"
        with service_errors(f"AzureML workspace {name} cannot be used ({remedy})"):
            cast(Any, self._client.workspaces).get(name)

    def _access_problems(self) -> list[str]:
        name = self.workspace.name
        with service_errors(f"permissions in AzureML workspace {name} could not be read"):
            return access_problems(self._rest, name)

    def _check_compute(self, name: str) -> None:
        with service_errors(f"compute {name} cannot be used (check student.compute)"):
            self._client.compute.get(name)

    def _check_datastore(self, name: str) -> None:
        remedy = "create it over container runs, or remove the setting AZUREML_DATASTORE"
        with service_errors(f"datastore {name} cannot be used ({remedy})"):
            self._client.datastores.get(name)


def open_backend(settings: Settings) -> FineTuningBackend:
    """Return the backend of the workspace in the app settings."""
    return AzureMLBackend(Workspace.of(settings), settings.azureml_datastore)


def _check_student(model: str) -> None:
    asset = ASSET_ID.fullmatch(model)
    if not asset:
        raise PermanentError(f"student {model_problem(model, AZUREML)}")
    with service_errors(f"student {model} cannot be used (check student.model)"):
        models = clients().registry(asset["registry"]).models
        if asset["version"]:
            models.get(asset["model"], version=asset["version"])
        else:
            models.get(asset["model"], label=asset["label"])


def _finetuning_job(request: FineTuneRequest) -> Any:
    from azure.ai.ml import Input, Output
    from azure.ai.ml.entities import CustomModelFineTuningJob, JobResources

    student = request.student
    validation = None
    if request.validation:
        validation = Input(type="uri_file", path=request.validation.uri)
    resources = None
    if student.instance_type:
        resources = JobResources(instance_types=[student.instance_type])
    job: Any = CustomModelFineTuningJob(
        name=request.job_name,
        display_name=request.display_name,
        experiment_name=request.experiment,
        description=request.description,
        tags=dict(request.tags),
        task=TASK,
        model=Input(type="mlflow_model", path=student.model),
        training_data=Input(type="uri_file", path=request.training.uri),
        validation_data=validation,
        hyperparameters={name: _as_text(value) for name, value in student.hyperparameters.items()},
        compute=student.compute,
        resources=resources,
        outputs={MODEL_OUTPUT: Output(type="mlflow_model", name=request.registered_model_name)},
    )
    return job


def _as_text(value: Hyperparameter) -> str:
    """Return a hyperparameter as the API takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _studio_url(job: Any) -> str | None:
    studio = job.services.get("Studio") if job.services else None
    return studio.endpoint if studio else None


def _registered_model(client: MLClient, job: Any, output_name: str) -> str | None:
    """Return `<name>:<version>` of the model that this job registered.

    Other jobs may add versions to the same name, so the one that names this job counts.
    """
    output = job.outputs.get(output_name) if job.outputs else None
    if not output or not output.name:
        return None
    if output.version:
        return f"{output.name}:{output.version}"
    versions: list[Any] = list(client.models.list(name=output.name))
    for model in versions:
        if model.job_name == job.name:
            return f"{output.name}:{model.version}"
    return f"{output.name}:{versions[0].version}" if len(versions) == 1 else None
