"""Fine-tuning in an AzureML workspace, through its SDK: a custom-model chat-completion job on serverless compute.

The job's name is the run id and its data is named by URI, so that submitting twice is one job and nothing is uploaded.
`create_finetuning_job` of the SDK fails without validation data, which is why the job is built directly.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from shared.core.errors import NotFound, PermanentError
from shared.core.settings import Settings
from shared.finetuning.azureml import metrics as azureml_metrics
from shared.finetuning.azureml.access import access_problems
from shared.finetuning.azureml.client import Workspace, registry_client, workspace_client
from shared.finetuning.azureml.errors import problem_of, service_errors
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
from shared.students.catalogue import ASSET_ID, find_student

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

log = logging.getLogger(__name__)

MODEL_OUTPUT = (
    "registered_model"  # the output's name is the service's; what it names is registered at the end
)
TASK = "chatCompletion"
WITH_METRICS = frozenset({JobStatus.RUNNING, JobStatus.FINALIZING, JobStatus.COMPLETED})


class AzureMLBackend:
    """Jobs of one workspace. `datastore` is the one that points at container `runs`, None where data is named by blob URI."""

    model_output = MODEL_OUTPUT

    def __init__(self, workspace: Workspace, datastore: str | None) -> None:
        self._workspace = workspace
        self._datastore = datastore

    def preflight(self, student: StudentSpec) -> list[str]:
        """What stands in the way, each with its remedy. Raises TransientError when the service cannot say."""
        problems = problem_of(self._check_workspace) or self._access_problems()
        if not problems and self._datastore:
            problems += problem_of(self._check_datastore)
        if student.compute:
            problems += problem_of(self._check_compute, student.compute)
        return problems + self._student_problems(student)

    def _student_problems(self, student: StudentSpec) -> list[str]:
        return problem_of(_check_student, student.model or "")

    def warnings(self, student: StudentSpec) -> list[str]:
        """A student whose fine-tuning is offered in other regions than the workspace's, as far as our table knows."""
        known, name = find_student(student.model or ""), self._workspace.name
        if not known.regions or student.compute:
            return []
        with service_errors(f"AzureML workspace {name} cannot be read"):
            location = cast(Any, self._client().workspaces).get(name).location or ""
        region = location.replace(" ", "").lower()
        if region in known.regions:
            return []
        offered = ", ".join(known.regions)
        return [
            f"{known.name} was last known to be fine-tuned in {offered}, and workspace {name} lies in {region}"
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
        """Raises NotFound when there is no job of this name."""
        with service_errors(f"fine-tuning job {job_name} could not be read"):
            client = self._client()
            return self._state(client, client.jobs.get(job_name))

    def cancel(self, job_name: str) -> JobState:
        """Ask for cancellation, without waiting for it; a job that has ended stays as it is."""

        def ask() -> None:
            with service_errors(f"fine-tuning job {job_name} could not be cancelled"):
                self._client().jobs.begin_cancel(job_name, polling=False)

        return ask_to_cancel(lambda: self.poll(job_name), ask)

    def conclude(self, request: FineTuneRequest, state: JobState) -> JobRecord:
        """The curve of the training. Nothing was uploaded for this job alone, so that nothing is left to tidy up."""
        return JobRecord(curve=azureml_metrics.curve(self._client(), state.name))

    def _client(self) -> MLClient:
        return workspace_client(self._workspace)

    def _create(self, request: FineTuneRequest) -> JobState:
        with service_errors(f"fine-tuning job {request.job_name} could not be submitted"):
            client = self._client()
            return self._state(client, cast(Any, client.jobs).create_or_update(self._job(request)))

    def _job(self, request: FineTuneRequest) -> Any:
        return _job(request)

    def _state(self, client: MLClient, job: Any) -> JobState:
        status = azureml_status(job.status)
        return JobState(
            name=job.name,
            status=status,
            service_status=job.status or "Unknown",
            message=self._failure(client, job.name) if status is JobStatus.FAILED else None,
            url=_studio_url(job),
            registered_model=_registered_model(client, job, self.model_output)
            if status is JobStatus.COMPLETED
            else None,
            metrics=azureml_metrics.latest(client, job.name) if status in WITH_METRICS else {},
        )

    def _failure(self, client: MLClient, job_name: str) -> str | None:
        """Why a job failed. Only the run history knows, which the SDK reads but shows nowhere."""
        try:
            with service_errors("the reason could not be read"):
                history = cast(Any, client.jobs)._runs_operations
                error = history.get_run(job_name).error
        except (
            Exception
        ) as problem:  # a reason that cannot be read must not hide that the job has failed
            log.warning("job %s failed, and %s", job_name, problem)
            return None
        return getattr(getattr(error, "error", None), "message", None)

    def _check_workspace(self) -> None:
        name = self._workspace.name
        with service_errors(
            f"AzureML workspace {name} cannot be used (check the settings AZUREML_*)"
        ):
            cast(Any, self._client().workspaces).get(name)

    def _access_problems(self) -> list[str]:
        with service_errors(
            f"permissions in AzureML workspace {self._workspace.name} could not be read"
        ):
            return access_problems(self._client(), self._workspace)

    def _check_compute(self, name: str) -> None:
        with service_errors(f"compute {name} cannot be used (check student.compute)"):
            self._client().compute.get(name)

    def _check_datastore(self) -> None:
        name = self._datastore or ""
        remedy = "create it over container runs, or remove the setting AZUREML_DATASTORE"
        with service_errors(f"datastore {name} cannot be used ({remedy})"):
            self._client().datastores.get(name)


def open_backend(settings: Settings) -> FineTuningBackend:
    """Return the backend of the workspace in the app settings."""
    return AzureMLBackend(Workspace.of(settings), settings.azureml_datastore)


def _check_student(model: str) -> None:
    asset = ASSET_ID.fullmatch(model)
    if not asset:
        form = "azureml://registries/<registry>/models/<model>/versions/<version>"
        raise PermanentError(
            f"student {model!r} is not an asset id of a model registry: set student.model to {form}"
        )
    with service_errors(f"student {model} cannot be used (check student.model)"):
        models = registry_client(asset["registry"]).models
        if asset["version"]:
            models.get(asset["model"], version=asset["version"])
        else:
            models.get(asset["model"], label=asset["label"])


def _job(request: FineTuneRequest) -> Any:
    from azure.ai.ml import Input, Output
    from azure.ai.ml.entities import CustomModelFineTuningJob, JobResources

    student = request.student
    validation = Input(type="uri_file", path=request.validation.uri) if request.validation else None
    job: Any = CustomModelFineTuningJob(
        name=request.job_name,
        display_name=request.display_name,
        experiment_name=request.experiment,
        description=request.description,
        tags=dict(request.tags),
        task=TASK,
        model=Input(type="mlflow_model", path=request.student.model),
        training_data=Input(type="uri_file", path=request.training.uri),
        validation_data=validation,
        hyperparameters={
            name: _as_text(value) for name, value in request.student.hyperparameters.items()
        },
        compute=student.compute,
        resources=JobResources(instance_types=[student.instance_type])
        if student.instance_type
        else None,
        outputs={MODEL_OUTPUT: Output(type="mlflow_model", name=request.registered_model_name)},
    )
    return job


def _as_text(value: Hyperparameter) -> str:
    """The API takes texts alone."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _studio_url(job: Any) -> str | None:
    services: dict[str, Any] = job.services or {}
    studio = services.get("Studio")
    return studio.endpoint if studio else None


def _registered_model(client: MLClient, job: Any, output_name: str) -> str | None:
    """`<name>:<version>`; a name may gain versions from other jobs, so the one that this job made is looked for."""
    outputs: dict[str, Any] = job.outputs or {}
    output = outputs.get(output_name)
    if not output or not output.name:
        return None
    if output.version:
        return f"{output.name}:{output.version}"
    versions: list[Any] = list(client.models.list(name=output.name))
    own = [model for model in versions if model.job_name == job.name] or (
        versions if len(versions) == 1 else []
    )
    return f"{output.name}:{own[0].version}" if own else None
