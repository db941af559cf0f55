"""`python -m local.emulators.azure_openai`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.server import serve
from local.emulators.options import options_parser, parsed, run_command
from local.runtime.lifeline import told_to_stop

KEY_VARIABLE = "LOCAL_AZURE_OPENAI_KEY"


def parser() -> argparse.ArgumentParser:
    """Return every flag, with its unit."""
    description = "Emulator of Azure OpenAI's fine-tuning API. It checks files and trains nothing."
    flags = options_parser("azure_openai", description, EmulatorOptions)
    flags.add_argument("--data-dir", type=Path, required=True, help="folder of its data")
    return flags


def options(arguments: argparse.Namespace) -> EmulatorOptions:
    """Return the options. Raises ValueError for values out of range."""
    key = arguments.api_key or os.environ.get(KEY_VARIABLE) or None
    return parsed(EmulatorOptions, arguments, api_key=key)


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
