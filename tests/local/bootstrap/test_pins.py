"""Pins that have drifted from `pyproject.toml` are found by name; the repository's own have not."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.bootstrap.pins import APP, LOCAL, check_pins, read_pins
from tests.support.programs import REPOSITORY

PROJECT = """\
[project]
name = "x"
dependencies = ["Azure_Functions>=1.26,<2", "aiohttp>=3"]
[project.optional-dependencies]
local = ["rich>=15,<16"]
test = ["storage[aio]>=12"]
"""
APP_PINS = "azure-functions==1.26.0\naiohttp==3.14.5\nyarl==1.9 ; python_version > '3'\n"
LOCAL_PINS = APP_PINS + "# compiled\n\nrich==15.1  # nice\nstorage[aio]==12.1\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "local").mkdir()
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / APP).write_text(APP_PINS)
    (tmp_path / LOCAL).write_text(LOCAL_PINS)
    return tmp_path


def test_the_pins_of_this_repository_fit() -> None:
    assert check_pins(REPOSITORY) == []


def test_names_are_compared_as_package_indexes_do(checkout: Path) -> None:
    assert check_pins(checkout) == []


DRIFTS = {
    "not compiled after a new dependency": (
        *(APP, "azure-functions==1.26.0\n", "yarl==1.9\n"),
        "Azure_Functions is in pyproject.toml but not in requirements.txt",
    ),
    "a range that was raised": (
        *(LOCAL, "rich==15.1", "rich==14.9"),
        "rich==14.9 in local/requirements.txt is outside <16,>=15 of pyproject.toml",
    ),
    "files compiled at different times": (
        *(LOCAL, "aiohttp==3.14.5", "aiohttp==3.14.6"),
        "aiohttp is 3.14.5 in requirements.txt and 3.14.6 in local/requirements.txt",
    ),
    "missing in one file": (
        *(LOCAL, "yarl==1.9 ; python_version > '3'\n", ""),
        "yarl is 1.9 in requirements.txt and absent in local/requirements.txt",
    ),
    "a pin that a newer Python lacks": (
        *(APP, "aiohttp==3.14.5", "aiohttp==3.14.5 ; python_full_version < '3.13'"),
        "aiohttp is in pyproject.toml but not in requirements.txt",
    ),
    "a loose pin": (
        *(LOCAL, "rich==15.1", "rich>=15.1"),
        "local/requirements.txt:6: 'rich>=15.1' is not an exact pin (name==version)",
    ),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_drift_is_reported_by_package_and_file(checkout: Path, drift: str) -> None:
    file, old, new, problem = DRIFTS[drift]
    text = (checkout / file).read_text()
    assert old in text
    (checkout / file).write_text(text.replace(old, new))
    assert problem in check_pins(checkout)


@pytest.mark.parametrize(
    "line", ["rich", "rich==15.*", "rich==15,<16", "-r other.txt", "git+https://x/y", "rich===15"]
)
def test_only_one_exact_version_is_a_pin(checkout: Path, line: str) -> None:
    (checkout / LOCAL).write_text(f"{line}\n")
    pins = read_pins(checkout, LOCAL)
    assert pins.requirements == []
    assert pins.problems == [
        f"local/requirements.txt:1: {line!r} is not an exact pin (name==version)"
    ]
