"""Waiting for what other processes do: short polls with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0
POLL_SECONDS = 0.02


def wait_for(
    condition: Callable[[], bool],
    what: str | Callable[[], str],
    seconds: float = PATIENCE,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Return once the condition holds.

    After `seconds` the test fails, naming what did not happen.
    """
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            missing = what if isinstance(what, str) else what()
            raise AssertionError(f"{missing} did not happen within {seconds:.0f} s")
        time.sleep(poll_seconds)
