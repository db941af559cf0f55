"""The metrics of a hosted training: a loss by a formula while the job runs. Nothing is trained."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from local.emulators.azureml.metrics import Value
from local.emulators.azureml.store import JobRecord
from local.emulators.jobs import loss_at

POINTS = 20


def hosted_values(job: JobRecord, seconds: float, now: datetime) -> list[Value]:
    """Return what a job that runs for so many seconds has logged by now."""
    details: dict[str, Any] = job.properties["fineTuningDetails"]
    hyperparameters: dict[str, str] = details.get("hyperParameters") or {}
    epochs = int(hyperparameters.get("num_train_epochs", 1))
    began = _time_of("Running", job)
    if began is None:
        return []
    ended = _time_of("Finalizing", job) is not None
    share = 1.0
    if not ended and seconds > 0:
        share = min(1.0, (now - began).total_seconds() / seconds)
    values: list[Value] = []
    for point in range(1, math.floor(share * POINTS) + 1):
        loss = loss_at(point / POINTS)
        at = began + timedelta(seconds=seconds * point / POINTS)
        step = point * 10 * epochs
        values.append(Value("train_loss", step, round(loss, 6), at))
        if details.get("validationData"):
            values.append(Value("eval_loss", step, round(loss * 1.1, 6), at))
    return values


def _time_of(status: str, job: JobRecord) -> datetime | None:
    times = [change.at for change in job.statuses if change.status == status]
    return datetime.fromisoformat(times[0]) if times else None
