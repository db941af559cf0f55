"""The app as the Functions worker sees it: indexed without settings, quickly, and with annotations
that it accepts.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.core.backoff import ABANDON_SECONDS, WORK_SECONDS
from shared.spec.models import TeacherSpec

ROOT = Path(__file__).parents[1]
INDEX = (
    "import json, function_app; "
    "print(json.dumps([f.get_function_name() for f in function_app.app.get_functions()]))"
)
HEAVY = (
    "azure.ai.ml",
    "azure.identity",
    "azure.storage",
    "openai",
    "azure.monitor",
    "local",
    "msrest",
)


def run_python(code: str) -> str:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_functions_are_indexed_without_a_single_setting() -> None:
    indexed = run_python(INDEX)
    for name in (
        "dataset_uploaded",
        "upload_checked",
        "get_datasets",
        "start_run",
        "get_runs",
        "get_run",
        "cancel_run",
        "distillation_run",
        "generate_shard",
    ):
        assert f'"{name}"' in indexed


def test_a_shard_hands_its_rest_back_before_the_host_would_end_it() -> None:
    minutes = int(json.loads((ROOT / "host.json").read_text())["functionTimeout"].split(":")[1])
    room_to_flush_and_stage = 60
    assert WORK_SECONDS < ABANDON_SECONDS <= minutes * 60 - room_to_flush_and_stage
    assert (
        WORK_SECONDS + TeacherSpec().row_deadline_seconds < ABANDON_SECONDS
    )  # by default no row is ever abandoned


def test_importing_the_app_imports_nothing_heavy() -> None:
    code = f"import sys, function_app; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run_python(code).strip() == "[]"


FORBIDDEN_CALLS = (
    "datetime.now",
    "datetime.utcnow",
    "time.",
    "random.",
    "uuid.",
    "os.",
    "open(",
    "logging.",
)
FORBIDDEN_IMPORTS = (
    "random",
    "time",
    "uuid",
    "os",
    "logging",
    "asyncio",
    "aiohttp",
    "azure.storage",
    "shared.core.storage",
    "shared.core.storage_account",
)


@pytest.mark.parametrize(
    "module", sorted((ROOT / "orchestrators").rglob("*.py")), ids=lambda path: path.name
)
def test_orchestrators_do_nothing_that_a_replay_could_not_repeat(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    tree = ast.parse(source)
    calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [call for call in calls if call.startswith(FORBIDDEN_CALLS)] == []
    assert [name for name in imports_of(module) if name in FORBIDDEN_IMPORTS] == []


def calls_of(folder: str, method: str) -> dict[str, int]:
    """How often each module of a folder calls a method of the orchestration context."""
    found: dict[str, int] = {}
    for path in (ROOT / folder).rglob("*.py"):
        nodes = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        ]
        count = sum(
            isinstance(node.func, ast.Attribute) and node.func.attr == method for node in nodes
        )
        if count:
            found[path.name] = count
    return found


def test_every_race_of_an_orchestrator_has_the_timer_that_keeps_the_extension_from_waiting() -> (
    None
):
    assert calls_of("orchestrators", "task_any") == {"waiting.py": 1}
    assert calls_of("orchestrators", "task_all") == {}


def test_calls_with_retries_of_durables_own_are_awaited_alone() -> None:
    assert calls_of("orchestrators", "call_activity_with_retry") == {"waiting.py": 1}
    assert calls_of("orchestrators", "call_sub_orchestrator_with_retry") == {}


def test_the_triggers_never_import_the_local_cloud() -> None:
    imported = imports_of(ROOT / "function_app.py")
    assert [name for name in imported if name.split(".")[0] == "local"] == []


def test_nothing_in_the_domain_knows_the_functions_sdk() -> None:
    files = list((ROOT / "shared").rglob("*.py"))
    assert len(files) > 20
    sdk = ("azure.functions", "azure.durable_functions")
    importing = [path.name for path in files for name in imports_of(path) if name.startswith(sdk)]
    assert importing == []


def imports_of(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return names + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
