"""`python -m local.emulators.azureml`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.bootstrap.training import TRAINING_PYTHON
from local.emulators.azureml.access import DEFAULT_ROLE, ROLES
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.server import serve
from local.emulators.jobs import job_flags, job_values
from local.emulators.service import run_command
from local.runtime.lifeline import told_to_stop

STORAGE_VARIABLES = ("DISTILLATION_STORAGE", "AzureWebJobsStorage")


def parser() -> argparse.ArgumentParser:
    """Return every flag, with its unit."""
    flags = job_flags(
        "azureml",
        "AzureML emulator. It checks the data of fine-tuning jobs and trains nothing; "
        "commands of command jobs are run for real.",
        EmulatorOptions,
        epilog=f"Data is in the storage account of {' or '.join(STORAGE_VARIABLES)}.",
    )
    role_help = "of the app's identity"
    flags.add_argument("--role", choices=ROLES, default=DEFAULT_ROLE, help=role_help)
    flags.add_argument(
        "--run-commands",
        nargs="?",
        choices=("yes", "no"),
        default="no",
        const="yes",
        help="run the commands of command jobs on this machine",
    )
    flags.add_argument(
        "--training-python",
        type=Path,
        default=TRAINING_PYTHON if TRAINING_PYTHON.exists() else None,
        metavar="PATH",
        help="Python of commands (default: that of `demo --train`, else the emulator's own)",
    )
    header_help = "secret of the identity endpoint; else IDENTITY_HEADER; else any"
    flags.add_argument("--identity-header", help=header_help)
    return flags


def options(arguments: argparse.Namespace) -> EmulatorOptions:
    """Return the options. Raises ValueError for values out of range."""
    return EmulatorOptions(
        **job_values(arguments),
        role=arguments.role,
        run_commands=arguments.run_commands == "yes",
        training_python=arguments.training_python,
        identity_header=arguments.identity_header or os.environ.get("IDENTITY_HEADER") or None,
    )


async def run(chosen: EmulatorOptions, arguments: argparse.Namespace) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    storage = next(filter(None, map(os.environ.get, STORAGE_VARIABLES)), None)
    emulator = serve(chosen, storage=storage, data_dir=arguments.data_dir, port=arguments.port)
    async with emulator as running:
        does = "runs commands here" if chosen.run_commands else "trains nothing"
        print(f"AzureML emulator at {running.base_url} (it {does})", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(parser(), arguments, options, run)


if __name__ == "__main__":
    sys.exit(main())
