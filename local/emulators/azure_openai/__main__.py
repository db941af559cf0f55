"""`python -m local.emulators.azure_openai`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.server import serve
from local.emulators.options import options_parser, parsed, run_command
from local.runtime.lifeline import told_to_stop


def parser() -> argparse.ArgumentParser:
    """Return every flag, with its unit."""
    description = "Emulator of Azure OpenAI's fine-tuning API. It checks files and trains nothing."
    flags = options_parser("azure_openai", description, EmulatorOptions)
    flags.add_argument("--data-dir", type=Path, required=True, help="folder of its data")
    return flags


async def run(chosen: EmulatorOptions, arguments: argparse.Namespace) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    async with serve(chosen, data_dir=arguments.data_dir, port=arguments.port) as url:
        print(f"Azure OpenAI emulator at {url} (it trains nothing)", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(parser(), arguments, partial(parsed, EmulatorOptions), run)


if __name__ == "__main__":
    sys.exit(main())
