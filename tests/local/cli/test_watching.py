"""`up` shows the runs that were active when it started and all since, not every old one."""

from __future__ import annotations

from typing import Any

import pytest

from local.cli.watching import DISCOVERY_SECONDS, MAX_SHOWN, WatchedRuns
from local.runtime.client import HostUnreachable
from tests.support.views import View, view


class App:
    """An app with runs that records its requests; tests set its clock."""

    def __init__(self, *runs: View) -> None:
        self.runs = {run["id"]: run for run in runs}
        self.listed = 0
        self.requests: list[str] = []
        self.now = 0.0
        self.reachable = True

    def put(self, run_id: str, status: str, **changes: Any) -> None:
        self.runs[run_id] = view(run_id, status=status, **changes)

    def list(self) -> list[View]:
        self.listed += 1
        if not self.reachable:
            raise HostUnreachable("gone")
        return list(self.runs.values())

    def get(self, run_id: str) -> View | None:
        self.requests.append(run_id)
        return self.runs.get(run_id)

    def watched(self) -> WatchedRuns:
        return WatchedRuns(self, clock=lambda: self.now)


def test_runs_that_were_over_before_are_left_out() -> None:
    app = App(
        view("old", status="completed"),
        view("lost", status="failed"),
        view("active", status="running"),
    )
    assert list(app.watched().refresh()) == ["active"]


def test_runs_since_stay_when_they_are_over() -> None:
    app = App(view("active", status="running"))
    runs = app.watched()
    runs.refresh()
    app.put("active", "completed")
    app.put("new", "completed")
    app.now += DISCOVERY_SECONDS
    assert {run_id: run["status"] for run_id, run in runs.refresh().items()} == {
        "active": "completed",
        "new": "completed",
    }


def test_between_listings_only_active_runs_are_asked_for() -> None:
    app = App(view("a", status="running"), view("b", status="pending"))
    runs = app.watched()
    runs.refresh()
    for status in ("running", "completed", "completed"):
        app.put("a", status)
        app.now += 1
        assert runs.refresh()["a"]["status"] == status
    assert app.listed == 1
    assert app.requests == ["a", "b", "a", "b", "b"]


def test_a_run_that_vanishes_between_listings_keeps_its_last_view() -> None:
    app = App(view("a", status="running"))
    runs = app.watched()
    runs.refresh()
    app.runs.clear()
    app.now += 1
    assert list(runs.refresh()) == ["a"]
    app.now += DISCOVERY_SECONDS
    assert list(runs.refresh()) == []


def test_a_failed_listing_is_made_up_for_at_the_next_call() -> None:
    app = App(view("a", status="running"))
    app.reachable = False
    runs = app.watched()
    with pytest.raises(HostUnreachable):
        runs.refresh()
    app.reachable = True
    assert list(runs.refresh()) == ["a"]


def test_the_newest_are_shown_oldest_first() -> None:
    created = [f"2025-01-01T00:00:{second:02}Z" for second in range(MAX_SHOWN + 5)]
    app = App(*(view(f"run-{at}", status="running", created=at) for at in reversed(created)))
    assert list(app.watched().refresh()) == [f"run-{at}" for at in created[5:]]
