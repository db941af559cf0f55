"""The name under which the command line was started, for messages that quote commands."""

from __future__ import annotations

import sys


def program() -> str:
    """Return `distil`, or in a checkout `python3 -m client`."""
    is_module = sys.argv[0].endswith("__main__.py")
    return "python3 -m client" if is_module else "distil"
