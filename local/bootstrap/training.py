"""The virtual environment that training scripts run in: PyTorch for the CPU and what training/requirements.txt lists.

Apart from everybody else's `.venv`, as it takes 1.5 GB and few commands need it; made only when one is asked to train.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from local.bootstrap.install import InstallFailed, Run, base_python, explain_failure, run_program
from local.runtime.locks import FileLock

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".local" / "training-venv"
TRAINING_PYTHON = VENV / ("bin/python" if os.name == "posix" else "Scripts/python.exe")
REQUIREMENTS = ROOT / "training" / "requirements.txt"
TORCH = "2.13.0"
# PyPI's own build for Linux and Windows is for CUDA, several GB of it; elsewhere it is for the CPU
CPU_BUILD = f"torch=={TORCH}" if sys.platform == "darwin" else f"torch=={TORCH}+cpu"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off")
WHAT = "PyTorch for the CPU (some 200 MB) and what it needs to train (some 150 MB), 1.5 GB on disk"


class TrainingEnvironment:
    """The environment at its known place. `run` starts a program and returns its exit code."""

    def __init__(self, folder: Path = VENV, run: Run = run_program) -> None:
        self.folder, self._run = folder, run
        self.python = folder / TRAINING_PYTHON.relative_to(VENV)
        self.log = folder.with_name(f"{folder.name}.log")
        self._stamp = folder / "local-stamp"

    def is_finished(self) -> bool:
        """Whether it was made of what is wanted now. The stamp is written last, so that it proves a finished install."""
        return (
            self.python.exists()
            and self._stamp.exists()
            and self._stamp.read_text() == self._wanted()
        )

    def ensure(self) -> Path:
        """The Python of the finished environment, which is made first where it is not there. Raises InstallFailed."""
        if self.is_finished():
            return self.python
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_name(f"{self.folder.name}.lock"))
        lock.acquire(wait=True)
        try:
            if not self.is_finished():  # again: whoever held the lock may have made it
                self._make(lock)
        finally:
            lock.release()
        return self.python

    def _make(self, lock: FileLock) -> None:
        print(f"Making {self.folder} to train in: {WHAT}. Once.", flush=True)
        began = time.monotonic()
        if self.folder.exists():
            shutil.rmtree(self.folder)
        with self.log.open("wb") as log:
            self._step(
                "making a virtual environment",
                [base_python(), "-m", "venv", str(self.folder)],
                log,
                lock,
            )
            self._install_torch(log, lock)
            install = [str(self.python), *PIP, "-r", str(REQUIREMENTS)]
            self._step("installing transformers, peft and trl", install, log, lock)
        self._stamp.write_text(self._wanted())
        print(f"Ready after {time.monotonic() - began:.0f} s.\n", flush=True)

    def _install_torch(self, log: IO[bytes], lock: FileLock) -> None:
        """First from wherever pip is set to look, which may well have it, then from where PyTorch publishes it."""
        command = [str(self.python), *PIP, CPU_BUILD]
        print("  installing PyTorch for the CPU", flush=True)
        if self._started(command, log, lock) != 0:
            self._step(
                f"fetching it from {CPU_INDEX}",
                [*command, "--extra-index-url", CPU_INDEX],
                log,
                lock,
            )

    def _step(self, what: str, command: Sequence[str], log: IO[bytes], lock: FileLock) -> None:
        print(f"  {what}", flush=True)
        code = self._started(command, log, lock)
        if code != 0:
            raise InstallFailed(explain_failure(what, code, self.log))

    def _started(self, command: Sequence[str], log: IO[bytes], lock: FileLock) -> int:
        log.write(f"$ {' '.join(command)}\n".encode())
        log.flush()
        try:
            return self._run(command, ROOT, log, lock)
        except OSError as error:
            raise InstallFailed(f"{command[0]} cannot be started: {error}") from error

    def _wanted(self) -> str:
        requirements = hashlib.sha256(REQUIREMENTS.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        return f"{self.folder}\n{CPU_BUILD}\n{requirements}\n"
