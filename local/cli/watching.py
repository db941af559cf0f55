"""The runs that concern someone who serves the app now: those that were active at the start, and all since."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from local.runtime.client import View
from shared.runs.status import TERMINAL

DISCOVERY_SECONDS = 5.0  # listing costs the app a look at every run there ever was; single runs are asked for each second
MAX_SHOWN = 20


class RunsSource(Protocol):
    """Where runs are listed and asked for."""

    def get(self, run_id: str) -> View | None: ...

    def list(self) -> Iterable[View]: ...


class WatchedRuns:
    """Keeps the views of the runs that concern us. Call `refresh` about once a second."""

    def __init__(self, source: RunsSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source, self._clock = source, clock
        self._over_before: set[str] | None = None
        self._views: dict[str, View] = {}
        self._discovered = float("-inf")

    def refresh(self) -> dict[str, View]:
        """The latest views by run id, oldest first, MAX_SHOWN at most. Raises HostUnreachable, ApiError."""
        now = self._clock()
        if now - self._discovered >= DISCOVERY_SECONDS:
            self._discover()
            self._discovered = now
        else:
            for run_id in [
                run_id for run_id, view in self._views.items() if view["status"] not in TERMINAL
            ]:
                self._views[run_id] = self._source.get(run_id) or self._views[run_id]
        newest = sorted(self._views.values(), key=lambda view: str(view["created"]))[-MAX_SHOWN:]
        return {view["id"]: view for view in newest}

    def _discover(self) -> None:
        found = {view["id"]: view for view in self._source.list()}
        if self._over_before is None:
            self._over_before = {
                run_id for run_id, view in found.items() if view["status"] in TERMINAL
            }
        self._views = {
            run_id: view for run_id, view in found.items() if run_id not in self._over_before
        }
