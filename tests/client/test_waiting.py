"""`runs wait`: politely, through failures, and with an exit code for each way to end."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from client.waiting import MAX_SECONDS, PATIENCE_SECONDS
from tests.support.fake_deployment import Deployment, refusal, view

PATH = "GET /api/runs/math-mine-1"
BUDGET: dict[str, Any] = {"code": "budget", "message": "max_cost is used up", "details": []}
RUNNING = view("running", stage="generate")


@pytest.mark.parametrize(
    ("ended", "code", "shown"),
    [
        (view(), 0, "completed"),
        (view("failed", error={"code": "teacher", "message": "no"}), 3, "runs resume"),
        (view("cancelled"), 4, "runs resume"),
        (view("terminated"), 4, "runs resume"),
        (view("suspended"), 5, "paused"),
        (view("failed", error=BUDGET), 5, "--set budget.max_cost"),
    ],
)
def test_each_way_to_end_has_an_exit_code_and_a_next_step(
    deployment: Deployment, ended: dict[str, Any], code: int, shown: str
) -> None:
    deployment.answers[PATH] = [RUNNING, ended]
    outcome = deployment.run("runs", "wait", "math-mine-1")
    assert (outcome.code, outcome.stdout) == (code, "")
    assert shown in outcome.stderr


def test_progress_tells_stage_rows_pace_cost_and_time_left(deployment: Deployment) -> None:
    def generating(done: int) -> dict[str, Any]:
        splits = {"train": {"rows": 1000, "done": done, "accepted": done, "rejected": 0}}
        return view("running", stage="generate", splits=splits, expected={"cost": 2.0})

    deployment.answers[PATH] = [*(generating(10 * second) for second in range(30)), view()]
    outcome = deployment.run("runs", "wait", "math-mine-1")
    for text in ("generate", "train 120/1000", "rows/s", "left", "cost 0.25 of about 2"):
        assert text in outcome.stderr


def test_a_run_is_asked_for_ever_less_often_and_not_before_retry_after(
    deployment: Deployment,
) -> None:
    busy = httpx2.Response(429, headers={"Retry-After": "50"})
    deployment.answers[PATH] = [*[RUNNING] * 20, busy, view()]
    assert deployment.run("runs", "wait", "math-mine-1").code == 0
    naps = deployment.clock.naps
    assert naps[:20] == sorted(naps[:20])
    assert naps[19] == MAX_SECONDS
    assert naps[20] == 50


def test_waiting_survives_what_passes_and_says_so_once(deployment: Deployment) -> None:
    failures: list[Any] = [
        httpx2.Response(502, text="<html>"),
        httpx2.ReadTimeout("slow"),
        httpx2.ConnectError("refused"),
        refusal(503, "unavailable", "storage"),
    ]
    deployment.answers[PATH] = [RUNNING, *failures, RUNNING, view()]
    outcome = deployment.run("runs", "wait", "math-mine-1")
    assert outcome.code == 0
    assert outcome.stderr.count("still trying") == 1


def test_a_lost_connection_is_given_up_after_a_while_and_the_run_goes_on(
    deployment: Deployment,
) -> None:
    deployment.answers[PATH] = [RUNNING, httpx2.ConnectError("refused")]
    outcome = deployment.run("runs", "wait", "math-mine-1")
    assert outcome.code == 6
    assert "distil runs wait math-mine-1" in outcome.stderr
    assert PATIENCE_SECONDS <= deployment.clock.now < 2 * PATIENCE_SECONDS
    assert max(deployment.clock.naps) <= 60


@pytest.mark.parametrize("answer", [httpx2.Response(401), refusal(404, "not_found", "no run")])
def test_what_waiting_does_not_mend_ends_it(
    deployment: Deployment, answer: httpx2.Response
) -> None:
    deployment.answers[PATH] = [RUNNING, answer]
    assert deployment.run("runs", "wait", "math-mine-1").code == 1
    assert len(deployment.requests) == 2


def test_the_run_of_an_upload_may_start_a_bit_later(deployment: Deployment) -> None:
    missing = refusal(404, "not_found", "no run")
    deployment.answers[PATH] = [*[missing] * 5, RUNNING, view()]
    outcome = deployment.run("runs", "wait", "math-mine-1")
    assert (outcome.code, outcome.stderr.count("waiting for its start")) == (0, 1)
    deployment.answers[PATH] = missing
    began = deployment.clock.now
    assert deployment.run("runs", "wait", "math-mine-1").code == 1
    assert 120 <= deployment.clock.now - began < 150


def test_a_timeout_ends_waiting_and_not_the_run(deployment: Deployment) -> None:
    deployment.answers[PATH] = RUNNING
    outcome = deployment.run("runs", "wait", "math-mine-1", "--timeout", "60")
    assert (outcome.code, deployment.clock.now) == (7, 60)


def test_ctrl_c_leaves_the_run_and_says_how_to_look_again(deployment: Deployment) -> None:
    def press(seconds: float) -> None:
        raise KeyboardInterrupt

    deployment.clock.sleep = press
    deployment.answers[PATH] = RUNNING
    outcome = deployment.run("runs", "wait", "math-mine-1")
    assert outcome.code == 130
    assert "The run goes on. Look again: distil runs wait math-mine-1" in outcome.stderr


def test_json_prints_the_last_view_alone(deployment: Deployment) -> None:
    deployment.answers[PATH] = [RUNNING, view("failed", error=BUDGET)]
    outcome = deployment.run("runs", "wait", "math-mine-1", "--json", "-q")
    assert (outcome.code, outcome.stderr) == (5, "")
    assert json.loads(outcome.stdout)["error"] == BUDGET
