"""Starts the processes of the local cloud in order, notices when one dies, and stops them."""

from __future__ import annotations

import http.client
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.runtime.children import Child

READY_SECONDS = 60.0
PROBE_SECONDS = 2.0
ADVICE = "\nNothing is lost: unfinished runs continue with the next `python3 -m local up`."

# All of them are on loopback, where the user's proxy must not be used.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process to start.

    `environment` is its whole environment, keys included; `ready` tells when others may use it.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    ready: Callable[[], bool]


class Supervisor:
    """The processes of one cloud."""

    def __init__(self, logs: Path, folder: Path) -> None:
        self._logs = logs
        self._folder = folder
        self._children: list[Child] = []

    def start(self, *services: Service) -> None:
        """Start these at the same time and wait until all are ready. Raises ChildFailed."""
        started = [(self._spawn(service), service) for service in services]
        for child, service in started:
            child.wait_until(service.ready, READY_SECONDS)

    def watch(self, child: Child) -> None:
        """Take over a child that is already running."""
        self._children.append(child)

    def check(self) -> None:
        """Raises ChildFailed for the first one that has ended."""
        for child in self._children:
            child.check(ADVICE)

    def stop(self) -> None:
        """Stop all, the last started first. A child that does not stop is killed."""
        while self._children:
            self._children.pop().stop()

    def _spawn(self, service: Service) -> Child:
        log = self._logs / f"{service.name}.log"
        child = Child(
            service.name, service.command, log, environment=service.environment, folder=self._folder
        )
        self._children.append(child)
        child.start()
        return child


def answers(url: str, contains: str = "") -> bool:
    """Whether a GET of this loopback URL returns 200 and a body that contains the text."""
    try:
        with _direct.open(url, timeout=PROBE_SECONDS) as response:
            return response.status == 200 and contains in response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        # HTTPException: a program at that port that does not speak HTTP.
        return False
