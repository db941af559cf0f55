"""Names say what a thing is: words that could stand for anything are no names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VAGUE = frozenset({"own", "found", "given", "known", "asked", "wanted", "told", "left", "work"})
FOLDERS = (
    "activities",
    "orchestrators",
    "shared",
    "local",
    "client",
    "benchmarks",
    "training",
    "docs",
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def names_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the names that a module gives to variables, parameters, fields and functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name, node.lineno


def vague_names(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    place = path.relative_to(ROOT)
    return [
        f"{place}:{line} {name}"
        for name, line in names_in(tree)
        if name.strip("_").lower() in VAGUE
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_name_could_stand_for_anything(folder: str) -> None:
    modules = sorted((ROOT / folder).rglob("*.py"))
    assert modules
    assert [name for module in modules for name in vague_names(module)] == []
