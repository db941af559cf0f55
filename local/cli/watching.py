"""The runs to show while the app is served: those active at the start, and all since."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from local.runtime.client import View
from shared.runs.status import TERMINAL

# Listing costs the app a look at every run there ever was; single runs are polled each second.
DISCOVERY_SECONDS = 5.0
MAX_SHOWN = 20


class RunsSource(Protocol):
    """Where runs are listed and their status comes from."""

    def get(self, run_id: str) -> View | None: ...

    def list(self) -> Iterable[View]: ...


class WatchedRuns:
    """Keeps the latest views. Call `refresh` about once a second."""

    def __init__(self, source: RunsSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._ended_before: set[str] | None = None
        self._views: dict[str, View] = {}
        self._discovered_at = float("-inf")

    def refresh(self) -> dict[str, View]:
        """Return the latest views by run id, oldest first, MAX_SHOWN at most.

        Raises HostUnreachable, ApiError.
        """
        now = self._clock()
        if now - self._discovered_at >= DISCOVERY_SECONDS:
            self._discover()
            self._discovered_at = now
        else:
            self._poll()
        newest = sorted(self._views.values(), key=lambda view: str(view["created"]))[-MAX_SHOWN:]
        return {view["id"]: view for view in newest}

    def _poll(self) -> None:
        for run_id, view in self._views.items():
            if view["status"] not in TERMINAL:
                self._views[run_id] = self._source.get(run_id) or view

    def _discover(self) -> None:
        views = {view["id"]: view for view in self._source.list()}
        if self._ended_before is None:
            self._ended_before = {
                run_id for run_id, view in views.items() if view["status"] in TERMINAL
            }
        self._views = {
            run_id: view for run_id, view in views.items() if run_id not in self._ended_before
        }
