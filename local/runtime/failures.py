"""Errors that the commands report in a sentence; any other is a bug and shows its traceback.

LocalError               exit code 1
├─ UsageError            exit code 2: the command line asks for something impossible
├─ AlreadyRunning        another process serves the data directory
├─ NotJoined             … but no host answers there
├─ AzuriteMissing        the environment lacks Azurite or Node
├─ NoFreePort
├─ ChildFailed           a process of the cloud has ended, or was not ready in time
├─ HostUnreachable       the Functions host does not answer
├─ ApiError              the app answered with an error
└─ FollowingFailed       runs could not be followed to their end
"""

from __future__ import annotations


class LocalError(Exception):
    """The message says what is wrong and what to do."""

    exit_code = 1


class UsageError(LocalError):
    """The command line asks for something impossible."""

    exit_code = 2
