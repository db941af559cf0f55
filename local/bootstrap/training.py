"""The environment of the training scripts: PyTorch for the CPU and training/requirements.txt.

It is apart from `.venv` because it takes 1.5 GB and few commands need it, and made when one does.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from pathlib import Path

from local.bootstrap import ROOT
from local.bootstrap.install import PIP_INSTALL, Run, Steps, run_program
from local.bootstrap.interpreters import choose_interpreter
from local.runtime.locks import FileLock

VENV = ROOT / ".local" / "training-venv"
TRAINING_PYTHON = VENV / "bin" / "python"
REQUIREMENTS = ROOT / "training" / "requirements.txt"
TORCH = "2.13.0"
# PyPI's build for Linux and Windows is for CUDA, several GB of it; elsewhere it is for the CPU.
CPU_BUILD = f"torch=={TORCH}" if sys.platform == "darwin" else f"torch=={TORCH}+cpu"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SIZES = "PyTorch for the CPU (some 200 MB) and its companions (some 150 MB), 1.5 GB on disk"


class TrainingEnvironment:
    """The environment at its fixed place. `run` starts a program and returns its exit code."""

    def __init__(self, folder: Path = VENV, run: Run = run_program) -> None:
        self.folder = folder
        self.python = folder / TRAINING_PYTHON.relative_to(VENV)
        self.log = folder.with_name(f"{folder.name}.log")
        self._run = run
        self._stamp = folder / "local-stamp"

    def is_finished(self) -> bool:
        """Whether it is complete and of today's versions. Its stamp is written last."""
        if not self.python.exists() or not self._stamp.exists():
            return False
        return self._stamp.read_text() == self._expected_stamp()

    def ensure(self) -> Path:
        """Return the Python of the finished environment, making it first if needed.

        Raises InstallFailed.
        """
        if self.is_finished():
            return self.python
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_name(f"{self.folder.name}.lock"))
        lock.acquire(wait=True)
        try:
            # Look again: the previous holder of the lock may have made it.
            if not self.is_finished():
                self._make(lock)
        finally:
            lock.release()
        return self.python

    def _make(self, lock: FileLock) -> None:
        print(f"Making {self.folder} once, to train in: {SIZES}.", flush=True)
        began = time.monotonic()
        if self.folder.exists():
            shutil.rmtree(self.folder)
        with self.log.open("wb") as log:
            steps = Steps(self._run, log, self.log, lock)
            make = [choose_interpreter(), "-m", "venv", str(self.folder)]
            steps.step("making a virtual environment", make, ROOT)
            self._install_torch(steps)
            install = [str(self.python), *PIP_INSTALL, "-r", str(REQUIREMENTS)]
            steps.step("installing transformers, peft and trl", install, ROOT)
        self._stamp.write_text(self._expected_stamp())
        print(f"Ready after {time.monotonic() - began:.0f} s.\n", flush=True)

    def _install_torch(self, steps: Steps) -> None:
        """Install it from pip's configured index, or else from where PyTorch publishes it."""
        command = [str(self.python), *PIP_INSTALL, CPU_BUILD]
        title = "installing PyTorch for the CPU"
        print(f"  {title}", flush=True)
        if steps.exit_code(title, command, ROOT) != 0:
            command += ["--extra-index-url", CPU_INDEX]
            steps.step(f"fetching it from {CPU_INDEX}", command, ROOT)

    def _expected_stamp(self) -> str:
        text = REQUIREMENTS.read_bytes().replace(b"\r\n", b"\n")
        return f"{self.folder}\n{CPU_BUILD}\n{hashlib.sha256(text).hexdigest()}\n"
