"""The client is installed alone: its package names everything that it imports."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

from client.app import main
from tests.test_architecture import imports_of

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"
OPTIONAL = {"azure"}  # with the extra `identity`


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_development_environment_has_what_the_client_needs_in_the_same_versions() -> None:
    of_client = project(CLIENT)["dependencies"]
    assert project(ROOT)["optional-dependencies"]["client"] == of_client


def test_the_client_imports_nothing_of_the_app_and_nothing_that_it_does_not_declare() -> None:
    declared = {name.partition(">")[0] for name in project(CLIENT)["dependencies"]}
    allowed = declared | OPTIONAL | set(sys.stdlib_module_names)
    imported = {
        name.partition(".")[0]
        for path in CLIENT.rglob("*.py")
        if path.name != "__main__.py"  # isn't installed: it starts the client in a checkout
        for name in imports_of(path, absolute_only=True)
    }
    assert imported <= allowed


def test_the_console_script_leads_to_the_command_line() -> None:
    assert project(CLIENT)["scripts"] == {"distil": f"distil_client.app:{main.__name__}"}
