"""Makes the virtual environment that everything runs in, and re-runs the command there. Standard library alone.

`ensure_environment` is the first act of every command. When there is nothing to do it costs some 30 ms: it compares a
stamp with the files it was made from, and asks neither pip nor npm.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from local.bootstrap.install import Installer, InstallFailed
from local.bootstrap.stamp import Environment, Repair
from local.runtime.locks import FileLock

ROOT = Path(__file__).resolve().parents[2]
RERUN = (
    "LOCAL_ENVIRONMENT"  # set for the re-run, so that an environment that stays broken cannot loop
)


def ensure_environment(arguments: Sequence[str]) -> None:
    """Return when this process runs in the finished environment; otherwise make it and start over in there."""
    environment = Environment(ROOT)
    repair = environment.repair()
    if repair is None and environment.is_current():
        return
    if repair and environment.is_current() and os.environ.get(RERUN) == str(environment.folder):
        sys.exit(
            f"{environment.folder} is still not right ({repair.reason}). Remove that folder and run the command again."
        )
    if repair:
        bring_up_to_date(environment, Installer(environment))
    _run_again(environment, arguments)


def bring_up_to_date(environment: Environment, installer: Installer) -> None:
    """Install what is missing. Of several processes at once, one installs and the others wait for it."""
    lock = FileLock(environment.lock)
    if not lock.acquire(wait=False):
        print("Another process is setting up this environment: waiting for it.", flush=True)
        lock.acquire(wait=True)
    try:
        repair = environment.repair()  # again: whoever held the lock may have done it
        if repair:
            installer.carry_out(repair, lock)
    except InstallFailed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The next command starts the installation over.")
    finally:
        lock.release()


def _run_again(environment: Environment, arguments: Sequence[str]) -> NoReturn:
    os.environ[RERUN] = str(environment.folder)
    command = [str(environment.python), "-m", "local", *arguments]
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 (no shell is wanted)
    try:
        sys.exit(subprocess.run(command).returncode)  # elsewhere exec would detach from the console
    except KeyboardInterrupt:
        sys.exit(130)


__all__ = [
    "ROOT",
    "Environment",
    "InstallFailed",
    "Installer",
    "Repair",
    "bring_up_to_date",
    "ensure_environment",
]
