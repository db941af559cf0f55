"""Small Python programs as child processes, and how to see from outside that one is gone."""

from __future__ import annotations

import sys
from pathlib import Path

from local.runtime.locks import FileLock

REPOSITORY = Path(__file__).parents[2]  # to be their folder, so that they can import `local`

LIVING = """\
import sys, time
from pathlib import Path
from local.runtime.lifeline import exit_with_parent
from local.runtime.locks import FileLock
exit_with_parent()
FileLock(Path({lock!r})).acquire(wait=True)
print("alive", flush=True)
time.sleep(60)
"""


def python(code: str) -> list[str]:
    """The command that runs the code; `local` can be imported where the process's folder is
    REPOSITORY.
    """
    return [sys.executable, "-c", code]


def living(lock: Path) -> list[str]:
    """The command of a program with a lifeline that holds the lock for as long as it lives."""
    return python(LIVING.format(lock=str(lock)))


def is_held(path: Path) -> bool:
    """Whether some process holds this lock file."""
    lock = FileLock(path)
    if lock.acquire(wait=False):
        lock.release()
        return False
    return True
