"""The README says what the code does: every setting, route, specification key and command appears in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from shared.core.settings import SETTINGS
from shared.runs.status import RUNTIME_STATUS
from shared.spec.models import RunSpec, StudentSpec
from shared.tasks import TASKS
from tests.support.orchestrator_simulation import ORCHESTRATION_VERSION

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = ("demo", "test", "up", "run")
OPTIONS = (
    "--teacher-url",
    "--teacher-model",
    "--teacher-key",
    "--azureml-url",
    "--openai-url",
    "--data-dir",
    "--port",
)


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_app_setting_is_in_the_readme(setting: str) -> None:
    assert f"| `{setting}` |" in README


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    table = README.partition("## Settings")[2].partition("## Deploy")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)) == set(SETTINGS)


@pytest.mark.parametrize(
    "section", ["teacher", "prompt", "quality", "budget", "holdout", "generation", "student"]
)
def test_every_key_of_the_run_specification_is_in_the_readme(section: str) -> None:
    model: Any = StudentSpec if section == "student" else RunSpec.model_fields[section].annotation
    assert issubclass(model, BaseModel)
    [row] = [line for line in README.splitlines() if line.startswith(f"| `{section}` |")]
    assert [key for key in model.model_fields if f"`{key}`" not in row] == []


def test_every_part_of_the_run_specification_is_in_the_readme() -> None:
    told_in_words = {"task", "name", "train", "validation"}
    assert {
        field for field in RunSpec.model_fields if f"| `{field}` |" not in README
    } == told_in_words


def test_every_route_is_in_the_readme() -> None:
    source = (ROOT / "function_app.py").read_text(encoding="utf-8")
    routes = re.findall(r'route="([^"]+)", methods=\["(\w+)"\]', source)
    assert len(routes) >= 4
    assert [
        f"{method} /api/{route}"
        for route, method in routes
        if f"| `{method} /api/{route}` |" not in README
    ] == []


@pytest.mark.parametrize("word", [*TASKS, *sorted(set(RUNTIME_STATUS.values()))])
def test_every_task_and_status_is_in_the_readme(word: str) -> None:
    assert f"`{word}`" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(command: str) -> None:
    assert f"python3 -m local {command}" in README
    shown = subprocess.run(
        [sys.executable, "-m", "local", command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert command in shown.stdout


def test_every_shared_option_is_in_the_readme_and_taken_by_the_commands() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "local", "up", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [
        option for option in OPTIONS if option not in README or option not in shown.stdout
    ] == []


def test_host_json_is_what_the_app_relies_on() -> None:
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    assert host["extensionBundle"]["version"] == "[4.*, 5.0.0)"
    assert host["telemetryMode"] == "OpenTelemetry"
    durable = host["extensions"]["durableTask"]
    assert durable["overridableExistingInstanceStates"] == "NonRunningStates"
    assert (durable["defaultVersion"], durable["versionMatchStrategy"]) == (
        ORCHESTRATION_VERSION,
        "CurrentOrOlder",
    )


def test_the_deployed_app_holds_no_file_that_only_a_machine_needs() -> None:
    ignored = (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
    assert {
        "local/",
        "tests/",
        "samples/",
        "docs/",
        ".venv/",
        ".local/",
        "local.settings.json",
    } <= set(ignored)
