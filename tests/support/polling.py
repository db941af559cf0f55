"""Waiting for what other processes do: short polls with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0
POLL_SECONDS = 0.02


def wait_for(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Return once the condition holds; after `seconds` the test fails, naming what did not
    happen.
    """
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(POLL_SECONDS)
