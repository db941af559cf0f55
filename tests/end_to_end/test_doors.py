"""What hostile and hasty clients send: ids that are none, events, second orchestrations, races."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.test_stopping import is_generating, slow_run
from tests.support.app import App, durable_links, sums
from tests.support.polling import wait_for


@pytest.mark.parametrize(
    "run_id",
    [
        "%3f",
        "..%2fdatasets%2fmath",
        "math-a-0%3fshowHistory=true%26",
        "math-a-0%2f..",
        "math-a-0:generate:train",
        "math%00",
        "_app",
    ],
)
def test_what_is_no_run_id_is_no_run(app: App, run_id: str) -> None:
    bodies: dict[str, Any] = {"": None, "/resume": {}, "/concurrency": {"parallel_shards": 2}}
    for action, body in bodies.items():
        method = "POST" if action else "GET"
        status, answer, _ = app.ask(method, f"/api/runs/{run_id}{action}", body)
        assert status == 404, answer


@pytest.mark.slow
def test_events_of_any_kind_leave_a_run_that_can_be_cancelled_and_resumed(app: App) -> None:
    run_id = slow_run(app, "odd-events", 110_000)
    app.wait(run_id, is_generating)
    event = durable_links(app, run_id)["sendEventPostUri"]
    odd: list[Any] = [-5, 0, 10**9, True, 2.5, "many", [1], {"parallel_shards": -1}]
    for data in odd:
        assert app.ask("POST", event.replace("{eventName}", "concurrency"), data)[0] == 202
    assert app.ask("POST", f"/api/runs/{run_id}/concurrency", {"parallel_shards": 3})[0] == 202
    app.wait(run_id, lambda view: view["parallel_shards"] == 3)
    assert app.ask("POST", f"/api/runs/{run_id}/cancel")[0] == 202
    assert app.ended(run_id)["status"] == "cancelled"


@pytest.mark.slow
def test_a_terminated_run_is_resumed_by_one_of_many_requests(app: App) -> None:
    run_id = slow_run(app, "raced", 120_000)
    app.wait(run_id, is_generating)
    links = durable_links(app, run_id)
    assert app.ask("POST", links["terminatePostUri"].replace("{text}", "enough"), b"")[0] == 202
    app.wait(run_id, lambda view: view["status"] == "terminated")

    def resume(max_tokens: int) -> int:
        changes = {"teacher": {"concurrency": 32, "max_tokens": max_tokens}}
        return app.ask("POST", f"/api/runs/{run_id}/resume", changes)[0]

    with ThreadPoolExecutor(5) as clients:
        statuses = list(clients.map(resume, range(30, 35)))
    assert sorted(statuses) == [202, 409, 409, 409, 409]
    view = app.ended(run_id)
    assert (view["status"], view["report"]["round"]) == ("completed", 1)
    # what the losers wanted has no effect
    used = {teacher["parameters"].get("max_tokens") for teacher in view["report"]["teachers"]}
    assert used - {None} == {30 + statuses.index(202)}


@pytest.mark.slow
def test_a_paused_run_is_resumed_with_changes(app: App) -> None:
    run_id = slow_run(app, "paused-and-changed", 130_000)
    app.wait(run_id, is_generating)
    assert app.ask("POST", f"/api/runs/{run_id}/pause")[0] == 202
    app.wait(run_id, lambda view: view["status"] == "suspended")
    app.resume(run_id, teacher={"concurrency": 32})
    view = app.ended(run_id)
    assert (view["status"], view["report"]["round"]) == ("completed", 1)


def test_a_copy_of_a_run_by_durables_restart_ends_at_once(app: App) -> None:
    run_id = app.start("copied", sums(10, 140_000), student=None)
    assert app.ended(run_id)["status"] == "completed"
    links = durable_links(app, run_id)
    assert "restartPostUri" not in links
    assert "rewindPostUri" not in links
    restart = links["statusQueryGetUri"].replace("?", "/restart?", 1)
    status, copy, _ = app.ask("POST", restart, b"")
    assert status == 202
    assert copy["id"] != run_id

    def ended() -> bool:
        return app.ask("GET", copy["statusQueryGetUri"])[1]["runtimeStatus"] == "Failed"

    wait_for(ended, "the end of the copy")
    assert f"isn't {run_id}" in str(app.ask("GET", copy["statusQueryGetUri"])[1]["output"])


def test_durables_links_with_their_key_are_told_where_they_are_wanted(app: App) -> None:
    run_id = app.start("links", sums(10, 150_000), student=None)
    assert "code=" not in str(app.ask("GET", f"/api/runs/{run_id}")[1]["links"])
    assert "code=" in durable_links(app, run_id)["terminatePostUri"]
    reader = {"x-functions-key": app.endpoints.reader_key}
    status, answer, _ = app.ask("GET", f"/api/runs/{run_id}?links=durable", **reader)
    assert (status, answer["error"]["code"], "code=" in str(answer)) == (403, "forbidden", False)
    assert app.ask("POST", f"/api/runs/{run_id}/cancel", **reader)[0] == 403
    status, view, _ = app.ask("GET", f"/api/runs/{run_id}", **reader)
    assert [(entry["action"], entry["caller"]["name"]) for entry in view["actions"]] == [
        ("start", "default")
    ]
    status, answer, _ = app.ask("GET", f"/api/runs/{run_id}?links=all")
    assert (status, answer["error"]["details"][0]["where"]) == (400, "links")
    app.ended(run_id)
