"""Fine-tuning by Azure OpenAI and Foundry, through the openai SDK: datasets are uploaded as files, and a job is created of them.

The service names its jobs itself, so that submitting twice would be two jobs. What makes it one:

- A job carries our name of it as `metadata.job`. Before one is created, the service's jobs are looked through for it, or for one
  that trains on our file, whose name holds job and content, as some API versions do not return metadata.
- A create whose answer is lost is a TransientError; the next `submit` finds the job.
- After a create, the jobs are looked through once more. Of several, made by executions that overlapped, the oldest is kept and
  the others are cancelled; every execution chooses the same one.
- `Idempotency-Key` is sent, too. Neither OpenAI nor Azure documents for this call that it has an effect: nothing rests on it.

What is left: where the service's listing lags behind, executions that overlap may not see each other's jobs, and both run on.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from shared.core.errors import DistillationError, PermanentError
from shared.core.settings import Settings
from shared.finetuning.azure_openai.clients import openai_client
from shared.finetuning.azure_openai.errors import service_errors, usable
from shared.finetuning.azure_openai.jobs import is_ours, job_arguments, job_state, model_id, oldest
from shared.finetuning.base import (
    FineTuneRequest,
    FineTuningBackend,
    JobRecord,
    JobState,
    JobStatus,
    ask_to_cancel,
)
from shared.spec.models import StudentSpec

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob

    from shared.finetuning.azure_openai.files import DatasetFiles

log = logging.getLogger(__name__)

WITHOUT_METRICS = frozenset({JobStatus.QUEUED, JobStatus.PREPARING})


class AzureOpenAIBackend:
    """Jobs of one resource. Datasets are read from container `runs` of the settings' storage account."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base_url = settings.azure_openai_base_url or ""
        self._key = settings.azure_openai_api_key

    def preflight(self, student: StudentSpec) -> list[str]:
        """What stands in the way, each with its remedy. Raises TransientError when the service cannot say."""
        if not student.model:
            return ["no student is named: set student.model to a model such as gpt-4.1-mini"]
        try:
            with self._errors(
                f"Azure OpenAI at {self._base_url} cannot be used (check AZURE_OPENAI_BASE_URL)"
            ):
                return self._check_model(model_id(student))
        except PermanentError as error:
            return [str(error)]

    def warnings(self, student: StudentSpec) -> list[str]:
        """None: the API does not say in which region a resource lies, and preflight asks whether it trains the model."""
        return []

    def submit(self, request: FineTuneRequest) -> JobState:
        """Create the job, or find the one of this name. Until its files are ready, the state is not `submitted`."""
        with self._errors(f"fine-tuning job {request.job_name} could not be submitted"):
            from shared.finetuning.azure_openai.files import waiting_for

            files = self._files()
            known = files.known(request)
            jobs = self._jobs_of(request, {file.id for file in known})
            if jobs:
                return job_state(self._settle(jobs))
            taken = files.take_in(request, known)
            status = waiting_for(taken)
            if status:
                return JobState(
                    name="",
                    status=JobStatus.PREPARING,
                    service_status=f"files {status}",
                    submitted=False,
                )
            job = self._create(request, [file.id for file in taken])
            others = self._jobs_of(request, {file.id for file in taken})
            return job_state(
                self._settle([job, *(other for other in others if other.id != job.id)])
            )

    def poll(self, job_name: str) -> JobState:
        """Raises NotFound when there is no job of this id."""
        with self._errors(f"fine-tuning job {job_name} could not be read"):
            state = job_state(usable(self._client().fine_tuning.jobs.retrieve(job_name)))
        if state.status in WITHOUT_METRICS:
            return state
        return state.model_copy(update={"metrics": self._latest_metrics(job_name)})

    def cancel(self, job_name: str) -> JobState:
        """Ask for cancellation, without waiting for it; a job that has ended stays as it is."""

        def ask() -> None:
            with self._errors(f"fine-tuning job {job_name} could not be cancelled"):
                self._client().fine_tuning.jobs.cancel(job_name)

        return ask_to_cancel(lambda: self.poll(job_name), ask)

    def conclude(self, request: FineTuneRequest, state: JobState) -> JobRecord:
        """Metrics, checkpoints and events of a job that has ended; its files are deleted where the student's settings say so.

        What cannot be had or deleted is a warning: the job itself is over, and its outcome is known.
        """
        from shared.finetuning.azure_openai import metrics
        from shared.finetuning.azure_openai.paging import bounded

        record = JobRecord()
        if state.name:
            jobs = self._client().fine_tuning.jobs
            with self._warnings(record, "events of the job could not be read"):
                events = list(bounded(jobs.list_events(state.name, limit=100)))
                record.curve.extend(metrics.curve_of(events))
                record.events.extend(metrics.messages_of(events))
            with self._warnings(record, "checkpoints of the job could not be read"):
                found = bounded(jobs.checkpoints.list(state.name, limit=100))
                record.checkpoints.extend(metrics.checkpoints_of(found))
        if request.student.delete_files:
            with self._warnings(record, "uploaded datasets could not be deleted"):
                files = self._files()
                record.warnings.extend(files.delete(files.known(request)))
        return record

    def _client(self) -> OpenAI:
        return openai_client(self._base_url, self._key)

    def _files(self) -> DatasetFiles:
        from shared.finetuning.azure_openai.files import DatasetFiles

        return DatasetFiles(self._client(), self._settings)

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return service_errors(doing, self._key)

    @contextmanager
    def _warnings(self, record: JobRecord, what: str) -> Generator[None]:
        try:
            with self._errors(what):
                yield
        except DistillationError as problem:
            record.warnings.append(str(problem))

    def _create(self, request: FineTuneRequest, files: list[str]) -> FineTuningJob:
        return usable(self._client().fine_tuning.jobs.create(**job_arguments(request, files)))

    def _jobs_of(self, request: FineTuneRequest, files: set[str]) -> list[FineTuningJob]:
        from shared.finetuning.azure_openai.paging import bounded

        listed = bounded(self._client().fine_tuning.jobs.list(limit=100))
        return [job for job in listed if is_ours(job, request, files)]

    def _settle(self, jobs: list[FineTuningJob]) -> FineTuningJob:
        """The one that counts. Others of the same name are cancelled."""
        kept = oldest(jobs)
        for job in jobs:
            if job.id == kept.id or job_state(job).status.is_terminal:
                continue
            log.warning(
                "job %s is a second one of the same name as %s: it is cancelled", job.id, kept.id
            )
            try:
                with self._errors(f"job {job.id} could not be cancelled"):
                    self._client().fine_tuning.jobs.cancel(job.id)
            except PermanentError as problem:  # it has ended, or somebody else was faster
                log.warning("%s", problem)
        return kept

    def _latest_metrics(self, job_id: str) -> dict[str, float]:
        """The first page of events is enough, as the newest come first. Without them the job's status still counts."""
        from shared.finetuning.azure_openai.metrics import latest

        try:
            with self._errors("metrics could not be read"):
                return latest(
                    usable(self._client().fine_tuning.jobs.list_events(job_id, limit=20)).data
                )
        except DistillationError as problem:
            log.warning("job %s: %s", job_id, problem)
            return {}

    def _check_model(self, model: str) -> list[str]:
        from openai import NotFoundError

        models = self._client().models
        try:
            found = usable(models.retrieve(model))
        except NotFoundError:
            trainable = [
                each.id for each in models.list() if _can_be_tuned(each)
            ]  # not found either: not the API
            offered = f" ({', '.join(trainable[:10])})" if trainable else ""
            return [
                f"the resource has no model {model}: set student.model to one that it can fine-tune{offered}"
            ]
        if _can_be_tuned(found) is False:
            return [
                f"model {model} cannot be fine-tuned in this resource: set student.model to another, or use another region"
            ]
        return []


def open_backend(settings: Settings) -> FineTuningBackend:
    """Return the backend of the resource in the app settings, which the registry has checked."""
    return AzureOpenAIBackend(settings)


def _can_be_tuned(model: Any) -> bool | None:
    """None where the service does not say: capabilities are Azure's addition."""
    capabilities = getattr(model, "capabilities", None)
    return (
        cast(dict[str, Any], capabilities).get("fine_tune")
        if isinstance(capabilities, dict)
        else None
    )
