"""Every error this app raises on purpose, in one small tree.

The type says whether an error is transient or permanent, because that alone decides what happens.

DistillationError
├── PermanentError          retrying doesn't help: activities return it as data, HTTP answers 4xx
│   ├── SettingsError       an app setting is missing or wrong
│   ├── InvalidInput        an unusable specification, path or body; lists every problem
│   └── NotFound            the dataset or run doesn't exist
└── TransientError          retrying may help: activities raise it, and Durable retries
    └── ShardContended      another execution writes the same journal; the later one stops
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12


class ErrorCode(StrEnum):
    """What went wrong, for programs. One more form exists: `teacher_<code>` (`teacher_code`)."""

    # requests
    INVALID_INPUT = "invalid_input"
    INVALID_JSON = "invalid_json"
    INVALID_QUERY = "invalid_query"
    MEDIA_TYPE = "media_type"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    DATASET_EXISTS = "dataset_exists"
    RUN_EXISTS = "run_exists"
    RUN_ACTIVE = "run_active"
    RUN_ENDED = "run_ended"
    RUN_PAST_GENERATION = "run_past_generation"
    OTHER_TASK_HUB = "other_task_hub"
    RUN_DELETING = "run_deleting"
    RUN_DELETED = "run_deleted"
    DATASET_IN_USE = "dataset_in_use"
    UNAVAILABLE = "unavailable"
    FORBIDDEN = "forbidden"

    # the app
    SETTINGS = "settings"
    DEPLOYMENT = "deployment"
    ACTIVITY_FAILED = "activity_failed"
    ORCHESTRATION = "orchestration"
    FAILED = "failed"

    # datasets and answers
    DATASET = "dataset"
    DATASET_CHANGED = "dataset_changed"
    COPY_FAILED = "copy_failed"
    BUDGET = "budget"
    PREFLIGHT = "preflight"
    TEACHER = "teacher"
    FIRST_WAVE = "first_wave"
    SUCCESS_RATIO = "success_ratio"
    TOO_FEW_ACCEPTED = "too_few_accepted"
    CONSERVATION = "conservation"

    # fine-tuning
    FINETUNING = "finetuning"
    FINETUNING_DATA = "finetuning_data"
    FINETUNING_UNREACHABLE = "finetuning_unreachable"
    AZUREML = "azureml"
    AZUREML_ACCESS = "azureml_access"
    OPENAI = "openai"
    OPENAI_ACCESS = "openai_access"


def teacher_code(reason: str | int) -> str:
    """Return the code of an error that the teacher names itself, by its code or HTTP status."""
    return f"{ErrorCode.TEACHER}_{reason}"


class Problem(TypedDict):
    """One problem: the place, and what is wrong there with its remedy."""

    where: str
    problem: str


class ErrorData(TypedDict):
    """An error as data, in histories, statuses, reports and HTTP answers."""

    code: str  # an ErrorCode, or the result of `teacher_code`
    message: str
    details: list[Problem]


class DistillationError(Exception):
    """Base class of every error this app raises on purpose."""


class PermanentError(DistillationError):
    """Retrying doesn't help. `code` is for programs, the message for people.

    `details` lists every problem, each with its place.
    """

    code: str = ErrorCode.FAILED

    def __init__(
        self, message: str, *, code: str | None = None, details: Sequence[Problem] = ()
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.details = list(details)

    def as_data(self) -> ErrorData:
        """Return the error as plain data."""
        return {"code": str(self.code), "message": str(self), "details": self.details}


class SettingsError(PermanentError):
    """An app setting is missing or wrong."""

    code = ErrorCode.SETTINGS


class InvalidInput(PermanentError):
    """A specification, path or body cannot be used."""

    code = ErrorCode.INVALID_INPUT


class NotFound(PermanentError):
    """The dataset or run does not exist."""

    code = ErrorCode.NOT_FOUND


class TransientError(DistillationError):
    """Retrying may help, after `retry_after` seconds where the service named them."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ShardContended(TransientError):
    """Another execution of the same shard has written to the journal."""


class Unfinished(Exception):
    """An execution has run out of time. Its work is kept; the next execution continues from it."""
