"""`python -m tests.chaos.jumping_clock FILE MODULE …`: runs a module whose wall clock is off by the
seconds that FILE holds.

FILE is read again at SIGUSR1, so that the clock can jump either way while the module runs. As on a
machine whose clock is set, `time.monotonic` goes on undisturbed, and other processes are not
affected.
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
    traveller = time_machine.travel(datetime.now(UTC), tick=True).start()

    def jump(*_: object) -> None:
        off = timedelta(seconds=float(Path(file).read_text(encoding="ascii")))
        traveller.move_to(
            time_machine.escape_hatch.datetime.datetime.now(UTC) + off
        )  # by the true clock

    jump()
    signal.signal(signal.SIGUSR1, jump)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
