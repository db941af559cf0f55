"""`python -m local.emulators.azure_openai`: serve until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.emulators.azure_openai.options import (
    DEFAULT_PACE,
    FINAL_STATUSES,
    SUCCEEDED,
    EmulatorOptions,
)
from local.emulators.azure_openai.server import serve
from local.runtime.lifeline import run_server, told_to_stop

KEY_VARIABLE = "LOCAL_AZURE_OPENAI_KEY"


def parser() -> argparse.ArgumentParser:
    """Every flag, with its unit."""
    flags = argparse.ArgumentParser(
        prog="python -m local.emulators.azure_openai",
        description="Emulator of Azure OpenAI's fine-tuning API. It reads the files it is given, and trains nothing.",
    )
    flags.add_argument(
        "--port",
        type=int,
        required=True,
        help="port on 127.0.0.1; 0 takes a free one and prints it",
    )
    flags.add_argument(
        "--data-dir", type=Path, required=True, help="folder of its database and files"
    )
    flags.add_argument(
        "--pace", type=float, default=DEFAULT_PACE, help="seconds a job takes (default %(default)s)"
    )
    flags.add_argument(
        "--file-pace",
        type=float,
        help="seconds until a file is judged (default: a tenth of --pace)",
    )
    flags.add_argument(
        "--seed", type=int, default=0, help="of the failure lottery and of the metrics"
    )
    flags.add_argument(
        "--fail-rate",
        type=float,
        default=0,
        metavar="P",
        help="0 to 1: jobs that fail while running",
    )
    flags.add_argument(
        "--final-status", choices=FINAL_STATUSES, default=SUCCEEDED, help="where jobs end up"
    )
    flags.add_argument(
        "--status-path",
        default="",
        metavar="STATUS,STATUS,…",
        help="the exact course of each job, such as pending,running,paused,running,succeeded",
    )
    flags.add_argument("--api-key", help=f"the key it takes; else {KEY_VARIABLE}; else any")
    flags.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    return flags


def options(given: argparse.Namespace) -> EmulatorOptions:
    """Options from the flags. Raises ValueError for values out of range."""
    return EmulatorOptions(
        pace=given.pace,
        file_pace=given.file_pace,
        seed=given.seed,
        fail_rate=given.fail_rate,
        final_status=given.final_status,
        status_path=tuple(
            filter(None, (status.strip() for status in given.status_path.split(",")))
        ),
        api_key=given.api_key or os.environ.get(KEY_VARIABLE) or None,
    )


async def run(chosen: EmulatorOptions, port: int, data_dir: Path) -> None:
    """Serve until a signal says stop."""
    stop = told_to_stop()
    async with serve(chosen, data_dir=data_dir, port=port) as emulator:
        print(f"Azure OpenAI emulator at {emulator.base_url} (it trains nothing)", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    flags = parser()
    given = flags.parse_args(arguments)
    try:
        chosen = options(given)
    except ValueError as error:
        flags.error(str(error))
    return run_server(
        run(chosen, given.port, given.data_dir), port=given.port, lifeline=given.lifeline
    )


if __name__ == "__main__":
    sys.exit(main())
