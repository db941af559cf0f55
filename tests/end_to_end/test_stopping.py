"""Cancel and terminate: the teacher is no longer asked, the job is cancelled, and what was answered
stays.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from shared.scan.plan import FIRST_WAVE_ROWS
from tests.support.app import App, durable_links, jsonl, requests_of_rows, sums
from tests.support.polling import wait_for

ROWS = 150


def slow_run(app: App, name: str, first: int) -> str:
    """A run that asks the teacher for one row at a time: 15 s of work."""
    spec = app.write(
        f"{name}.json", b'{"teacher": {"concurrency": 1}, "generation": {"rows_per_shard": 25}}'
    )
    train = app.write(f"{name}.jsonl", sums(ROWS, first))
    return app.upload("math", name, {"train.jsonl": train, "run.json": spec})


def journals(app: App, run_id: str) -> dict[str, int]:
    """Bytes of each journal of a run."""
    with app.storage() as storage:
        listed = storage.get_container_client("runs").list_blobs(
            name_starts_with=f"{run_id}/shards/"
        )
        return {blob.name: blob.size for blob in listed}


def is_generating(view: dict[str, Any]) -> bool:
    """Whether the run is past its first wave."""
    return view["stage"] == "generate" and view["splits"]["train"]["done"] > FIRST_WAVE_ROWS


def test_cancel_stops_generation_and_keeps_what_was_answered(app: App) -> None:
    run_id = slow_run(app, "cancelled", 10_000)
    app.wait(run_id, is_generating)
    assert app.ask("POST", f"/api/runs/{run_id}/cancel")[0] == 202
    view = app.ended(run_id)
    assert (view["status"], view["stage"], view["finetune"]) == ("cancelled", "done", None)
    assert 0 < view["splits"]["train"]["done"] < ROWS
    assert jsonl(app.read(run_id, "report.json").replace(b"\n", b""))[0]["status"] == "cancelled"
    assert app.ask("POST", f"/api/runs/{run_id}/cancel")[0] == 409


def test_durables_terminate_stops_the_teacher_too(app: App) -> None:
    run_id = slow_run(app, "terminated", 20_000)
    app.wait(run_id, is_generating)
    url = durable_links(app, run_id)["terminatePostUri"].replace("{text}", "enough")
    assert app.ask("POST", url, b"")[0] == 202
    assert app.ended(run_id)["status"] == "terminated"
    child = f"/runtime/webhooks/durabletask/instances/{run_id}:generate:train"
    system = {"x-functions-key": app.endpoints.system_key}
    wait_for(
        lambda: app.ask("GET", child, **system)[1]["runtimeStatus"] == "Completed",
        "the end of the shards",
    )
    assert app.ask("GET", child, **system)[1]["output"]["status"] == "stopped"


def test_a_paused_run_asks_nothing_until_it_is_resumed(app: App) -> None:
    run_id = slow_run(app, "paused", 50_000)
    app.wait(run_id, is_generating)
    assert app.ask("POST", f"/api/runs/{run_id}/pause")[0] == 202
    app.wait(run_id, lambda view: view["status"] == "suspended")
    time.sleep(4)  # shards look every two seconds
    before = journals(app, run_id)
    time.sleep(2)
    assert journals(app, run_id) == before
    assert app.ask("POST", f"/api/runs/{run_id}/concurrency", {"parallel_shards": 4})[0] == 202
    assert app.ask("POST", f"/api/runs/{run_id}/resume")[0] == 202
    view = app.ended(run_id)
    assert (view["status"], view["parallel_shards"]) == ("completed", 4)
    assert view["splits"]["train"]["accepted"] == ROWS
    assert requests_of_rows(view) == ROWS  # no row was asked twice
    assert app.ask("POST", f"/api/runs/{run_id}/concurrency", {"parallel_shards": 4})[0] == 409
    assert app.ask("POST", f"/api/runs/{run_id}/pause")[0] == 409


def test_a_paused_run_can_be_cancelled(app: App) -> None:
    run_id = slow_run(app, "paused-then-cancelled", 60_000)
    app.wait(run_id, is_generating)
    assert app.ask("POST", f"/api/runs/{run_id}/pause")[0] == 202
    app.wait(run_id, lambda view: view["status"] == "suspended")
    assert app.ask("POST", f"/api/runs/{run_id}/cancel")[0] == 202
    assert app.ended(run_id)["status"] == "cancelled"


@pytest.mark.parametrize(
    "body",
    [{}, {"parallel_shards": 0}, {"parallel_shards": "many"}, {"parallel_shards": 3, "x": 1}],
)
def test_a_number_of_shards_that_cannot_be_is_refused_with_its_place(
    app: App, body: dict[str, Any]
) -> None:
    status, answer, _ = app.ask("POST", "/api/runs/math-any-000000000000/concurrency", body)
    assert (status, answer["error"]["details"][0]["where"]) == (
        422,
        "x" if "x" in body else "parallel_shards",
    )


def test_suspend_and_resume_hold_a_run_and_let_it_go_on(app: App) -> None:
    run_id = app.upload("math", "held", {"train.jsonl": app.write("held.jsonl", sums(60, 30_000))})
    app.wait(run_id, lambda _: True)
    assert (
        app.ask(
            "POST", durable_links(app, run_id)["suspendPostUri"].replace("{text}", "wait"), b""
        )[0]
        == 202
    )
    app.wait(run_id, lambda seen: seen["status"] == "suspended")
    assert (
        app.ask("POST", durable_links(app, run_id)["resumePostUri"].replace("{text}", "go"), b"")[0]
        == 202
    )
    assert app.ended(run_id)["status"] == "completed"


def test_cancel_reaches_the_fine_tuning_job(app: App) -> None:
    run_id = app.upload(
        "math", "tuned", {"train.jsonl": app.write("tuned.jsonl", sums(60, 40_000))}
    )
    app.wait(run_id, lambda view: bool(view["finetune"]))
    assert app.ask("POST", f"/api/runs/{run_id}/cancel")[0] == 202
    view = app.ended(run_id)
    assert (view["status"], view["finetune"]["service_status"]) == ("cancelled", "Canceled")
    assert app.exists(run_id, "train.jsonl")
