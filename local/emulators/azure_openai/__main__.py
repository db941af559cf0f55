"""`python -m local.emulators.azure_openai`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.server import serve
from local.emulators.jobs import job_flags, job_values
from local.emulators.service import run_command
from local.runtime.lifeline import told_to_stop

KEY_VARIABLE = "LOCAL_AZURE_OPENAI_KEY"


def parser() -> argparse.ArgumentParser:
    """Return every flag, with its unit."""
    description = "Emulator of Azure OpenAI's fine-tuning API. It checks files and trains nothing."
    flags = job_flags("azure_openai", description, EmulatorOptions)
    pace_help = "seconds until a file is checked (default: a tenth of --pace)"
    flags.add_argument("--file-pace", type=float, help=pace_help)
    flags.add_argument("--api-key", help=f"the key it accepts; else {KEY_VARIABLE}; else any")
    return flags


def options(arguments: argparse.Namespace) -> EmulatorOptions:
    """Return the options. Raises ValueError for values out of range."""
    key = arguments.api_key or os.environ.get(KEY_VARIABLE) or None
    return EmulatorOptions(**job_values(arguments), file_pace=arguments.file_pace, api_key=key)


async def run(chosen: EmulatorOptions, arguments: argparse.Namespace) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    async with serve(chosen, data_dir=arguments.data_dir, port=arguments.port) as emulator:
        print(f"Azure OpenAI emulator at {emulator.base_url} (it trains nothing)", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(parser(), arguments, options, run)


if __name__ == "__main__":
    sys.exit(main())
