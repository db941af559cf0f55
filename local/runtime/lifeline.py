"""Ends this process with the one that started it. The parent holds the other end of our stdin: when it closes, we stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from typing import Any


def exit_with_parent() -> None:
    """From now on, the end of stdin stops this process as SIGTERM would. Call it once, at the start."""
    threading.Thread(target=_wait_for_end_of_stdin, name="lifeline", daemon=True).start()


def _wait_for_end_of_stdin() -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):  # whatever is written is ignored
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def run_server(serving: Coroutine[Any, Any, None], *, port: int, lifeline: bool) -> int:
    """Run a server until it has been told to stop. Exit code 1, and why on stderr, when the port cannot be served."""
    if lifeline:
        exit_with_parent()
    try:
        asyncio.run(serving)
    except OSError as error:
        print(f"cannot serve on port {port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def told_to_stop() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set, and with them the end of the lifeline. Call it on the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
