"""`test`: everything CI runs. pytest comes last, so that its summary is the last thing a test runner prints."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local.bootstrap import ROOT
from local.bootstrap.pins import ADVICE, check_pins

# Most of the time is spent waiting for processes and timers: three at a time take 40 % of the time on 2 cores.
SIDE_BY_SIDE = [
    "-n",
    "3",
    "--dist",
    "loadfile",
    "--no-loadscope-reorder",
]  # or files of few, long tests would come last
FAST_SKIPS = "pyright, and tests marked real_data"


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name; `passes` runs it, and prints what is wrong."""

    name: str
    passes: Callable[[], bool]


def main(chosen: argparse.Namespace) -> int:
    """0 only if every check has passed."""
    checks = [
        Check("ruff check", lambda: _passes("ruff", "check", ".")),
        Check("ruff format", lambda: _passes("ruff", "format", "--check", ".")),
        Check("pins", _pins_fit),
    ]
    if not chosen.fast:
        checks.append(Check("pyright", lambda: _passes("pyright", "--warnings")))
    failed = run_checks(checks, print)
    if chosen.fast:
        print(f"skipped (--fast): {FAST_SKIPS}", flush=True)
    side_by_side = (
        [] if chosen.pytest_arguments else SIDE_BY_SIDE
    )  # the user's choice of tests is run as it comes
    pytest = [
        "pytest",
        *side_by_side,
        *(["-m", "not real_data"] if chosen.fast else []),
        *chosen.pytest_arguments,
    ]
    if not _passes(*pytest):
        failed.append("pytest")
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def run_checks(checks: Sequence[Check], tell: Callable[[str], None]) -> list[str]:
    """Run all checks, whatever becomes of each, and return the names of those that failed."""
    failed: list[str] = []
    for check in checks:
        began = time.monotonic()
        passed = check.passes()
        tell(
            f"{'passed' if passed else 'FAILED'}  {check.name}  ({time.monotonic() - began:.1f} s)"
        )
        if not passed:
            failed.append(check.name)
    return failed


def _passes(module: str, *arguments: str) -> bool:
    """Run a tool of this environment in the repository; its output goes straight to ours."""
    sys.stdout.flush()
    environment = {
        **os.environ,
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }  # it would ask the network for newer versions
    return (
        subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment
        ).returncode
        == 0
    )


def _pins_fit() -> bool:
    problems = check_pins(ROOT)
    for problem in problems:
        print(f"{problem}: {ADVICE}")
    return not problems
