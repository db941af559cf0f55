"""A small checkout to install, and programs that stand in for venv, pip and npm."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from local.bootstrap.environment import Environment
from local.bootstrap.install import Installer
from local.bootstrap.interpreters import base_python
from local.runtime.locks import FileLock

REQUIREMENTS = "# compiled\ntiny==1.0\nother==2.0\n"


def small_checkout(root: Path) -> Environment:
    """A checkout that holds the files which environments are made from, and nothing else."""
    pins = root / "local" / "emulators" / "azurite"
    pins.mkdir(parents=True)
    (root / "local" / "requirements.txt").write_text(REQUIREMENTS)
    (pins / "package.json").write_text("{}")
    (pins / "package-lock.json").write_text('{"lockfileVersion": 3}')
    return Environment(root)


def site_packages(environment: Environment) -> Path:
    return next(environment.folder.glob("lib/python*/site-packages"))


class StandIns:
    """Leaves behind what venv, pip and npm would. `failing` maps a program to its last output."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.started: list[str] = []
        self.failing: dict[str, str] = {}
        # The program during which Ctrl-C is pressed.
        self.interrupted = ""

    def __call__(self, command: Sequence[str], folder: Path, log: IO[bytes], lock: FileLock) -> int:
        program = command[2] if command[1] == "-m" else Path(command[0]).stem
        self.started.append(program)
        if program == self.interrupted:
            raise KeyboardInterrupt
        if program in self.failing:
            log.write(self.failing[program].encode())
            log.flush()
            return 1
        {"venv": self._venv, "pip": self._pip, "npm": self._npm}[program](folder)
        return 0

    def _venv(self, folder: Path) -> None:
        """Make the little of an environment that is looked at, at a tenth of the time."""
        environment = self._environment
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        environment.programs.mkdir(parents=True)
        environment.python.symlink_to(base_python())
        (environment.programs / "pip").touch()
        (environment.folder / "lib" / version / "site-packages").mkdir(parents=True)

    def _pip(self, folder: Path) -> None:
        for line in self._environment.requirements.read_text().splitlines():
            if not line.startswith("#"):
                name, _, version = line.partition("==")
                (site_packages(self._environment) / name).mkdir(exist_ok=True)
                (site_packages(self._environment) / f"{name}-{version}.dist-info").mkdir(
                    exist_ok=True
                )

    def _npm(self, folder: Path) -> None:
        assert (folder / "package-lock.json").exists(), "npm ci installs what the lock file says"
        (folder / "node_modules" / "azurite").mkdir(parents=True, exist_ok=True)


def install(environment: Environment) -> StandIns:
    """Bring the environment up to date, and return the programs that ran."""
    programs = StandIns(environment)
    repair = environment.repair()
    if repair:
        lock = FileLock(environment.lock)
        assert lock.acquire(wait=False), "somebody still holds the lock"
        Installer(environment, programs, base_python()).carry_out(repair, lock)
        lock.release()
    return programs
