"""The commands of `python -m local`.

The command line is parsed before anything is installed: `--help` and a typo are answered by any Python 3.11, at once.
"""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence

from local.bootstrap.entry import ensure_environment
from local.cli.commands.arguments import parse
from local.runtime.failures import LocalError

MODULES = {"up": "up", "demo": "demo", "run": "run", "test": "checks"}
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    chosen = parse(arguments)
    ensure_environment(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop in order, as with Ctrl-C
    try:
        module = "training_demo" if getattr(chosen, "trains", False) else MODULES[chosen.command]
        command = importlib.import_module(f"local.cli.commands.{module}")
        return int(command.main(chosen))
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Runs that have not ended go on with `python3 -m local up`.",
            file=sys.stderr,
        )
        return INTERRUPTED
    except LocalError as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return error.exit_code
