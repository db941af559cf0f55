"""Errors of the host.

HostError              the host cannot start; the message says what to change
├─ IndexingError       the app's functions cannot be read, or one of them cannot run here
└─ DataDirectoryInUse  another live host uses the same data directory
FunctionFailed         a function raised an exception
└─ FunctionTimeout     a function ran longer than host.json's functionTimeout
"""

from __future__ import annotations

import traceback


class HostError(Exception):
    """The host cannot start. The message is shown without a traceback."""


class IndexingError(HostError):
    """The app's functions cannot be read, or one of them cannot run here."""


class DataDirectoryInUse(HostError):
    """Another live host uses the same data directory."""


class FunctionFailed(Exception):
    """A function raised an exception. The message begins with the name of its class.

    `details` has the traceback, for the log.
    """

    def __init__(self, message: str, stack_trace: str = "") -> None:
        super().__init__(message)
        self.kind = message.partition(":")[0]
        self.details = stack_trace.rstrip() or message


class FunctionTimeout(FunctionFailed):
    """A function ran longer than host.json's functionTimeout."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            f"FunctionTimeout: function {name} ran longer than functionTimeout ({seconds:g} s)"
        )


def traceback_of(error: BaseException) -> str:
    """Return the traceback for the log: that of the function, where a function failed."""
    if isinstance(error, FunctionFailed):
        return error.details
    return "".join(traceback.format_exception(error)).rstrip()
