"""The commands of `python -m local`.

The command line is parsed before anything is installed: `--help` and a typo are answered by any Python 3.11, at once.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from local.bootstrap import ensure_environment
from local.commands.arguments import parse

MODULES = {"up": "up", "demo": "demo", "run": "run", "test": "checks"}


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    chosen = parse(arguments)
    ensure_environment(arguments)
    try:
        command = importlib.import_module(f"local.commands.{MODULES[chosen.command]}")
        return int(command.main(chosen))
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
