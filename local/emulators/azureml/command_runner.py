"""Runs a job's command so that it cannot outlive the emulator: when stdin ends, the whole process
group is killed.

A script of its own, standard library alone, so that starting it takes 20 ms: `python
command_runner.py PROGRAM ARGUMENT…`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Exit code of the command; 128 and the number of the signal that ended it."""
    threading.Thread(target=_end_with_emulator, daemon=True).start()
    code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, check=False).returncode
    return code if code >= 0 else 128 - code


def _end_with_emulator() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
