"""An app that lets one run work at a time: the next one waits where it costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.app import App, serving, sums

pytestmark = pytest.mark.slow


def slow_run(app: App, name: str) -> str:
    """A run that asks the teacher for one row at a time, longer than the test takes."""
    spec = {"teacher": {"concurrency": 1}, "student": None}
    return app.start(name, sums(400), **spec)


def test_a_second_run_waits_for_its_turn_and_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_ACTIVE_RUNS", "1")
    with serving(tmp_path, "--latency-ms=100") as app:
        first = slow_run(app, "first")
        app.wait(first, lambda view: view["requests"] > 0)
        second = app.start("second", sums(45), student=None)
        view = app.wait(second, lambda view: view["status"] == "queued" and view["queue"])
        assert view["queue"] == {"place": 1, "waiting": 1, "active": 1}
        assert (view["stage"], view["requests"]) == ("queue", 0)
        _, page, _ = app.ask("GET", "/api/runs?status=queued")
        assert [run["id"] for run in page["runs"]] == [second]
        third = app.start("third", sums(45), student=None)
        app.wait(third, lambda view: bool(view["queue"]) and view["queue"]["place"] == 2)
        assert app.ask("POST", f"/api/runs/{third}/cancel")[0] == 202
        assert app.ended(third)["status"] == "cancelled"
        assert app.ask("POST", f"/api/runs/{first}/cancel")[0] == 202
        assert app.ended(second)["status"] == "completed"
        assert app.ended(first)["status"] == "cancelled"
