"""`python -m local <command>`: the app on one machine.

Whatever Python is at hand reads this file, hence its old-fashioned syntax.
"""

import sys

if sys.version_info < (3, 7):  # noqa: UP036 (an older Python is exactly who this line is for)
    sys.exit(
        "This app runs on Python 3.11, 3.12 and 3.13, and this is Python %d.%d (%s).\n"  # noqa: UP031
        "Start it with one of them, for example: python3.11 -m local demo"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )
if sys.platform == "win32":
    sys.exit("This runs on Linux and macOS. On Windows, use WSL (wsl --install) and run it there.")

from local.bootstrap.interpreters import leave_unsupported_python

if __name__ == "__main__":
    leave_unsupported_python(sys.argv[1:])

    from local.cli.commands import main

    sys.exit(main(sys.argv[1:]))
