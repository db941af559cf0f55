"""The app as the Functions worker sees it: indexed without settings, quickly, and with annotations that it accepts."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
INDEX = (
    "import json, function_app; print(json.dumps([f.get_function_name() for f in function_app.app.get_functions()]))"
)
HEAVY = ("azure.ai.ml", "openai", "azure.monitor", "local", "msrest")


def run_python(code: str) -> str:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_functions_are_indexed_without_a_single_setting() -> None:
    indexed = run_python(INDEX)
    for name in (
        "dataset_uploaded",
        "start_run",
        "get_runs",
        "get_run",
        "cancel_run",
        "distillation_run",
        "generate_shard",
    ):
        assert f'"{name}"' in indexed


def test_importing_the_app_imports_nothing_heavy() -> None:
    code = f"import sys, function_app; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def app_functions() -> list[Any]:
    from activities import assemble, finetune, generate, preflight, prepare, progress, report, scan

    parts = (prepare, scan, preflight, generate, progress, assemble, finetune, report)
    return [builder._function for part in parts for builder in part.bp._function_builders]  # pyright: ignore


def test_annotations_of_activities_are_classes_as_the_worker_demands() -> None:
    functions = app_functions()
    assert len(functions) == 10
    for function in functions:
        hints = typing.get_type_hints(function.get_user_function())
        assert [name for name, hint in hints.items() if not inspect.isclass(hint)] == [], function


FORBIDDEN_CALLS = ("datetime.now", "datetime.utcnow", "time.", "random.", "uuid.", "os.", "open(", "logging.")
FORBIDDEN_IMPORTS = ("random", "time", "uuid", "os", "logging", "asyncio", "aiohttp", "azure.storage", "shared.storage")


@pytest.mark.parametrize("module", sorted((ROOT / "orchestrators").glob("*.py")), ids=lambda path: path.name)
def test_orchestrators_do_nothing_that_a_replay_could_not_repeat(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    tree = ast.parse(source)
    calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [call for call in calls if call.startswith(FORBIDDEN_CALLS)] == []
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [name for name in imported if name in FORBIDDEN_IMPORTS] == []


def test_the_app_never_imports_the_local_cloud() -> None:
    folders = [ROOT / "function_app.py", *(ROOT / part for part in ("shared", "activities", "orchestrators"))]
    files = [path for folder in folders for path in ([folder] if folder.is_file() else folder.rglob("*.py"))]
    offending = [path.name for path in files if "from local" in path.read_text() or "import local" in path.read_text()]
    assert len(files) > 30
    assert offending == []


def test_nothing_in_the_domain_knows_the_functions_sdk() -> None:
    files = list((ROOT / "shared").rglob("*.py"))
    assert [
        path.name
        for path in files
        if "azure.functions" in path.read_text() or "durable" in path.read_text().split('"""')[2]
    ] == []
