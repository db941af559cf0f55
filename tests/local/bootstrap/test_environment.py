"""Damage to an environment shows in its files, without asking pip; a good one is left alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from local.bootstrap.environment import Environment
from tests.support.checkout import REQUIREMENTS, install, site_packages, small_checkout

Damage = Callable[[Environment], object]


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """One that is finished."""
    made = small_checkout(tmp_path / "checkout")
    install(made)
    return made


def restamp(environment: Environment, **changes: str) -> None:
    environment.stamp.write_text(
        json.dumps({**json.loads(environment.stamp.read_text()), **changes})
    )


def replace_python(environment: Environment, script: str) -> None:
    environment.python.unlink()
    environment.python.write_text(f"#!/bin/sh\n{script}\n")
    environment.python.chmod(0o755)


def replace_by_a_file(environment: Environment) -> None:
    shutil.rmtree(environment.folder)
    environment.folder.touch()


def test_a_finished_environment_needs_nothing(environment: Environment) -> None:
    assert environment.repair() is None
    assert install(environment).started == []


UPDATES: dict[str, Damage] = {
    "local/requirements.txt has changed": lambda env: env.requirements.write_text(
        REQUIREMENTS + "third==1\n"
    ),
    "Azurite's pins have changed": lambda env: env.azurite_pins[1].write_text("{}"),
}


@pytest.mark.parametrize("reason", UPDATES)
def test_changed_pins_are_installed_over_what_is_there(
    environment: Environment, reason: str
) -> None:
    UPDATES[reason](environment)
    repair = environment.repair()
    assert repair
    assert (repair.reason, repair.rebuild) == (reason, False)
    assert install(environment).started == ["pip", "npm"]
    assert environment.repair() is None


def test_a_removed_azurite_is_installed_again(environment: Environment) -> None:
    shutil.rmtree(environment.azurite)
    assert install(environment).started == ["pip", "npm"]
    assert environment.repair() is None


BREAKAGES: dict[str, tuple[Damage, str]] = {
    "folder removed": (lambda env: shutil.rmtree(env.folder), "there is no environment yet"),
    "folder is a file": (replace_by_a_file, "does not start"),
    "python removed": (lambda env: env.python.unlink(), "does not start"),
    "python broken": (lambda env: replace_python(env, "exit 1"), "does not start"),
    "python upgraded": (
        lambda env: restamp(env, python="3.10.99"),
        "it was made with Python 3.10.99, which is now",
    ),
    "package removed": (lambda env: (site_packages(env) / "tiny").rmdir(), "tiny was removed"),
    "other version": (
        lambda env: (site_packages(env) / "other-2.0.dist-info").rename(site_packages(env) / "x"),
        "other",
    ),
    "cut short": (lambda env: env.unfinished.touch(), "an earlier installation was not finished"),
    "made for another folder": (
        lambda env: restamp(env, folder="/elsewhere/.venv"),
        "made for /elsewhere/.venv",
    ),
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_a_broken_environment_is_made_anew(environment: Environment, what: str) -> None:
    damage, reason = BREAKAGES[what]
    damage(environment)
    repair = environment.repair()
    assert repair
    assert repair.rebuild
    assert reason in repair.reason
    assert install(environment).started == ["venv", "pip", "npm"]
    assert environment.repair() is None


@pytest.mark.parametrize(
    "text", ["", '{"folder": "cut sho', "[]", "null", '"text"', "1", "{}", '{"packages": null}']
)
def test_a_damaged_stamp_is_no_stamp(environment: Environment, text: str) -> None:
    environment.stamp.write_text(text)
    repair = environment.repair()
    assert repair
    assert (repair.reason, repair.rebuild) == ("it was not made by this command", False)


def test_an_environment_without_a_stamp_is_kept_where_it_can_serve(
    environment: Environment,
) -> None:
    environment.stamp.unlink()
    assert install(environment).started == ["pip", "npm"]


def test_an_environment_that_someone_made_without_pip_is_made_anew(
    environment: Environment,
) -> None:
    environment.stamp.unlink()
    (environment.programs / "pip").unlink()
    assert install(environment).started == ["venv", "pip", "npm"]


def test_an_environment_of_a_too_old_python_is_made_anew(environment: Environment) -> None:
    environment.stamp.unlink()
    replace_python(environment, "echo 3.9.18")
    assert install(environment).started == ["venv", "pip", "npm"]


def test_what_people_install_themselves_is_no_damage(environment: Environment) -> None:
    (site_packages(environment) / "pip-30.0.dist-info").mkdir()
    (site_packages(environment) / "ipython").mkdir()
    assert environment.repair() is None


def test_line_endings_of_a_checkout_are_no_change_of_pins(environment: Environment) -> None:
    environment.requirements.write_bytes(REQUIREMENTS.replace("\n", "\r\n").encode())
    assert environment.repair() is None


def test_a_moved_checkout_gets_a_new_environment(environment: Environment) -> None:
    moved = Environment(environment.root.rename(environment.root.with_name("moved")))
    assert install(moved).started == ["venv", "pip", "npm"]
