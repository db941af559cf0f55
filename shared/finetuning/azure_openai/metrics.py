"""What a job has told of its training, in our names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from shared.finetuning.base import Checkpoint, thinned

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJobEvent
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

METRICS = "metrics"
MAX_MESSAGES = 50
# A later name wins: the whole validation set, which is measured at the end of an epoch, says more than one batch of it.
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
    """The metrics among `data` that we have names for."""
    if not isinstance(data, dict):
        return {}
    given = cast(dict[str, Any], data)
    return {
        ours: float(given[theirs])
        for theirs, ours in NAMES.items()
        if isinstance(given.get(theirs), int | float) and not isinstance(given[theirs], bool)
    }


def latest(events: Iterable[FineTuningJobEvent]) -> dict[str, float]:
    """The metrics of the highest step; {} where there are none."""
    curve = _by_step(events)
    return curve[-1] if curve else {}


def curve_of(events: Iterable[FineTuningJobEvent]) -> list[dict[str, float]]:
    return thinned(_by_step(events))


def messages_of(events: Iterable[FineTuningJobEvent]) -> list[str]:
    """What was said last, oldest first. What only repeats metrics is left out."""
    newest_first = [event.message for event in events if event.type != METRICS and event.message]
    return newest_first[:MAX_MESSAGES][::-1]


def checkpoints_of(found: Iterable[FineTuningJobCheckpoint]) -> list[Checkpoint]:
    """In the order of training."""
    kept = [
        Checkpoint(
            name=each.fine_tuned_model_checkpoint,
            step=each.step_number,
            metrics={
                name: value
                for name, value in renamed(each.metrics.model_dump()).items()
                if name != "step"
            },
        )
        for each in found
    ]
    return sorted(kept, key=lambda each: each.step)


def _by_step(events: Iterable[FineTuningJobEvent]) -> list[dict[str, float]]:
    steps: dict[float, dict[str, float]] = {}
    for event in events:
        metrics = renamed(event.data) if event.type == METRICS else {}
        if "step" in metrics:
            steps[metrics["step"]] = {
                **metrics,
                **steps.get(metrics["step"], {}),
            }  # the newest event comes first
    return [steps[step] for step in sorted(steps)]
