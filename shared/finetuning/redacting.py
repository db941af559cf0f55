"""A backend whose service may say what it likes: no secret of the app goes any further."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel

from shared.core.errors import PermanentError, Problem, TransientError
from shared.core.process import current
from shared.core.secrets import redacted_json
from shared.finetuning.base import FineTuneRequest, FineTuningBackend, JobRecord, JobState
from shared.spec.models import StudentSpec

ResultT = TypeVar("ResultT")
ModelT = TypeVar("ModelT", bound=BaseModel)


class RedactingBackend:
    """Passes every call on to `backend`, and what it returns or raises back without secrets."""

    def __init__(self, backend: FineTuningBackend) -> None:
        self.backend = backend

    def preflight(self, student: StudentSpec) -> list[str]:
        return _texts(lambda: self.backend.preflight(student))

    def warnings(self, student: StudentSpec) -> list[str]:
        return _texts(lambda: self.backend.warnings(student))

    def submit(self, request: FineTuneRequest) -> JobState:
        return _without_secrets(_called(lambda: self.backend.submit(request)))

    def poll(self, job_name: str) -> JobState:
        return _without_secrets(_called(lambda: self.backend.poll(job_name)))

    def cancel(self, job_name: str) -> JobState:
        return _without_secrets(_called(lambda: self.backend.cancel(job_name)))

    def conclude(self, request: FineTuneRequest, state: JobState) -> JobRecord:
        return _without_secrets(_called(lambda: self.backend.conclude(request, state)))

    def delete_files(self, job_names: Sequence[str]) -> None:
        _called(lambda: self.backend.delete_files(job_names))


def _texts(call: Callable[[], list[str]]) -> list[str]:
    return [current().redact_failure(text) for text in _called(call)]


def _without_secrets(model: ModelT) -> ModelT:
    data = model.model_dump(mode="json")
    redacted = redacted_json(data, current().redact_failure)
    return model if redacted is data else type(model).model_validate(redacted)


def _called(call: Callable[[], ResultT]) -> ResultT:
    """Call the backend. Raises its errors without secrets."""
    try:
        return call()
    except PermanentError as error:
        message = current().redact_failure(str(error))
        details: list[Problem] = [
            {"where": detail["where"], "problem": current().redact_failure(detail["problem"])}
            for detail in error.details
        ]
        if message == str(error) and details == error.details:
            raise
        raise type(error)(message, code=error.code, details=details) from None
    except TransientError as error:
        message = current().redact_failure(str(error))
        if message == str(error):
            raise
        raise TransientError(message, retry_after=error.retry_after) from None
