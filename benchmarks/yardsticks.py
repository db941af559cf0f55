"""`python -m benchmarks.yardsticks [FOLDER]`: what the code looks like, as numbers.

Prints a row for the app, the local cloud and the tests: size and shape of modules and functions,
share of annotated functions, how dense lines are, and what is left untyped. `--at REVISION`
measures another commit, formatted as today's configuration formats, so that two commits can be
compared.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = {
    "app": ("function_app.py", "activities", "orchestrators", "shared"),
    "local": ("local", "samples"),
    "tests": ("tests",),
    "other": ("benchmarks", "docs", "training", "infra", "client"),
}
MAX_COLUMNS = 100
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COLUMNS = (
    "part",
    "modules",
    "lines",
    "module median",
    "function median",
    "p90",
    "annotated %",
    "tuple packing",
    "comprehensions",
    "ternaries",
    "lines > 100 %",
    "dict[str, Any]",
    "complexity > 10",
)


@dataclass(frozen=True)
class Module:
    """A parsed source file."""

    path: Path
    lines: list[str]
    tree: ast.Module

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT)
    parser.add_argument("--at", metavar="REVISION", help="measure this commit instead")
    options = parser.parse_args()
    if not options.at:
        print_table(options.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        check_out(options.at, Path(folder))
        print_table(Path(folder))


def check_out(revision: str, folder: Path) -> None:
    """Write a commit's files to a folder, formatted as today's configuration formats."""
    archive = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    columns = ["--config", f"line-length={MAX_COLUMNS}"]
    command = [sys.executable, "-m", "ruff", "format", "-q", *columns, str(folder)]
    subprocess.run(command, check=True)


def print_table(folder: Path) -> None:
    """Print a line for each part of the tree, and one for all of it."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    everything: list[Module] = []
    for part, places in PARTS.items():
        modules = [module for place in places for module in modules_in(folder / place)]
        if modules:
            rows.append(row_of(part, modules, folder))
        everything += modules
    rows.append(row_of("all", everything, folder))
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def modules_in(place: Path) -> Iterator[Module]:
    """Parse the modules of a file or folder that have any code."""
    paths = [place] if place.is_file() else sorted(place.rglob("*.py"))
    for path in paths:
        if text := path.read_text(encoding="utf-8"):
            yield Module(path, text.splitlines(), ast.parse(text))


def row_of(part: str, modules: Sequence[Module], folder: Path) -> tuple[str, ...]:
    """Measure some modules. One cell for each of COLUMNS; densities are per 1,000 lines."""
    lines = sum(len(module.lines) for module in modules)
    functions = [function for module in modules for function in module.functions]
    lengths = sorted(length_of(function) for function in functions)
    long_lines = count_lines(modules, lambda line: len(line) > MAX_COLUMNS)
    untyped = count_lines(modules, lambda line: bool(re.search(r"dict\[str, Any\]", line)))
    return (
        part,
        str(len(modules)),
        str(lines),
        f"{statistics.median(len(module.lines) for module in modules):.0f}",
        f"{statistics.median(lengths):.0f}",
        str(lengths[int(len(lengths) * 0.9)]),
        f"{100 * statistics.mean(is_annotated(function) for function in functions):.0f}",
        f"{1000 * count_nodes(modules, is_tuple_packing) / lines:.1f}",
        f"{1000 * count_nodes(modules, is_comprehension) / lines:.1f}",
        f"{1000 * count_nodes(modules, is_ternary) / lines:.1f}",
        f"{100 * long_lines / lines:.1f}",
        str(untyped),
        str(count_complex(modules, folder)),
    )


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def is_annotated(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the result and every parameter but self and cls have a type."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    typed = (
        argument.annotation is not None
        for argument in arguments
        if argument.arg not in ("self", "cls")
    )
    return function.returns is not None and all(typed)


def is_tuple_packing(node: ast.AST) -> bool:
    """Whether a statement assigns several values to several names at once."""
    if not isinstance(node, ast.Assign):
        return False
    return isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Tuple)


def is_comprehension(node: ast.AST) -> bool:
    return isinstance(node, COMPREHENSIONS)


def is_ternary(node: ast.AST) -> bool:
    return isinstance(node, ast.IfExp)


def count_nodes(modules: Sequence[Module], matches: Callable[[ast.AST], bool]) -> int:
    return sum(matches(node) for module in modules for node in ast.walk(module.tree))


def count_lines(modules: Sequence[Module], matches: Callable[[str], bool]) -> int:
    return sum(matches(line) for module in modules for line in module.lines)


def count_complex(modules: Sequence[Module], folder: Path) -> int:
    """Count the functions whose cyclomatic complexity is above 10, as ruff computes it."""
    paths = [str(module.path) for module in modules]
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "C901"]
    output = subprocess.run(
        [*command, "--output-format", "concise", *paths],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout
    return output.count("C901")


if __name__ == "__main__":
    main()
