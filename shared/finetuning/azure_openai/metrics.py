"""What a job's events and checkpoints say about its training, under our names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.core.json_values import json_object
from shared.finetuning.base import Checkpoint, thinned

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJobEvent
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

METRICS = "metrics"  # type of an event
MAX_MESSAGES = 50
# Our names for the service's. Later entries win: `full_valid_…` measures the whole validation set
# at the end of an epoch, `valid_…` only one batch of it.
NAMES = {
    "step": "step",
    "train_loss": "loss",
    "train_mean_token_accuracy": "accuracy",
    "valid_loss": "validation_loss",
    "valid_mean_token_accuracy": "validation_accuracy",
    "full_valid_loss": "validation_loss",
    "full_valid_mean_token_accuracy": "validation_accuracy",
}


def renamed(data: object) -> dict[str, float]:
    """Return the numbers in `data` that have a name of ours."""
    values = json_object(data) or {}
    metrics: dict[str, float] = {}
    for service_name, name in NAMES.items():
        value = values.get(service_name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            metrics[name] = float(value)
    return metrics


def latest(events: Iterable[FineTuningJobEvent]) -> dict[str, float]:
    """Return the metrics of the highest step, empty if there are none."""
    points = _by_step(events)
    return points[-1] if points else {}


def newest_event(events: Iterable[FineTuningJobEvent]) -> datetime | None:
    """Return when the newest event happened, None if there is none."""
    times = [event.created_at for event in events if event.created_at]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def curve_of(events: Iterable[FineTuningJobEvent]) -> list[dict[str, float]]:
    """Return the metrics by step, thinned."""
    return thinned(_by_step(events))


def messages_of(events: Iterable[FineTuningJobEvent]) -> list[str]:
    """Return the last messages that aren't metrics, oldest first. Events come newest first."""
    newest_first = [event.message for event in events if event.type != METRICS and event.message]
    return newest_first[:MAX_MESSAGES][::-1]


def checkpoints_of(listed: Iterable[FineTuningJobCheckpoint]) -> list[Checkpoint]:
    """Return the checkpoints in the order of training."""
    checkpoints: list[Checkpoint] = []
    for each in listed:
        metrics = renamed(each.metrics.model_dump())
        metrics.pop("step", None)
        checkpoints.append(
            Checkpoint(
                name=each.fine_tuned_model_checkpoint, step=each.step_number, metrics=metrics
            )
        )
    return sorted(checkpoints, key=lambda checkpoint: checkpoint.step)


def _by_step(events: Iterable[FineTuningJobEvent]) -> list[dict[str, float]]:
    """Return one point for each step, in order. The newest event of a step wins."""
    steps: dict[float, dict[str, float]] = {}
    for event in events:  # newest first
        metrics = renamed(event.data) if event.type == METRICS else {}
        if "step" in metrics:
            newer = steps.get(metrics["step"], {})
            steps[metrics["step"]] = {**metrics, **newer}
    return [steps[step] for step in sorted(steps)]
