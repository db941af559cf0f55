"""The programs that `test` runs: tools of this environment, pytest and the demo of any."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from local.bootstrap import ROOT
from local.bootstrap.entry import bring_up_to_date
from local.bootstrap.environment import Environment
from local.bootstrap.install import Installer
from local.bootstrap.interpreters import find_interpreters, version_name

DEMO_DATA = ROOT / ".local" / "test-demo"


@dataclass(frozen=True, slots=True)
class Counts:
    """Tests by outcome; those that were skipped count for neither."""

    passed: int
    failed: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


class BackgroundTool:
    """A tool that runs beside the tests. Its output is held back until it is asked for."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def result(self) -> tuple[bool, str]:
        """Wait for its end; return whether it passed, and its output."""
        output = self._process.communicate()[0]
        return self._process.returncode == 0, output


class Tools:
    """Runs the tools in the repository; their output goes straight to ours."""

    def passes(self, module: str, *arguments: str) -> bool:
        """Whether a tool of this environment finds nothing wrong."""
        return _exit_code(Path(sys.executable), module, *arguments) == 0

    def start(self, module: str, *arguments: str) -> BackgroundTool:
        """Start a tool of this environment beside whatever runs next."""
        return BackgroundTool(module, *arguments)

    def tests(self, python: Path, *arguments: str) -> Counts:
        """Run pytest with an environment's Python."""
        with TemporaryDirectory() as folder:
            results = Path(folder) / "results.xml"
            code = _exit_code(python, "pytest", f"--junitxml={results}", *arguments)
            counts = read_counts(results) if results.exists() else Counts(0, 0)
        # pytest can fail without a failed test, for example if it finds none.
        return counts if code == 0 or counts.failed else counts + Counts(0, 1)

    def demo(self, python: Path) -> Counts:
        """Run the demo with an environment's Python, on data of its own."""
        shutil.rmtree(DEMO_DATA, ignore_errors=True)
        code = _exit_code(python, "local", "demo", "--data-dir", str(DEMO_DATA))
        return Counts(1, 0) if code == 0 else Counts(0, 1)

    def environments(self) -> dict[str, Path]:
        """Return each other supported version's Python, in an environment made now if needed."""
        pythons: dict[str, Path] = {}
        for version, interpreter in find_interpreters().items():
            if version == version_name(sys.version_info[:2]):
                continue
            environment = Environment(ROOT, version)
            if environment.repair():
                bring_up_to_date(environment, Installer(environment, python=interpreter.path))
            pythons[version] = environment.python
        return pythons


def read_counts(results: Path) -> Counts:
    """Read the outcome of a test run from its JUnit file."""
    suite = ElementTree.parse(results).getroot().find("testsuite")  # noqa: S314 (pytest wrote it)
    if suite is None:
        return Counts(0, 0)
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    skipped = int(suite.get("skipped", 0))
    return Counts(int(suite.get("tests", 0)) - failed - skipped, failed)


def _exit_code(python: Path, module: str, *arguments: str) -> int:
    sys.stdout.flush()
    command: Sequence[str] = [str(python), "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=_environment()).returncode


def _environment() -> dict[str, str]:
    """Return our environment, for tools that don't look for newer versions of themselves.

    Python keeps what it compiles, even where that is switched off, as in many containers: without
    that, every worker and every program that the tests start compiles the whole app anew.
    """
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
