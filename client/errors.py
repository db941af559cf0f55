"""What ends a command with a message instead of a traceback.

ClientError
├── UsageError        the command line, a file or a setting is wrong
├── AppError          the app refuses the request, and says why
├── AccessDenied      the key is missing or wrong
├── NotThisApp        something else answers at the URL
├── Unreachable       no answer, or a temporary error: trying again may help
└── StorageRefused    the storage account refuses a file
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum

SIGNATURE = re.compile(r"(?<=[?&])(sig|code)=[^&\s\"']+")


class ExitCode(IntEnum):
    """How a command ended, for scripts. docs/client.md lists them."""

    COMPLETED = 0
    ERROR = 1
    USAGE = 2
    RUN_FAILED = 3
    RUN_CANCELLED = 4
    NEEDS_A_PERSON = 5
    """The run is paused, or its budget is used up."""
    UNREACHABLE = 6
    TIMED_OUT = 7
    INTERRUPTED = 130


class ClientError(Exception):
    """An error with a message for people: what is wrong, where, and what to do."""

    exit_code = ExitCode.ERROR

    def __init__(self, message: str) -> None:
        super().__init__(without_secrets(message))


class UsageError(ClientError):
    """The command line, a file or a setting is wrong."""

    exit_code = ExitCode.USAGE


class AppError(ClientError):
    """The app refuses a request. `code` is the app's own, `details` its problems."""

    def __init__(
        self, status: int, code: str, message: str, details: Sequence[Mapping[str, str]]
    ) -> None:
        places = [f"  {detail.get('where')}: {detail.get('problem')}" for detail in details]
        super().__init__("\n".join([f"{message} ({code}, HTTP {status})", *places]))
        self.status = status
        self.code = code


class AccessDenied(ClientError):
    """The key is missing or wrong, or the network is refused."""


class NotThisApp(ClientError):
    """Something else than the app answers at the URL."""


class Unreachable(ClientError):
    """No answer, or a temporary error; try again after `retry_after` seconds if there are such."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StorageRefused(ClientError):
    """The storage account refuses a file. `code` is its own."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def without_secrets(text: str) -> str:
    """Return a text without keys and signatures of URLs."""
    return SIGNATURE.sub(r"\1=***", text)
