"""Every error of ours, in one small tree. Transient or permanent is in the type, because that alone decides what happens.

DistillationError
├── PermanentError          trying again cannot help: activities return it as data, HTTP answers 4xx
│   ├── SettingsError       an app setting is missing or wrong
│   ├── InvalidInput        a specification, path or body that cannot be used; carries every problem found
│   └── NotFound            a dataset or run that does not exist
└── TransientError          trying again may help: activities raise it, Durable retries
    └── ShardContended      another execution writes the same journal; the one that notices stops
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12


class Problem(TypedDict):
    """One thing wrong: the place, and what is wrong there with its remedy."""

    where: str
    problem: str


class ErrorData(TypedDict):
    """An error as data, in histories, statuses, reports and HTTP answers."""

    code: str
    message: str
    details: list[Problem]


class DistillationError(Exception):
    """Base of everything this app raises on purpose."""


class PermanentError(DistillationError):
    """Will not go away by itself. `code` is for programs, the message for people, `details` lists every problem."""

    code = "failed"

    def __init__(
        self, message: str, *, code: str | None = None, details: Sequence[Problem] = ()
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.details = list(details)

    def as_data(self) -> ErrorData:
        return {"code": self.code, "message": str(self), "details": self.details}


class SettingsError(PermanentError):
    code = "settings"


class InvalidInput(PermanentError):
    code = "invalid_input"


class NotFound(PermanentError):
    code = "not_found"


class TransientError(DistillationError):
    """May succeed when tried again, not before `retry_after` seconds if that is known."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unfinished(Exception):
    """An execution's time was up before all was done. What was done is kept, and another execution goes on from there."""


class ShardContended(TransientError):
    """The journal moved under this execution: somebody else runs the same shard."""
