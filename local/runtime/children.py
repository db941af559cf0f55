"""Child processes of the commands: a log each, a lifeline, and an orderly end.

The lifeline is the child's stdin. Its other end closes with this process, however that ends
(`kill -9` included), and the child then stops. Children get a session of their own: Ctrl-C reaches
only the supervisor, which stops them in order.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from local.runtime.failures import LocalError

POLL_SECONDS = 0.05
STOP_SECONDS = 15.0
TAIL_LINES = 15


class ChildFailed(LocalError):
    """A child ended, or was not ready in time. The message holds the last lines of its log."""

    def __init__(self, child: Child, failure: str, advice: str = "") -> None:
        self.name = child.name
        self.tail = child.tail()
        end = "\n".join(f"    {line}" for line in self.tail.splitlines()) or "    (nothing)"
        super().__init__(
            f"{child.name} {failure}. The end of its log ({child.log}):\n{end}{advice}"
        )


class Child:
    """One child process. `log` is appended to; `environment` is the child's whole environment."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = environment
        self._folder = folder
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before its start; negative when a signal ended it."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it. Raises ChildFailed if the program cannot be started."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._process = self._spawn(log)
            except OSError as error:
                raise ChildFailed(self, f"could not be started ({error})") from error

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once it is ready.

        Raises ChildFailed if it ends before, or is not ready after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailed(self, f"was not ready after {seconds:.0f} s")
            time.sleep(POLL_SECONDS)
        self.check()

    def check(self, advice: str = "") -> None:
        """Raises ChildFailed, with the advice, if it has ended."""
        code = self.exit_code
        if code is None:
            return
        failure = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise ChildFailed(self, failure, advice)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end and wait; kill it after `seconds`. Does nothing if it has ended."""
        process = self._process
        if process is None:
            return
        # Not the lifeline as well: a second order would interrupt the orderly end.
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.cut_lifeline()

    def cut_lifeline(self) -> None:
        """Close the child's stdin, as the end of this process would."""
        if self._process and self._process.stdin:
            self._process.stdin.close()

    def output(self) -> str:
        """Return what it has written since its last start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines of its output."""
        return "\n".join(self.output().splitlines()[-lines:])

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(self._environment) if self._environment is not None else None,
            cwd=self._folder,
            start_new_session=True,
        )
