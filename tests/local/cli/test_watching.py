"""`up` shows active runs, all since it started and a few earlier ones, not every old one."""

from __future__ import annotations

from typing import Any

import pytest

from local.cli.watching import (
    DISCOVERY_SECONDS,
    EARLIER_SHOWN,
    LISTED,
    MAX_POLLED,
    WatchedRuns,
)
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

    def list(self, *, limit: int) -> list[View]:
        self.listed += 1
        if not self.reachable:
            raise HostUnreachable("gone")
        return sorted(self.runs.values(), key=lambda run: run["created"], reverse=True)

    def get(self, run_id: str) -> View | None:
        self.requests.append(run_id)
        return self.runs.get(run_id)

    def watched(self) -> WatchedRuns:
        return WatchedRuns(self, clock=lambda: self.now)


def at(second: int) -> str:
    return f"2025-01-01T00:{second // 60:02}:{second % 60:02}Z"


def test_of_the_runs_that_were_over_before_the_newest_are_shown_oldest_first() -> None:
    app = App(view("active", status="running", created=at(0)))
    for number in range(EARLIER_SHOWN + 5):
        app.put(f"old-{number}", "failed", created=at(number + 1))
    runs = app.watched()
    expected = ["active", *(f"old-{number}" for number in range(5, EARLIER_SHOWN + 5))]
    assert list(runs.refresh()) == expected
    app.now += DISCOVERY_SECONDS
    assert list(runs.refresh()) == expected


def test_an_early_run_that_is_resumed_is_shown() -> None:
    app = App(
        *(view(f"old-{number:02}", status="failed", created=at(number)) for number in range(20))
    )
    runs = app.watched()
    assert "old-00" not in runs.refresh()
    app.put("old-00", "running", created=at(0))
    app.now += DISCOVERY_SECONDS
    assert "old-00" in runs.refresh()


def test_many_active_runs_are_listed_and_not_polled_one_by_one() -> None:
    app = App(*(view(f"run-{number}", status="running") for number in range(MAX_POLLED + 1)))
    runs = app.watched()
    runs.refresh()
    app.now += 1
    runs.refresh()
    assert (app.listed, app.requests) == (2, [])


def test_an_active_run_older_than_a_listing_is_looked_at_by_itself() -> None:
    app = App(view("old", status="running", created=at(0)))
    for number in range(LISTED):
        app.put(f"run-{number}", "completed", created=at(number + 1))
    runs = app.watched()
    runs.refresh()
    app.now += DISCOVERY_SECONDS
    app.put("old", "completed", created=at(0))
    assert runs.refresh()["old"]["status"] == "completed"
    assert app.requests == ["old"]


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
