"""What a trained student has learned: its loss by step, and its agreement with the teacher."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.table import Table

from shared.evaluation.intervals import share_interval
from shared.evaluation.verdict import compare_right_answers

COLUMNS = ("step", "loss", "accuracy", "validation_loss", "validation_accuracy")
SHOWN_POINTS = 8
MARGIN = 0.05  # of "as good": 5 points

Losses = list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model answers: whether each answer is the teacher's, in the order of the rows.

    `commonest` is the accuracy of always giving the most frequent label.
    """

    is_equal: tuple[bool, ...]
    commonest: float

    @property
    def rows(self) -> int:
        """Return the number of answers."""
        return len(self.is_equal)

    @property
    def equal(self) -> int:
        """Return the number of answers that are the teacher's."""
        return sum(self.is_equal)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the output of evaluate.py."""
        data = json.loads(path.read_text(encoding="utf-8"))
        is_equal = tuple(bool(answer["equal"]) for answer in data["answers"])
        return cls(is_equal, data["commonest"])


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
        f"{_with_interval(before)} untrained, {_with_interval(after)} trained; "
        f"always the commonest label: {after.commonest:.1%}"
    )
    print(_paired_verdict(before, after))
    if not _loss_fell(losses):
        print("FAILED: the loss did not fall")
    if after.equal <= before.equal:
        print("FAILED: the trained student agrees with the teacher no more often than untrained")


def _with_interval(evaluation: Evaluation) -> str:
    """Return the share of equal answers with its 95 % interval."""
    interval = share_interval(evaluation.equal, evaluation.rows)
    share = evaluation.equal / evaluation.rows
    return f"{share:.1%} (95 % interval {interval.low:.1%} to {interval.high:.1%})"


def _paired_verdict(before: Evaluation, after: Evaluation) -> str:
    """Return a sentence on the trained student beside the untrained one, on the same rows."""
    pairs = Counter(zip(after.is_equal, before.is_equal, strict=True))
    comparison = compare_right_answers(
        both=pairs[True, True],
        first_only=pairs[True, False],
        second_only=pairs[False, True],
        neither=pairs[False, False],
        margin=MARGIN,
    )
    verdict = comparison.verdict.value.replace("_", " ")
    return (
        f"trained beside untrained: {verdict} ({comparison.difference * 100:+.1f} points, 95 % "
        f"interval {comparison.interval.low * 100:+.1f} to {comparison.interval.high * 100:+.1f}, "
        f"McNemar's exact test p = {comparison.p:.2g})"
    )


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
