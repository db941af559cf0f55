"""`python3 -m client <command>` in a checkout: the command line without installing it.

In a Python that lacks its packages, the environment of `python3 -m local` is made if needed, and
the command continues there.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from importlib.util import find_spec

PACKAGES = ("typer", "rich", "httpx2")


def _enter_environment() -> None:
    """Continue in the environment of the checkout."""
    from local.bootstrap.entry import ensure_environment
    from local.bootstrap.interpreters import leave_unsupported_python

    with redirect_stdout(sys.stderr):  # stdout is for results
        leave_unsupported_python(sys.argv[1:], module="client")
        ensure_environment(sys.argv[1:], module="client")


if __name__ == "__main__":
    if not all(map(find_spec, PACKAGES)):
        _enter_environment()

    from client.app import main

    main()
