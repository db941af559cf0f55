"""Fine-tuning by Azure OpenAI and Foundry: datasets are uploaded as files that a job trains on.

The service names its jobs itself, so submitting twice could make two jobs. Four measures make it
one:

- A job carries our name as `metadata.job`. Before creating one, the backend looks for a job with
  this name or one that trains on our file, because some API versions don't return metadata. The
  file's name holds job and content.
- A create whose answer is lost is a TransientError. The next `submit` finds the job.
- After a create, the jobs are listed once more. Of several made by overlapping executions, the
  oldest stays and the others are cancelled. Every execution chooses the same one.
- `Idempotency-Key` is sent, but nothing depends on it: neither OpenAI nor Azure documents it here.

One gap remains: if the service's listing lags, overlapping executions may miss each other's jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.core.errors import DistillationError, ErrorCode, NotFound, PermanentError, Problem
from shared.core.settings import Settings
from shared.finetuning.azure_openai.clients import openai_client
from shared.finetuning.azure_openai.errors import service_errors, usable
from shared.finetuning.azure_openai.jobs import (
    is_ours,
    job_arguments,
    job_state,
    model_ids,
    oldest,
    submitted_state,
)
from shared.finetuning.azure_openai.model_checks import model_problems, model_warnings
from shared.finetuning.azure_openai.models import ModelSearch, find_model
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
NEWEST_EVENTS = 20


class AzureOpenAIBackend:
    """Jobs of one resource. Datasets are read from container `runs` of the app's storage."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base_url = settings.azure_openai_base_url or ""
        self._key = settings.azure_openai_api_key
        self._searches: dict[tuple[str, ...], ModelSearch] = {}  # preflight's, by ids

    def preflight(self, student: StudentSpec) -> list[str]:
        """Return what would prevent a job, each with its remedy. Raises TransientError."""
        if not student.model:
            return ["no student is named: set student.model to a model such as gpt-4.1-mini"]
        try:
            return model_problems(student, self._search(student))
        except PermanentError as error:
            return [str(error)]

    def warnings(self, student: StudentSpec) -> list[str]:
        """Return what the resource says of the model. Raises TransientError, PermanentError."""
        return model_warnings(student, self._search(student), datetime.now(UTC).date())

    def submit(self, request: FineTuneRequest) -> JobState:
        """Create the job, or find the one of this name.

        The state is not `submitted` until the service has taken in the files.
        """
        from shared.finetuning.azure_openai.files import pending_status

        with self._errors(f"fine-tuning job {request.job_name} could not be submitted"):
            files = self._files()
            uploaded = files.uploaded(request)
            jobs = self._jobs_of(request, {file.id for file in uploaded})
            if jobs:
                return submitted_state(self._settle(jobs), request.student)
            complete = files.upload_missing(request, uploaded)
            status = pending_status(complete)
            if status:
                return JobState(
                    job="",
                    status=JobStatus.PREPARING,
                    service_status=f"files {status}",
                    submitted=False,
                )
            return self._create(request, [file.id for file in complete])

    def poll(self, job_name: str) -> JobState:
        """Return the job's state. Raises NotFound if there is no job of this id."""
        with self._errors(f"fine-tuning job {job_name} could not be read"):
            state = job_state(usable(self._client.fine_tuning.jobs.retrieve(job_name)))
        if state.status in WITHOUT_METRICS:
            return state
        return state.model_copy(update=self._progress(job_name))

    def cancel(self, job_name: str) -> JobState:
        """Request cancellation without waiting for it. A job that has ended stays as it is."""

        def ask() -> None:
            with self._errors(f"fine-tuning job {job_name} could not be cancelled"):
                self._client.fine_tuning.jobs.cancel(job_name)

        return ask_to_cancel(lambda: self.poll(job_name), ask)

    def conclude(self, request: FineTuneRequest, state: JobState) -> JobRecord:
        """Return metrics, checkpoints and events of a job that has ended.

        Deletes its files if the student's settings say so. Whatever fails becomes a warning:
        the job's outcome is known.
        """
        record = JobRecord()
        if state.job:
            self._record_events(record, state.job)
            self._record_checkpoints(record, state.job)
        if request.student.delete_files:
            with self._warnings(record, "uploaded datasets could not be deleted"):
                files = self._files()
                record.warnings.extend(files.delete(files.uploaded(request)))
        return record

    def delete_files(self, job_names: Sequence[str]) -> None:
        """Delete the files of these jobs.

        Raises TransientError, or one PermanentError that names each file that stays.
        """
        with self._errors("the uploaded datasets could not be listed"):
            files = self._files().uploaded_for(job_names)
        refusals: list[Problem] = []
        for file in files:
            try:
                with self._errors(f"file {file.filename} ({file.id}) could not be deleted"):
                    self._client.files.delete(file.id)
            except NotFound:
                continue
            except PermanentError as refusal:
                refusals.append({"where": file.filename, "problem": str(refusal)})
        if refusals:
            problems = "; ".join(refusal["problem"] for refusal in refusals)
            raise PermanentError(problems, code=ErrorCode.OPENAI, details=refusals)

    @property
    def _client(self) -> OpenAI:
        return openai_client(self._base_url, self._key)

    def _search(self, student: StudentSpec) -> ModelSearch:
        ids = model_ids(student)
        failure = f"Azure OpenAI at {self._base_url} cannot be used (check AZURE_OPENAI_BASE_URL)"
        if ids not in self._searches:
            with self._errors(failure):
                self._searches[ids] = find_model(self._client, ids)
        return self._searches[ids]

    def _files(self) -> DatasetFiles:
        from shared.finetuning.azure_openai.files import DatasetFiles

        return DatasetFiles(self._client, self._settings)

    def _errors(self, failure: str) -> AbstractContextManager[None]:
        return service_errors(failure, self._key)

    @contextmanager
    def _warnings(self, record: JobRecord, failure: str) -> Generator[None]:
        try:
            with self._errors(failure):
                yield
        except DistillationError as problem:
            record.warnings.append(str(problem))

    def _record_events(self, record: JobRecord, job_id: str) -> None:
        from shared.finetuning.azure_openai.metrics import curve_of, messages_of
        from shared.finetuning.azure_openai.paging import bounded

        with self._warnings(record, "events of the job could not be read"):
            events = list(bounded(self._client.fine_tuning.jobs.list_events(job_id, limit=100)))
            record.curve.extend(curve_of(events))
            record.events.extend(messages_of(events))

    def _record_checkpoints(self, record: JobRecord, job_id: str) -> None:
        from shared.finetuning.azure_openai.metrics import checkpoints_of
        from shared.finetuning.azure_openai.paging import bounded

        checkpoints = self._client.fine_tuning.jobs.checkpoints
        with self._warnings(record, "checkpoints of the job could not be read"):
            listed = bounded(checkpoints.list(job_id, limit=100))
            record.checkpoints.extend(checkpoints_of(listed))

    def _create(self, request: FineTuneRequest, file_ids: list[str]) -> JobState:
        """Create the job and return the state of the one that counts."""
        created = self._created(request, file_ids)
        listed = self._jobs_of(request, set(file_ids))
        others = [job for job in listed if job.id != created.id]
        return submitted_state(self._settle([created, *others]), request.student)

    def _created(self, request: FineTuneRequest, file_ids: list[str]) -> FineTuningJob:
        """Create the job with the first of the model's ids that the service takes.

        A refused request has created nothing. If all are refused, every reason is raised.
        """
        failure = f"fine-tuning job {request.job_name} could not be submitted"
        code: str = ErrorCode.OPENAI
        refusals: list[str] = []
        for model_id in model_ids(request.student):
            arguments = job_arguments(request, model_id, file_ids)
            try:
                with self._errors(f"{failure} with model {model_id}"):
                    return usable(self._client.fine_tuning.jobs.create(**arguments))
            except PermanentError as refusal:
                refusals.append(str(refusal))
                code = refusal.code
        raise PermanentError("; ".join(refusals), code=code)

    def _jobs_of(self, request: FineTuneRequest, file_ids: set[str]) -> list[FineTuningJob]:
        from shared.finetuning.azure_openai.paging import bounded

        listed = bounded(self._client.fine_tuning.jobs.list(limit=100))
        return [job for job in listed if is_ours(job, request, file_ids)]

    def _settle(self, jobs: list[FineTuningJob]) -> FineTuningJob:
        """Return the oldest of the jobs, and cancel the others."""
        first = oldest(jobs)
        for job in jobs:
            if job.id == first.id or job_state(job).status.is_terminal:
                continue
            log.warning("job %s has the same name as %s: it is cancelled", job.id, first.id)
            try:
                with self._errors(f"job {job.id} could not be cancelled"):
                    self._client.fine_tuning.jobs.cancel(job.id)
            except PermanentError as problem:  # it has ended, or was cancelled meanwhile
                log.warning("%s", problem)
        return first

    def _progress(self, job_id: str) -> dict[str, object]:
        """Return fields of the state that events tell, none if these cannot be read.

        The status still counts then. The newest events come first, so the first page is enough.
        """
        from shared.finetuning.azure_openai.metrics import latest, newest_event

        jobs = self._client.fine_tuning.jobs
        try:
            with self._errors("events could not be read"):
                events = usable(jobs.list_events(job_id, limit=NEWEST_EVENTS)).data
                return {"metrics": latest(events), "last_sign": newest_event(events)}
        except DistillationError as problem:
            log.warning("job %s: %s", job_id, problem)
            return {}


def open_backend(settings: Settings) -> FineTuningBackend:
    """Return the backend of the resource in the app settings, which the registry has checked."""
    return AzureOpenAIBackend(settings)
