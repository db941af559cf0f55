"""`python -m local <command>`: the app on one machine. This file is read by whatever Python there is, hence its syntax."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (an older Python is exactly who this line is for)
    sys.exit(
        "python -m local needs Python 3.11 or newer, and this is Python %d.%d (%s).\n"  # noqa: UP031
        "Install a newer one and call it by its name, for example: python3.11 -m local demo"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

from local.cli.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
