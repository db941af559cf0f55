"""What a trained student has learned: its loss by step, and its agreement with the teacher."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.table import Table

COLUMNS = ("step", "loss", "accuracy", "validation_loss", "validation_accuracy")
SHOWN_POINTS = 8

Losses = list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model answers: of `rows`, `equal` are the teacher's answer.

    `commonest` is the accuracy of always giving the most frequent label.
    """

    rows: int
    equal: int
    accuracy: float
    commonest: float

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the output of evaluate.py."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(data["rows"], data["equal"], data["accuracy"], data["commonest"])


def read_losses(metrics: Path) -> Losses:
    """Return what the training logged, a dict a step, with the validation set's numbers if any."""
    steps: dict[int, dict[str, float]] = {}
    for line in metrics.read_text(encoding="utf-8").splitlines():
        logged = json.loads(line)
        steps.setdefault(logged["step"], {}).update(logged)
    return [steps[step] for step in sorted(steps)]


def has_learned(losses: Losses, before: Evaluation, after: Evaluation) -> bool:
    """Whether the loss fell and the student agrees with the teacher on more rows than before."""
    return _loss_fell(losses) and after.equal > before.equal


def show_learning(losses: Losses, before: Evaluation, after: Evaluation) -> None:
    """Print the loss by step, the agreement before and after, and what failed."""
    Console().print(_table(losses))
    training = [point["loss"] for point in losses if "loss" in point]
    print(f"loss: {training[0]:.3f} first, {training[-1]:.3f} last, over {len(training)} points")
    print(
        f"agreement with the teacher on {after.rows} validation rows: "
        f"{before.accuracy:.1%} untrained, {after.accuracy:.1%} trained; "
        f"always the commonest label: {after.commonest:.1%}"
    )
    if not _loss_fell(losses):
        print("FAILED: the loss did not fall")
    if after.equal <= before.equal:
        print("FAILED: the trained student agrees with the teacher no more often than untrained")


def _loss_fell(losses: Losses) -> bool:
    training = [point["loss"] for point in losses if "loss" in point]
    return training[-1] < training[0]


def _table(losses: Losses) -> Table:
    """Return a table of some steps at which the validation set was evaluated."""
    table = Table(title="loss by step")
    for name in COLUMNS:
        table.add_column(name.replace("_", " "), justify="right")
    evaluated = [point for point in losses if "loss" in point and "validation_loss" in point]
    for point in evaluated[:: max(1, len(evaluated) // SHOWN_POINTS)]:
        numbers = [f"{point[name]:.3f}" for name in COLUMNS[1:]]
        table.add_row(str(int(point["step"])), *numbers)
    return table
