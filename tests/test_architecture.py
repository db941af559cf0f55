"""The order of the packages, as docs and CONTRIBUTING state it: imports point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = (
    "core",
    "dataset",
    "tasks",
    "students",
    "spec",
    "scan",
    "teacher",
    "generation",
    "assembly",
    "finetuning",
    "evaluation",
    "report",
    "runs",
)
MAY_IMPORT = {  # what each top-level package may import, besides itself
    "shared": set[str](),
    "activities": {"shared"},
    "orchestrators": {"shared"},
    "local": {"shared", "activities", "orchestrators"},
}
APP = set(MAY_IMPORT) | {"client", "tests", "benchmarks", "docs", "training", "function_app"}


def imports_of(path: Path, *, absolute_only: bool = False) -> Iterator[str]:
    """The names that a module imports, those for type checkers included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif (
            isinstance(node, ast.ImportFrom) and node.module and not (absolute_only and node.level)
        ):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_earlier_stages_only(stage: str) -> None:
    later = set(STAGES[STAGES.index(stage) + 1 :])
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "shared" / stage).rglob("*.py")
        for name in imports_of(path)
        if name.startswith("shared.") and name.split(".")[1] in later
    ]
    assert not wrong


def test_every_package_of_the_domain_has_its_place_in_the_order() -> None:
    packages = {
        path.name for path in (ROOT / "shared").iterdir() if (path / "__init__.py").exists()
    }
    assert packages == set(STAGES)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_dependencies_point_one_way(package: str) -> None:
    forbidden = APP - MAY_IMPORT[package] - {package}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in imports_of(path)
        if name.partition(".")[0] in forbidden
    ]
    assert not wrong
