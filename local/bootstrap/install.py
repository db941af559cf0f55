"""The steps of an installation: a virtual environment, the pinned packages, Azurite.

pip and npm are the environment's own and keep the user's configuration (index, proxy,
certificates): nothing here names a registry. Their output goes to `.local/install.log`; on failure
its last lines are shown, with advice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local.bootstrap.environment import Environment, Repair
from local.bootstrap.interpreters import choose_interpreter, supported_versions
from local.runtime.locks import FileLock

SHOWN_LINES = 15
HEARTBEAT_SECONDS = 20.0
PIP_INSTALL = (
    *("-m", "pip", "install", "--disable-pip-version-check"),
    *("--no-input", "--progress-bar", "off"),
)
NPM_INSTALL = (
    *("ci", "--omit=dev", "--omit=optional", "--ignore-scripts"),
    *("--no-audit", "--no-fund", "--no-update-notifier"),
)
# These would make pip install elsewhere than into the environment.
MISLEADING = ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")

NO_VENV = "This Python comes without venv. On Debian and Ubuntu: apt install python3-venv"
NODE_CERTIFICATE = "Node does not trust the registry's certificate: set NODE_EXTRA_CA_CERTS."
# Advice by a text in the log; the first that occurs is shown.
ADVICE = {
    "ensurepip is not": NO_VENV,
    "No module named venv": NO_VENV,
    "No space left on device": "The disk is full: about 1.5 GB are needed.",
    "require a different python version": (
        f"A package doesn't support this Python. The app runs on Python {supported_versions()}."
    ),
    "No matching distribution found": (
        "The package index that pip uses lacks that package: see `pip config list`."
    ),
    "CERTIFICATE_VERIFY_FAILED": (
        "Python does not trust the index's certificate: set PIP_CERT or SSL_CERT_FILE."
    ),
    "UNABLE_TO_GET_ISSUER_CERT": NODE_CERTIFICATE,
    "SELF_SIGNED_CERT_IN_CHAIN": NODE_CERTIFICATE,
    "npm error": (
        "Azurite comes from the npm registry: see `npm config get registry`, "
        "and your proxy settings."
    ),
    "NewConnectionError": (
        "The package index cannot be reached: check the network, proxy and `pip config list`."
    ),
}
GENERAL_ADVICE = "Read the log, remove the cause, and run the command again."

Run = Callable[[Sequence[str], Path, IO[bytes], FileLock], int]


class InstallFailed(RuntimeError):
    """A step of the installation failed. The message shows the end of the log and what to do."""


def run_program(command: Sequence[str], folder: Path, log: IO[bytes], lock: FileLock) -> int:
    """Run a program, its output going to the log, and return its exit code.

    The program holds the lock too, should this process be killed meanwhile.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=_environment(),
        pass_fds=(lock.descriptor,),
    )
    started = time.monotonic()
    while True:
        try:
            return process.wait(HEARTBEAT_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"    still running ({time.monotonic() - started:.0f} s)", flush=True)


@dataclass(frozen=True, slots=True)
class Steps:
    """Runs the programs of one installation, with one log. Raises InstallFailed."""

    run: Run
    log: IO[bytes]
    log_path: Path
    lock: FileLock

    def step(self, title: str, command: Sequence[str], folder: Path) -> None:
        """Run a program that must succeed."""
        print(f"  {title}", flush=True)
        code = self.exit_code(title, command, folder)
        if code != 0:
            raise InstallFailed(explain_failure(title, code, self.log_path))

    def exit_code(self, title: str, command: Sequence[str], folder: Path) -> int:
        """Run a program that may fail."""
        self.log.write(f"$ {' '.join(command)}\n".encode())
        self.log.flush()
        try:
            return self.run(command, folder, self.log, self.lock)
        except OSError as error:
            raise InstallFailed(f"{title} failed: {error}. {GENERAL_ADVICE}") from error


class Installer:
    """Carries out repairs. `run` starts a program and returns its exit code.

    `python` makes the environment; by default it is one that works, preferably the current one.
    """

    def __init__(
        self, environment: Environment, run: Run = run_program, python: str | None = None
    ) -> None:
        self._environment = environment
        self._run = run
        self._python = python

    def carry_out(self, repair: Repair, lock: FileLock) -> None:
        """Install, and stamp the environment as finished. Raises InstallFailed."""
        environment = self._environment
        print(f"Setting up {environment.folder}: {repair.reason}.", flush=True)
        environment.log.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with environment.log.open("wb") as log:
            steps = Steps(self._run, log, environment.log, lock)
            if repair.rebuild:
                self._make_environment(steps)
            environment.stamp.unlink(missing_ok=True)
            environment.unfinished.touch()
            self._install_packages(steps)
            self._install_azurite(steps)
        environment.current_stamp().write(environment.stamp)
        environment.unfinished.unlink()
        print(f"Ready after {time.monotonic() - started:.0f} s.\n", flush=True)

    def _make_environment(self, steps: Steps) -> None:
        python = self._python or choose_interpreter()
        folder = self._environment.folder
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        self._environment.unfinished.touch()
        command = [python, "-m", "venv", str(folder)]
        steps.step("making a virtual environment", command, self._environment.root)

    def _install_packages(self, steps: Steps) -> None:
        requirements = self._environment.requirements
        lines = requirements.read_text().splitlines()
        count = sum(1 for line in lines if line and not line.startswith("#"))
        command = [str(self._environment.python), *PIP_INSTALL, "-r", str(requirements)]
        title = f"installing {count} Python packages (a minute or so the first time)"
        steps.step(title, command, self._environment.root)

    def _install_azurite(self, steps: Steps) -> None:
        folder = self._environment.azurite
        folder.mkdir(exist_ok=True)
        for pins in self._environment.azurite_pins:
            shutil.copyfile(pins, folder / pins.name)
        npm = self._environment.programs / "npm"
        title = "installing Azurite, the storage emulator"
        steps.step(title, [str(npm), *NPM_INSTALL], folder)


def explain_failure(title: str, code: int, log: Path) -> str:
    """Return what failed, the end of the log, and what to do about it."""
    text = log.read_text(errors="replace")
    end = "\n".join(f"    {line}" for line in text.splitlines()[-SHOWN_LINES:])
    advice = next((advice for sign, advice in ADVICE.items() if sign in text), GENERAL_ADVICE)
    return f"\nFailed with exit code {code}: {title}. The end of {log}:\n{end}\n\n{advice}"


def _environment() -> dict[str, str]:
    """Return the user's environment variables without those that mislead pip."""
    variables = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return {**variables, "PIP_USER": "0", "PYTHONUTF8": "1"}
