"""`python -m local.functions_host`: serve a Functions app until SIGTERM or Ctrl-C.

App settings come from the environment, as in Azure.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from local.functions_host.errors import HostError
from local.functions_host.host import serve
from local.functions_host.logs import log_to
from local.runtime.lifeline import exit_with_parent, told_to_stop


def parser() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="python -m local.functions_host",
        description="A Functions host for Python apps with HTTP, blob and durable triggers.",
    )
    flags.add_argument(
        "--port",
        type=int,
        required=True,
        help="port on 127.0.0.1; 0 takes a free one and prints it",
    )
    flags.add_argument(
        "--data-dir",
        type=Path,
        required=True,
        metavar="DIR",
        help="where task hub and keys are kept",
    )
    flags.add_argument(
        "--app-dir", type=Path, default=Path.cwd(), metavar="DIR", help="folder of function_app.py"
    )
    flags.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    return flags


async def run(port: int, data_dir: Path, app_dir: Path) -> None:
    """Serve until a signal says stop. Raises HostError, OSError."""
    stop = told_to_stop()
    async with serve(app_dir=app_dir, data_dir=data_dir, port=port, environment=os.environ) as host:
        print(f"Functions are run by {host.worker}", flush=True)
        print(f"Functions host at {host.url}, keys in {data_dir / 'keys.json'}", flush=True)
        for route in host.routes:
            print(f"  {route}", flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    log_to(logging.StreamHandler(sys.stdout))
    if options.lifeline:
        exit_with_parent()
    try:
        asyncio.run(run(options.port, options.data_dir.absolute(), options.app_dir.absolute()))
    except HostError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        # the error of a file names the file; that of a socket names nothing
        socket_error = f"cannot serve on port {options.port}: {error.strerror}"
        print(error if error.filename else socket_error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread that a function still holds must not keep the host alive
