"""The commands of `python -m local`.

The command line is parsed, and a teacher's URL tried, before anything is installed: `--help`, a
typo and a wrong address are answered at once by a Python without any package.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence

from local.bootstrap.entry import CONTINUED_IN, ensure_environment
from local.cli.commands.arguments import DEFAULT_DATA_DIR, parse
from local.runtime.failures import LocalError
from local.runtime.options import cloud_options
from local.runtime.teacher_check import check_teacher

MODULES = {
    "up": "up",
    "demo": "demo",
    "run": "run",
    "check": "check",
    "convert": "convert",
    "test": "checks",
}
WITHOUT_CLOUD = ("check", "convert", "test")
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    _print_anything()
    chosen = parse(arguments)
    try:
        if chosen.command not in WITHOUT_CLOUD and CONTINUED_IN not in os.environ:
            _check_options(chosen)
        ensure_environment(arguments)
        # Stop in order, as with Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return _run(chosen)
    except KeyboardInterrupt:
        print(
            f"\nInterrupted. Unfinished runs continue with the next `{_up_command(chosen)}`.",
            file=sys.stderr,
        )
        return INTERRUPTED
    except LocalError as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return error.exit_code


def _print_anything() -> None:
    """Let a terminal that knows ASCII alone show `?` where it can't show a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _check_options(chosen: argparse.Namespace) -> None:
    """Raises UsageError for options that contradict each other, or a teacher that isn't there."""
    options = cloud_options(chosen)
    if options.teacher_url:
        check_teacher(options.teacher_url)


def _up_command(chosen: argparse.Namespace) -> str:
    """Return the command that continues with the same data directory."""
    data_dir = getattr(chosen, "data_dir", DEFAULT_DATA_DIR)
    option = "" if data_dir == DEFAULT_DATA_DIR else f" --data-dir {data_dir}"
    return f"python3 -m local up{option}"


def _run(chosen: argparse.Namespace) -> int:
    if chosen.command not in WITHOUT_CLOUD:
        # the emulators' own parsers need installed packages
        from local.runtime.emulator_options import check_emulator_options

        check_emulator_options(cloud_options(chosen))
    trains = getattr(chosen, "trains", False)
    module = "training_demo" if trains else MODULES[chosen.command]
    command = importlib.import_module(f"local.cli.commands.{module}")
    return int(command.main(chosen))
