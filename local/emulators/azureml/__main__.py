"""`python -m local.emulators.azureml`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from local.bootstrap.training import TRAINING_PYTHON
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.server import serve
from local.emulators.options import options_parser, parsed, run_command
from local.runtime.lifeline import told_to_stop

STORAGE_VARIABLES = ("DISTILLATION_STORAGE", "AzureWebJobsStorage")


def parser() -> argparse.ArgumentParser:
    """Return every flag, with its unit."""
    flags = options_parser(
        "azureml",
        "AzureML emulator. It checks the data of fine-tuning jobs and trains nothing; "
        "commands of command jobs are run for real.",
        EmulatorOptions,
        epilog=f"Data is in the storage account of {' or '.join(STORAGE_VARIABLES)}.",
    )
    flags.add_argument("--data-dir", type=Path, required=True, help="folder of its data")
    flags.set_defaults(
        training_python=TRAINING_PYTHON if TRAINING_PYTHON.exists() else None,
        identity_header=os.environ.get("IDENTITY_HEADER") or None,
    )
    return flags


async def run(chosen: EmulatorOptions, arguments: argparse.Namespace) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    storage = next(filter(None, map(os.environ.get, STORAGE_VARIABLES)), None)
    data_dir: Path = arguments.data_dir
    async with serve(chosen, storage=storage, data_dir=data_dir, port=arguments.port) as url:
        does = "runs commands here" if chosen.run_commands else "trains nothing"
        print(f"AzureML emulator at {url} (it {does})", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(parser(), arguments, partial(parsed, EmulatorOptions), run)


if __name__ == "__main__":
    sys.exit(main())
