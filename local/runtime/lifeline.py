"""Ends this process with its parent, which holds the other end of our stdin."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from typing import Any


def exit_with_parent() -> None:
    """Let the end of stdin stop this process as SIGTERM would. Call it once, at the start."""
    threading.Thread(target=_wait_for_end_of_stdin, name="lifeline", daemon=True).start()


def _wait_for_end_of_stdin() -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def run_server(serving: Coroutine[Any, Any, None], *, port: int, lifeline: bool) -> int:
    """Run a server to its end and return the exit code: 1, with a sentence, for a taken port."""
    if lifeline:
        exit_with_parent()
    try:
        asyncio.run(serving)
    except OSError as error:
        print(f"cannot serve on port {port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def told_to_stop() -> asyncio.Event:
    """Return an event that SIGINT, SIGTERM and the end of the lifeline set, on the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
