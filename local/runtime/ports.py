"""Ports on loopback that stay the same from start to start, as run histories hold their URLs.

They are drawn from 20000-29999, below the range of outgoing connections, so a remembered port is
rarely taken at the next start.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from local.runtime.failures import LocalError

LOOPBACK = "127.0.0.1"
# That of Azure Functions Core Tools.
DEFAULT_PORT = 7071
RANGE = range(20_000, 30_000)


class NoFreePort(LocalError):
    """Every port that was tried is taken."""


class PortBook:
    """Ports by name, remembered in a JSON file; without a file, for the life of this object."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def claim(self, names: Iterable[str]) -> dict[str, int]:
        """Return a free port for each name, its last one if still free, and remember them."""
        remembered = self._read()
        claimed: dict[str, int] = {}
        for name in names:
            port = remembered.get(name)
            if port is None or port in claimed.values() or not is_free(port):
                port = free_port(avoid={*claimed.values(), *remembered.values()})
            claimed[name] = port
        self._write({**remembered, **claimed})
        return claimed

    def _read(self) -> dict[str, int]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            data: object = json.loads(self._path.read_text())
        except ValueError:
            # Cut short by a power failure: new ports serve as well.
            return {}
        if not isinstance(data, dict):
            return {}
        entries = cast(dict[str, object], data)
        return {
            name: port
            for name, port in entries.items()
            if isinstance(port, int) and 0 < port < 65536
        }

    def _write(self, ports: dict[str, int]) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(ports, indent=2, sort_keys=True))


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # Connections of the last start that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(avoid: Iterable[int] = ()) -> int:
    """Return a free port of RANGE. Raises NoFreePort if a thousand draws find none."""
    taken = set(avoid)
    # Not by the seeded generator: processes with the same seed would draw the same ports.
    for port in random.SystemRandom().sample(RANGE, 1000):
        if port not in taken and is_free(port):
            return port
    raise NoFreePort(f"no free port on {LOOPBACK} between {RANGE.start} and {RANGE.stop - 1}")
