"""`python -m tests.chaos.jumping_clock FILE MODULE …`: runs a module whose wall clock is off by the seconds that FILE holds.

FILE is read again at SIGUSR1, so that the clock can jump either way while the module runs. As on a machine whose clock is set,
`time.monotonic` goes on undisturbed, and other processes are not affected.
"""

from __future__ import annotations

import runpy
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine


def main() -> None:
    file, module, *arguments = sys.argv[1:]
    off = _read(file)
    traveller = time_machine.travel(datetime.now(UTC) + timedelta(seconds=off), tick=True).start()

    def jump(*_: object) -> None:
        nonlocal off
        now = _read(file)
        traveller.shift(now - off)
        off = now

    signal.signal(signal.SIGUSR1, jump)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _read(file: str) -> float:
    return float(Path(file).read_text(encoding="ascii"))


if __name__ == "__main__":
    main()
