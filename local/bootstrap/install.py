"""The steps of an installation: a virtual environment, the pinned packages, Azurite.

pip and npm are the environment's own and keep the user's configuration (index, proxy, certificates): nothing here names a
registry. Their whole output goes to `.local/install.log`; on failure its last lines and a remedy are shown.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from local.bootstrap.stamp import Environment, Repair
from local.runtime.locks import FileLock

SHOWN_LINES = 15
HEARTBEAT_SECONDS = 20.0

# text in the log: what to do about it; the first that is found is shown
REMEDIES = (
    (
        "ensurepip is not",
        "This Python comes without venv. On Debian and Ubuntu: apt install python3-venv",
    ),
    (
        "No module named venv",
        "This Python comes without venv. On Debian and Ubuntu: apt install python3-venv",
    ),
    ("No space left on device", "The disk is full: about 1.5 GB are needed."),
    (
        "No matching distribution found",
        "The package index that pip uses lacks that package: see `pip config list`.",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "Python does not trust the index's certificate: set PIP_CERT or SSL_CERT_FILE.",
    ),
    (
        "UNABLE_TO_GET_ISSUER_CERT",
        "Node does not trust the registry's certificate: set NODE_EXTRA_CA_CERTS.",
    ),
    (
        "SELF_SIGNED_CERT_IN_CHAIN",
        "Node does not trust the registry's certificate: set NODE_EXTRA_CA_CERTS.",
    ),
    (
        "npm error",
        "Azurite comes from the npm registry: see `npm config get registry`, and your proxy settings.",
    ),
    (
        "NewConnectionError",
        "The package index cannot be reached: check the network, proxy and `pip config list`.",
    ),
)
ANY_REMEDY = "Read the log, remove what is in the way, and run the command again."

Run = Callable[[Sequence[str], Path, IO[bytes], FileLock], int]


class InstallFailed(RuntimeError):
    """A step of the installation failed. The message shows the end of the log and what to do."""


def run_program(command: Sequence[str], folder: Path, log: IO[bytes], lock: FileLock) -> int:
    """Exit code of a program whose output goes to the log. It keeps the lock should this process be killed meanwhile."""
    kept = (lock.descriptor,) if os.name == "posix" else ()
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=_environment(),
        pass_fds=kept,
    )
    started = time.monotonic()
    while True:
        try:
            return process.wait(HEARTBEAT_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"    still at it ({time.monotonic() - started:.0f} s)", flush=True)


class Installer:
    """Carries out repairs. `run` starts a program and returns its exit code."""

    def __init__(self, environment: Environment, run: Run = run_program) -> None:
        self._environment = environment
        self._run = run

    def carry_out(self, repair: Repair, lock: FileLock) -> None:
        """Install, and stamp the environment as finished. Raises InstallFailed."""
        environment = self._environment
        print(f"Setting up {environment.folder}: {repair.reason}.", flush=True)
        environment.log.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with environment.log.open("wb") as log:
            if repair.rebuild:
                self._make_environment(log, lock)
            environment.stamp.unlink(missing_ok=True)
            environment.unfinished.touch()
            self._install_packages(log, lock)
            self._install_azurite(log, lock)
        environment.current_stamp().write(environment.stamp)
        environment.unfinished.unlink()
        print(f"Ready after {time.monotonic() - started:.0f} s.\n", flush=True)

    def _make_environment(self, log: IO[bytes], lock: FileLock) -> None:
        folder = self._environment.folder
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        self._environment.unfinished.touch()
        self._step(
            "making a virtual environment", [base_python(), "-m", "venv", str(folder)], log, lock
        )

    def _install_packages(self, log: IO[bytes], lock: FileLock) -> None:
        requirements = self._environment.requirements
        count = sum(
            1 for line in requirements.read_text().splitlines() if line and not line.startswith("#")
        )
        pip = [
            str(self._environment.python),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
        ]
        command = [*pip, "--progress-bar", "off", "-r", str(requirements)]
        self._step(
            f"installing {count} Python packages (a minute or so the first time)",
            command,
            log,
            lock,
        )

    def _install_azurite(self, log: IO[bytes], lock: FileLock) -> None:
        folder = self._environment.azurite
        folder.mkdir(exist_ok=True)
        for pins in self._environment.azurite_pins:
            shutil.copyfile(pins, folder / pins.name)
        npm = str(self._environment.programs / ("npm" if os.name == "posix" else "npm.exe"))
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        command = [npm, "ci", "--omit=dev", "--omit=optional", *quiet]
        self._step("installing Azurite, the storage emulator", command, log, lock, folder)

    def _step(
        self,
        what: str,
        command: Sequence[str],
        log: IO[bytes],
        lock: FileLock,
        folder: Path | None = None,
    ) -> None:
        print(f"  {what}", flush=True)
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        try:
            code = self._run(command, folder or self._environment.root, log, lock)
        except OSError as error:
            raise InstallFailed(f"{what} failed: {error}. {ANY_REMEDY}") from error
        if code != 0:
            raise InstallFailed(explain_failure(what, code, self._environment.log))


def explain_failure(what: str, code: int, log: Path) -> str:
    """What failed, the end of the log, and what to do about it."""
    text = log.read_text(errors="replace")
    end = "\n".join(f"    {line}" for line in text.splitlines()[-SHOWN_LINES:])
    remedy = next((remedy for sign, remedy in REMEDIES if sign in text), ANY_REMEDY)
    return f"\nFailed with exit code {code}: {what}. The end of {log}:\n{end}\n\n{remedy}"


def base_python() -> str:
    """The interpreter to make an environment with: not the one of an environment that is about to be removed."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _environment() -> dict[str, str]:
    """The user's environment, less what would make pip install elsewhere than into the environment."""
    astray = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")
    kept = {name: value for name, value in os.environ.items() if name not in astray}
    return {**kept, "PIP_USER": "0", "PYTHONUTF8": "1"}
