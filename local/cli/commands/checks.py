"""`test`: ruff, the pins, pyright and the tests; with `--all` on every supported Python.

pyright runs beside the tests. pytest comes last, so its summary is the last line; after several
test runs, or a failed check, the last line is the sum of all.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.bootstrap import ROOT
from local.bootstrap.pins import ADVICE, check_pins
from local.cli.commands.tools import Counts, Tools

# Most of the time is spent waiting for processes and timers, hence two workers more than cores.
# tests/conftest.py says in which order, and which tests share a worker.
WORKERS = str((os.cpu_count() or 2) + 2)
SIDE_BY_SIDE = ("-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder")
QUICK = ("-m", "not slow")
FAST = ("-m", "not slow and not real_data")
THOROUGH = ("--hypothesis-profile", "thorough")
SKIPPED_WHEN_FAST = "skipped (--fast): pyright, and tests marked real_data"
# Where this version is found, the local host runs functions in Microsoft's worker library.
MICROSOFT_RUNTIME = "3.13"


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name; `passes` runs it, and prints what is wrong."""

    name: str
    passes: Callable[[], bool]


def main(chosen: argparse.Namespace, tools: Tools | None = None) -> int:
    """Return 0 only if every check and every test has passed."""
    tools = tools or Tools()
    pyright = None if chosen.fast else tools.start("pyright", "--warnings")
    failed_checks = run_checks(
        [
            Check("ruff check", lambda: tools.passes("ruff", "check", ".")),
            Check("ruff format", lambda: tools.passes("ruff", "format", "--check", ".")),
            Check("pins", lambda: pins_fit(ROOT)),
        ],
        print,
    )
    print(SKIPPED_WHEN_FAST if chosen.fast else "pyright runs beside the tests.", flush=True)
    counts = _run_everything(tools) if chosen.all else _run_tests(tools, chosen)
    if pyright is not None:
        has_passed, output = pyright.result()
        if not has_passed:
            print(output)
            failed_checks.append("pyright")
    if failed_checks:
        print(f"FAILED: {', '.join(failed_checks)}", flush=True)
    if failed_checks or chosen.all:
        print(counts + Counts(0, len(failed_checks)), flush=True)
    return 1 if failed_checks or counts.failed else 0


def run_checks(checks: Sequence[Check], show: Callable[[str], None]) -> list[str]:
    """Run all checks, even after a failure, and return the names of those that failed."""
    failed: list[str] = []
    for check in checks:
        began = time.monotonic()
        passed = check.passes()
        outcome = "passed" if passed else "FAILED"
        show(f"{outcome}  {check.name}  ({time.monotonic() - began:.1f} s)")
        if not passed:
            failed.append(check.name)
    return failed


def pins_fit(root: Path) -> bool:
    """Whether the pins fit pyproject.toml; prints each one that doesn't."""
    problems = check_pins(root)
    for problem in problems:
        print(f"{problem}: {ADVICE}")
    return not problems


def _run_tests(tools: Tools, chosen: argparse.Namespace) -> Counts:
    """Run the user's choice of tests as it stands, or all but the slow repetitions."""
    selection = FAST if chosen.fast else QUICK
    if chosen.pytest_arguments:
        selection = FAST if chosen.fast else ()
        return tools.tests(Path(sys.executable), *selection, *chosen.pytest_arguments)
    return tools.tests(Path(sys.executable), *SIDE_BY_SIDE, *selection)


def _run_everything(tools: Tools) -> Counts:
    """Run the tests on each supported Python of this machine, and here the slow ones too."""
    counts = Counts(0, 0)
    pythons = tools.environments()
    current = f"{sys.version_info[0]}.{sys.version_info[1]}"
    runtime = {**pythons, current: Path(sys.executable)}.get(MICROSOFT_RUNTIME)
    if runtime is not None:
        print(
            f"\n== the demo on Python {MICROSOFT_RUNTIME}, through Microsoft's runtime", flush=True
        )
        counts += tools.demo(runtime)
    for version, python in pythons.items():
        print(f"\n== tests on Python {version}", flush=True)
        counts += tools.tests(python, *SIDE_BY_SIDE, *QUICK)
    print(f"\n== tests on Python {current}, slow ones included", flush=True)
    return counts + tools.tests(Path(sys.executable), *SIDE_BY_SIDE, *THOROUGH)
