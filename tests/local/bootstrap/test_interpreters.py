"""Which Python runs the commands: a supported one that works, found on this machine if need be."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import NoReturn

import pytest

from local.bootstrap import interpreters
from local.bootstrap.interpreters import (
    SUPPORTED,
    base_python,
    choose_interpreter,
    find_interpreters,
    leave_unsupported_python,
    supported_versions,
)
from tests.support.checkout import small_checkout

REPOSITORY = Path(__file__).parents[3]
ENTRANCE = REPOSITORY / "local" / "__main__.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without an environment, with the part of `local/` that is read before it."""
    ignored = shutil.ignore_patterns("__pycache__", "azurite")
    shutil.copytree(REPOSITORY / "local", tmp_path / "local", ignore=ignored)
    return small_checkout(tmp_path).root


def bare_python(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m local …` by a Python without any package."""
    command = [base_python(), "-S", "-m", "local", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH, on a machine whose only interpreters are those that a test puts there."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{folder}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setattr(interpreters, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "_base_executable", str(folder / "the-current-one"))
    return folder


def put_python(folder: Path, name: str, version: str | None) -> str:
    """Put an interpreter there, or for None one that fails; return its path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    end = f"echo {version} {path}" if version else "echo no such version >&2; exit 127"
    path.write_text(f"#!/bin/sh\n{end}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
def test_an_unsupported_python_hands_over_to_one_that_works(
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: tuple[int, ...],
) -> None:
    commands: list[list[str]] = []

    def execute(path: str, command: list[str]) -> NoReturn:
        commands.append(command)
        raise SystemExit

    monkeypatch.setattr(os, "execv", execute)
    monkeypatch.setattr(sys, "version_info", version)
    python = put_python(machine, "python3.12", "3.12")
    with pytest.raises(SystemExit):
        leave_unsupported_python(["demo", "--port", "1"])
    assert commands == [[python, "-m", "local", "demo", "--port", "1"]]
    error = capsys.readouterr().err
    assert f"runs on Python 3.11, 3.12 and 3.13, not Python 3.{version[1]}: using {python}" in error


def test_where_no_python_works_the_supported_versions_are_named(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_python(machine, "python3", "3.10")
    put_python(machine, "python3.12", None)
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    with pytest.raises(SystemExit) as ended:
        leave_unsupported_python(["demo"])
    message = str(ended.value)
    assert "runs on Python 3.11, 3.12 and 3.13, and this is Python 3.14" in message
    assert "python3.13 -m local demo" in message


def test_a_supported_python_goes_on_by_itself(machine: Path) -> None:
    leave_unsupported_python(["demo"])


def test_each_version_is_found_once_and_a_broken_shim_is_passed_over(machine: Path) -> None:
    put_python(machine.with_name("shims"), "python3.12", None)
    newer = put_python(machine, "python3.12", "3.12")
    older = put_python(machine, "python3", "3.11")
    put_python(machine, "python3.14", "3.14")
    assert {name: each.path for name, each in find_interpreters().items()} == {
        "3.11": older,
        "3.12": newer,
    }


def test_an_environment_is_made_with_the_current_python_where_that_works(machine: Path) -> None:
    put_python(machine, "python3.13", "3.13")
    current = put_python(machine, "the-current-one", "3.11")
    assert choose_interpreter() == current


def test_a_python_without_venv_gives_way_to_one_with_it(machine: Path) -> None:
    put_python(machine, "the-current-one", None)
    other = put_python(machine, "python3.13", "3.13")
    assert choose_interpreter() == other


def test_the_supported_versions_are_those_of_the_project_file() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    first, last = SUPPORTED[0], SUPPORTED[-1]
    assert project["requires-python"] == f">=3.{first[1]},<3.{last[1] + 1}"
    assert f"runs on Python {supported_versions()}" in ENTRANCE.read_text()


def test_an_old_python_can_read_as_far_as_the_sentence_for_it() -> None:
    bootstrap = REPOSITORY / "local" / "bootstrap"
    ast.parse(ENTRANCE.read_text(), feature_version=(3, 4))
    ast.parse((bootstrap / "__init__.py").read_text(), feature_version=(3, 4))
    ast.parse((bootstrap / "interpreters.py").read_text(), feature_version=(3, 7))
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


@pytest.mark.parametrize("name", [".venv", ".venv-3.12"])
def test_an_environment_that_stays_broken_is_reported_instead_of_repaired_for_ever(
    checkout: Path, name: str
) -> None:
    folder = checkout / name
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
    assert f"{folder} still isn't right" in answer.stderr
    assert "Remove that folder" in answer.stderr
