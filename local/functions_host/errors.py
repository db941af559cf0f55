"""Errors of the host.

HostError              the host cannot start; the message says what to change
├─ IndexingError       the app's functions cannot be read, or one of them cannot run here
└─ DataDirectoryInUse  another live host works in the same data directory
FunctionTimeout        a function ran longer than host.json's functionTimeout
"""

from __future__ import annotations


class HostError(Exception):
    """The host cannot start. The message is shown without a traceback."""


class IndexingError(HostError):
    """The app's functions cannot be read, or one of them cannot run here."""


class DataDirectoryInUse(HostError):
    """Another live host works in the same data directory."""


class FunctionTimeout(Exception):
    """A function ran longer than host.json's functionTimeout."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"function {name} ran longer than functionTimeout ({seconds:g} s)")
