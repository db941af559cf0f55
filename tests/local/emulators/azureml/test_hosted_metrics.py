"""A hosted training logs a loss that falls while it runs, and nothing before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.emulators.azureml.hosted_metrics import POINTS, hosted_values
from local.emulators.azureml.store import JobRecord, StatusChange
from tests.support.azureml import job_body

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = [StatusChange(status, BEGAN.isoformat()) for status in ("NotStarted", "Running")]


def logged(
    statuses: list[StatusChange], after: float, validation: str | None = None
) -> list[tuple[str, float]]:
    """Names and values after so many of ten seconds."""
    properties = job_body("azureml://x", validation)["properties"]
    job = JobRecord("job", properties, "Running", BEGAN.isoformat(), statuses=statuses)
    return [
        (one.name, one.value) for one in hosted_values(job, 10, BEGAN + timedelta(seconds=after))
    ]


def test_nothing_is_logged_before_a_job_runs() -> None:
    assert logged(RUNNING[:1], after=5) == []


@pytest.mark.parametrize(
    ("after", "points"), [(0, 0), (5, POINTS // 2), (10, POINTS), (60, POINTS)]
)
def test_more_is_logged_as_time_goes_by(after: float, points: int) -> None:
    losses = [value for _, value in logged(RUNNING, after)]
    assert len(losses) == points
    assert losses == sorted(losses, reverse=True)


def test_a_job_that_is_done_running_has_logged_all() -> None:
    ended = (BEGAN + timedelta(seconds=1)).isoformat()
    over = [*RUNNING, StatusChange("Finalizing", ended)]
    assert len(logged(over, after=2)) == POINTS


def test_a_validation_set_has_a_loss_of_its_own() -> None:
    assert {name for name, _ in logged(RUNNING, 10, "azureml://y")} == {"train_loss", "eval_loss"}
