"""The first act of every command: make the virtual environment if needed, and continue in it.

With nothing to do it takes some 30 ms: it compares a stamp with the files that the environment
was made from, and starts neither pip nor npm.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from local.bootstrap import ROOT
from local.bootstrap.environment import Environment
from local.bootstrap.install import Installer, InstallFailed
from local.bootstrap.interpreters import replace_process
from local.runtime.locks import FileLock

# Set for the continued command, so that an environment that stays broken cannot loop.
CONTINUED_IN = "LOCAL_ENVIRONMENT"


def ensure_environment(arguments: Sequence[str], module: str = "local") -> None:
    """Return if this process runs in the finished environment.

    Otherwise make it if needed, and continue the command `python -m <module> <arguments>` there.
    """
    environment = Environment(ROOT)
    repair = environment.repair()
    if repair is None and environment.is_current():
        # A command that this one starts is a new one.
        os.environ.pop(CONTINUED_IN, None)
        return
    was_continued = os.environ.get(CONTINUED_IN) == str(environment.folder)
    if repair and environment.is_current() and was_continued:
        sys.exit(
            f"{environment.folder} still isn't right ({repair.reason}). "
            "Remove that folder and run the command again."
        )
    if repair:
        bring_up_to_date(environment, Installer(environment))
    os.environ[CONTINUED_IN] = str(environment.folder)
    replace_process([str(environment.python), "-m", module, *arguments])


def bring_up_to_date(environment: Environment, installer: Installer) -> None:
    """Install what is missing; exit with the reason on failure.

    Of several processes at once, one installs and the others wait for it.
    """
    lock = FileLock(environment.lock)
    if not lock.acquire(wait=False):
        print("Another process is setting up this environment: waiting for it.", flush=True)
        lock.acquire(wait=True)
    try:
        # Look again: the previous holder of the lock may have done it.
        repair = environment.repair()
        if repair:
            installer.carry_out(repair, lock)
    except InstallFailed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The next command starts the installation over.")
    finally:
        lock.release()
