"""Which Python runs the commands: none that is too old, any other, and none in circles."""

from __future__ import annotations

import ast
import os
import runpy
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from local.bootstrap.install import base_python
from tests.support.checkout import small_checkout

REPOSITORY = Path(__file__).parents[3]
ENTRANCE = REPOSITORY / "local" / "__main__.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without an environment, and with all of `local/` that is read before there is one."""
    ignored = shutil.ignore_patterns("__pycache__", "azurite")
    shutil.copytree(REPOSITORY / "local", tmp_path / "local", ignore=ignored)
    return small_checkout(tmp_path).root


def bare_python(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m local …` by a Python without any package."""
    command = [base_python(), "-S", "-m", "local", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60)


def test_a_too_old_python_is_told_to_make_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ENTRANCE), run_name="__main__")
    assert "needs Python 3.11 or newer, and this is Python 3.10" in str(ended.value)


def test_an_old_python_can_read_as_far_as_that() -> None:
    ast.parse(ENTRANCE.read_text(), feature_version=(3, 4))
    assert (REPOSITORY / "local" / "__init__.py").read_text() == ""


@pytest.mark.parametrize("command", [[], ["up"], ["demo"], ["run"], ["test"]])
def test_help_needs_no_environment(checkout: Path, command: list[str]) -> None:
    answer = bare_python(checkout, *command, "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith("usage: python3 -m local")
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("line", ["", "dmeo", "up --prot 1", "run nli", "run chess x", "up extra"])
def test_a_typo_is_answered_before_anything_is_installed(checkout: Path, line: str) -> None:
    answer = bare_python(checkout, *line.split())
    assert answer.returncode == 2
    assert "error: " in answer.stderr
    assert not (checkout / ".venv").exists()


def test_an_environment_that_stays_broken_is_reported_instead_of_repaired_for_ever(
    checkout: Path,
) -> None:
    folder = checkout / ".venv"
    venv.create(folder, symlinks=True)
    answer = subprocess.run(
        [folder / "bin" / "python", "-m", "local", "test"],
        cwd=checkout,
        env={**os.environ, "LOCAL_ENVIRONMENT": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 1
    assert f"{folder} is still not right" in answer.stderr
    assert "Remove that folder" in answer.stderr
