"""What a hosted training would show: a loss that falls by a formula while the job runs. Nothing is trained."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from local.emulators.azureml.metrics import Value
from local.emulators.azureml.store import JobRecord

POINTS = 20
FIRST_LOSS, LAST_LOSS = 2.0, 0.4


def hosted_values(
    job: JobRecord, statuses: list[tuple[str, str]], seconds: float, now: datetime
) -> list[Value]:
    """What has been logged by now of a job that runs for so many seconds, by its (status, when) so far."""
    details: dict[str, Any] = job.properties["fineTuningDetails"]
    validated = bool(details.get("validationData"))
    chosen: dict[str, str] = details.get("hyperParameters") or {}
    epochs = int(chosen.get("num_train_epochs", 1))
    began = next(
        (datetime.fromisoformat(at) for status, at in statuses if status == "Running"), None
    )
    if began is None:
        return []
    over = next(
        (datetime.fromisoformat(at) for status, at in statuses if status == "Finalizing"), now
    )
    share = 1.0 if over < now or seconds <= 0 else min(1.0, (now - began).total_seconds() / seconds)
    values: list[Value] = []
    for point in range(1, math.floor(share * POINTS) + 1):
        loss = LAST_LOSS + (FIRST_LOSS - LAST_LOSS) * math.exp(-4 * point / POINTS)
        at, step = began + timedelta(seconds=seconds * point / POINTS), point * 10 * epochs
        values.append(Value("train_loss", step, round(loss, 6), at))
        if validated:
            values.append(Value("eval_loss", step, round(loss * 1.1, 6), at))
    return values
