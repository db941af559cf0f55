"""The environment to train in is made once, anew for new versions, and finished only when
complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest

from local.bootstrap.install import InstallFailed
from local.bootstrap.training import CPU_BUILD, CPU_INDEX, TrainingEnvironment
from local.runtime.locks import FileLock


class Programs:
    """Stands in for venv and pip. `failing` are parts of commands that end in failure."""

    def __init__(self, folder: Path, *failing: str) -> None:
        self.folder, self.failing = folder, failing
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str], folder: Path, log: IO[bytes], lock: FileLock) -> int:
        line = " ".join(command)
        self.commands.append(line)
        if "-m venv" in line:
            (self.folder / "bin").mkdir(parents=True)
            (self.folder / "bin" / "python").touch()
        log.write(b"what pip says\n")
        return int(any(part in line for part in self.failing))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "training-venv"


def test_it_is_made_once(place: Path) -> None:
    programs = Programs(place)
    environment = TrainingEnvironment(place, programs)
    assert not environment.is_finished()
    assert environment.ensure() == environment.ensure() == place / "bin" / "python"
    assert environment.is_finished()
    assert len(programs.commands) == 3
    assert programs.commands[1].endswith(CPU_BUILD)
    assert programs.commands[2].endswith("requirements.txt")


def test_pytorchs_own_index_is_asked_only_where_the_users_has_no_build_for_the_cpu(
    place: Path,
) -> None:
    has, lacks = Programs(place), Programs(place.with_name("other"), "torch==")
    TrainingEnvironment(place, has).ensure()
    assert not any(CPU_INDEX in command for command in has.commands)
    with pytest.raises(InstallFailed, match="what pip says"):
        TrainingEnvironment(place.with_name("other"), lacks).ensure()
    assert CPU_INDEX in lacks.commands[-1]


def test_one_that_was_not_finished_or_is_of_another_version_is_made_anew(place: Path) -> None:
    failing = Programs(place, "requirements.txt")
    with pytest.raises(InstallFailed):
        TrainingEnvironment(place, failing).ensure()
    environment = TrainingEnvironment(place, Programs(place))
    assert not environment.is_finished()
    environment.ensure()
    (place / "local-stamp").write_text("of an earlier version")
    assert not environment.is_finished()
