"""Metrics of a job, read from the emulator page by page."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from local.emulators.azureml import metrics as served
from local.emulators.azureml.arm import WORKSPACE_ID
from local.emulators.azureml.environment import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from shared.finetuning.azureml.clients import clients
from shared.finetuning.azureml.metrics import curve, latest
from shared.finetuning.azureml.rest import WorkspaceRest
from shared.finetuning.azureml.workspace import Workspace as WorkspaceId
from shared.finetuning.base import MAX_CURVE_POINTS
from tests.support.azureml import Workspace, emulator
from tests.support.azureml_commands import command_body
from tests.support.azureml_sdk import PointAt

JOB = "logged"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the file that the job logs to."""
    path = tmp_path / "jobs" / JOB / "outputs" / "model" / "metrics.jsonl"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def rest(environment: PointAt, tmp_path: Path, log: Path) -> Generator[WorkspaceRest]:
    with emulator(data_dir=tmp_path, pace=600) as url:
        environment(url)
        assert Workspace(url).ask(f"jobs/{JOB}", "PUT", command_body("true"))[0] == 201
        yield clients().rest(WorkspaceId(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE))


def write(log: Path, *rows: dict[str, Any]) -> None:
    log.write_text("".join(json.dumps({"time": 1.7e9, **row}) + "\n" for row in rows))


def test_values_of_all_metrics_are_joined_by_step(rest: WorkspaceRest, log: Path) -> None:
    write(
        log,
        {"step": 0, "eval_loss": 9.0},
        {"step": 10, "train_loss": 3.0, "learning_rate": 1e-4, "grad_norm": 7.0},
        {"step": 10, "validation_loss": 4.0, "validation_accuracy": 0.25},
        {"step": 20, "loss": 1.0, "accuracy": 0.5},
    )
    assert curve(rest, JOB) == [
        {"step": 0, "validation_loss": 9.0},
        {
            "step": 10,
            "loss": 3.0,
            "learning_rate": 1e-4,
            "validation_loss": 4.0,
            "validation_accuracy": 0.25,
        },
        {"step": 20, "loss": 1.0, "accuracy": 0.5},
    ]
    assert latest(rest, JOB) == {
        "step": 20,
        "loss": 1.0,
        "accuracy": 0.5,
        "learning_rate": 1e-4,
        "validation_loss": 4.0,
        "validation_accuracy": 0.25,
    }


def test_a_long_training_is_read_to_its_last_page_and_thinned(
    rest: WorkspaceRest, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[int] = []
    real = served.page

    def small(job: str, name: str, values: Any, token: str | None, size: int = 0) -> dict[str, Any]:
        pages.append(int(token or 0))
        return real(job, name, values, token, 400)

    monkeypatch.setattr(served, "page", small)
    write(log, *({"step": step, "loss": 1 / step} for step in range(1, 1001)))
    points = curve(rest, JOB)
    assert pages == [0, 400, 800]
    assert len(points) == MAX_CURVE_POINTS
    assert (points[0]["step"], points[-1]) == (1, {"step": 1000, "loss": 0.001})


def test_incomplete_lines_and_values_that_are_not_numbers_are_skipped(
    rest: WorkspaceRest, log: Path
) -> None:
    lines = [
        '{"step": 1, "loss": 2.0}',
        '{"step": 2, "loss": "much"}',
        '{"step": "x", "loss": 1}',
        "[]",
        '{"step": 3, "lo',
    ]
    log.write_text("\n".join(lines))
    assert curve(rest, JOB) == [{"step": 1, "loss": 2.0}]


def test_a_job_that_has_logged_nothing_has_none(rest: WorkspaceRest) -> None:
    assert (latest(rest, JOB), curve(rest, JOB)) == ({}, [])


def test_metrics_that_cannot_be_read_are_logged_and_nothing_else(
    rest: WorkspaceRest, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert (latest(rest, "never-submitted"), curve(rest, "never-submitted")) == ({}, [])
    assert "never-submitted" in caplog.text


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"runs/{JOB}/full", {"metricName": "nope"}, 404),
        (f"runs/{JOB}/full", {}, 400),
        (f"runs/{JOB}/full", {"metricName": "loss", "continuationToken": "x"}, 400),
        ("runs/nobody/list", {}, 404),
    ],
)
def test_what_the_metrics_api_does_not_have_is_refused(
    rest: WorkspaceRest, log: Path, path: str, body: dict[str, Any], status: int
) -> None:
    write(log, {"step": 1, "loss": 1.0})
    workspace = Workspace(os.environ["REGISTRY_DISCOVERY_ENDPOINT_URL"].rstrip("/"))
    assert workspace.ask(f"/metric/v2.0{WORKSPACE_ID}/{path}", "POST", body)[0] == status
