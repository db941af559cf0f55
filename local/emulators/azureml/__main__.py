"""`python -m local.emulators.azureml`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.bootstrap.training import TRAINING_PYTHON
from local.emulators.azureml.access import ROLES
from local.emulators.azureml.options import DEFAULT_PACE, FINAL_STATUSES, EmulatorOptions
from local.emulators.azureml.server import serve
from local.runtime.lifeline import run_server, told_to_stop

STORAGE_VARIABLES = ("DISTILLATION_STORAGE", "AzureWebJobsStorage")


def parser() -> argparse.ArgumentParser:
    """Every flag, with its unit."""
    flags = argparse.ArgumentParser(
        prog="python -m local.emulators.azureml",
        description="AzureML emulator for fine-tuning jobs. It reads their training data, and trains nothing; commands it runs.",
        epilog=f"Training data is read from the storage account of {' or '.join(STORAGE_VARIABLES)}.",
    )
    flags.add_argument(
        "--port",
        type=int,
        required=True,
        help="port on 127.0.0.1; 0 takes a free one and prints it",
    )
    flags.add_argument("--data-dir", type=Path, required=True, help="folder of its database")
    flags.add_argument(
        "--pace", type=float, default=DEFAULT_PACE, help="seconds a job takes (default %(default)s)"
    )
    flags.add_argument("--seed", type=int, default=0, help="of the failure lottery")
    flags.add_argument(
        "--fail-rate",
        type=float,
        default=0,
        metavar="P",
        help="0 to 1: jobs that fail while running",
    )
    flags.add_argument(
        "--final-status", choices=FINAL_STATUSES, default="Completed", help="where jobs end up"
    )
    flags.add_argument(
        "--status-path",
        default="",
        metavar="A,B,…",
        help="exact course of each job, such as Running,NotResponding,Running,Completed",
    )
    flags.add_argument(
        "--role", choices=ROLES, default="AzureML Data Scientist", help="of the app's identity"
    )
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
        help="Python that commands find first (default: that of `demo --train`, else the emulator's own)",
    )
    flags.add_argument(
        "--identity-header", help="secret of the identity endpoint; else IDENTITY_HEADER; else any"
    )
    flags.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    return flags


def options(given: argparse.Namespace) -> EmulatorOptions:
    """Options from the flags. Raises ValueError for values out of range."""
    return EmulatorOptions(
        pace=given.pace,
        seed=given.seed,
        fail_rate=given.fail_rate,
        final_status=given.final_status,
        status_path=tuple(filter(None, given.status_path.split(","))),
        role=given.role,
        run_commands=given.run_commands == "yes",
        training_python=given.training_python,
        identity_header=given.identity_header or os.environ.get("IDENTITY_HEADER") or None,
    )


async def run(chosen: EmulatorOptions, port: int, data_dir: Path, storage: str | None) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    async with serve(chosen, storage=storage, data_dir=data_dir, port=port) as emulator:
        what = "runs commands here" if chosen.run_commands else "trains nothing"
        print(f"AzureML emulator at {emulator.base_url} (it {what})", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    flags = parser()
    given = flags.parse_args(arguments)
    try:
        chosen = options(given)
    except ValueError as error:
        flags.error(str(error))
    storage = next(filter(None, map(os.environ.get, STORAGE_VARIABLES)), None)
    return run_server(
        run(chosen, given.port, given.data_dir, storage), port=given.port, lifeline=given.lifeline
    )


if __name__ == "__main__":
    sys.exit(main())
