"""Whether the emulators take the options that they are passed, found out before any starts."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

from local.runtime.failures import UsageError
from local.runtime.options import CloudOptions


def check_emulator_options(options: CloudOptions) -> None:
    """Raises UsageError for an option that an emulator doesn't take, or a value of a wrong type."""
    _check("--teacher-option", "teacher", options.teacher_options)
    folder = ("--data-dir", ".")
    _check("--azureml-option", "azureml", options.azureml_options, folder)
    _check("--openai-option", "azure_openai", options.openai_options, folder)


def _check(option: str, emulator: str, flags: Sequence[str], required: Sequence[str] = ()) -> None:
    if not flags:
        return
    parser: argparse.ArgumentParser = import_module(f"local.emulators.{emulator}.__main__").parser()
    parser.exit_on_error = False
    advice = f"python -m local.emulators.{emulator} --help lists all options"
    try:
        _, unknown = parser.parse_known_args(["--port", "0", *required, *flags])
    except argparse.ArgumentError as error:
        raise UsageError(f"{option}: {error} ({advice})") from error
    for flag in unknown:
        name = flag.partition("=")[0]
        suggestion = _suggestion(name, parser.format_usage())
        raise UsageError(f"{option} {name.lstrip('-')!r} doesn't exist{suggestion} ({advice})")


def _suggestion(flag: str, usage: str) -> str:
    close = get_close_matches(flag, re.findall(r"--[a-z-]+", usage), n=1)
    return f": did you mean {close[0].lstrip('-').replace('-', '_')}?" if close else ""
