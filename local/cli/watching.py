"""The runs to show while the app is served: the active ones, all since, and a few before."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Protocol

from local.runtime.client import View
from shared.runs.status import TERMINAL

# Between listings, which show new runs, active ones are looked at singly.
DISCOVERY_SECONDS = 5.0
MAX_POLLED = 10
# of the newest runs: all that are looked through at the start, and at each listing
FIRST_LISTED = 1000
LISTED = 100
# runs that had ended before
EARLIER_SHOWN = 10


class RunsSource(Protocol):
    """Where runs are listed, the newest first, and their status comes from."""

    def get(self, run_id: str) -> View | None: ...

    def list(self, *, limit: int) -> Iterable[View]: ...


class WatchedRuns:
    """Keeps the latest views. Call `refresh` about once a second."""

    def __init__(self, source: RunsSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._views: dict[str, View] | None = None
        self._left_out: set[str] = set()
        self._discovered_at = float("-inf")

    def refresh(self) -> dict[str, View]:
        """Return the latest views by run id, oldest first.

        Raises HostUnreachable, ApiError.
        """
        now = self._clock()
        views = self._views
        if views is None:
            self._views = self._first_views()
            self._discovered_at = now
        elif now - self._discovered_at >= DISCOVERY_SECONDS or self._active() > MAX_POLLED:
            self._discover(views)
            self._discovered_at = now
        else:
            self._poll(views)
        shown = sorted((self._views or {}).values(), key=lambda view: str(view["created"]))
        return {view["id"]: view for view in shown}

    def _active(self) -> int:
        return sum(1 for view in (self._views or {}).values() if view["status"] not in TERMINAL)

    def _first_views(self) -> dict[str, View]:
        listed = list(islice(self._source.list(limit=LISTED), FIRST_LISTED))
        ended = [view["id"] for view in listed if view["status"] in TERMINAL]
        self._left_out = set(ended[EARLIER_SHOWN:])
        return {view["id"]: view for view in listed if view["id"] not in self._left_out}

    def _discover(self, views: dict[str, View]) -> None:
        """List the newest runs, and look at active ones that are older."""
        listed = {view["id"]: view for view in islice(self._source.list(limit=LISTED), LISTED)}
        for run_id, view in listed.items():
            if run_id in self._left_out and view["status"] in TERMINAL:
                continue
            self._left_out.discard(run_id)  # it was resumed
            views[run_id] = view
        if len(listed) < LISTED:  # they are all that there are
            for run_id in views.keys() - listed.keys():
                del views[run_id]
        self._poll(views, listed)

    def _poll(self, views: dict[str, View], listed: Collection[str] = ()) -> None:
        """Look at each active run but those that were just listed."""
        for run_id, view in list(views.items()):
            if view["status"] not in TERMINAL and run_id not in listed:
                views[run_id] = self._source.get(run_id) or view
