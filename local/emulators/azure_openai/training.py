"""What a training would report: steps, losses by a formula, checkpoints. Nothing is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from local.emulators.azure_openai.store import Job
from local.emulators.jobs import loss_at
from local.emulators.service import draw

NOTICE = "Local emulator: nothing is trained, metrics follow a formula."
AUTO_EPOCHS = 3
MAX_POINTS = 40  # events with metrics of one job
KEPT_CHECKPOINTS = 3  # those of the last epochs, as the service keeps them


@dataclass(frozen=True, slots=True)
class Training:
    """The shape of one job's training."""

    key: str
    epochs: int
    steps: int
    validated: bool

    @classmethod
    def of(cls, job: Job, seed: int) -> Training:
        epochs: int = job.hyperparameters["n_epochs"]
        steps_an_epoch = max(1, math.ceil(job.rows / job.hyperparameters["batch_size"]))
        key = f"{seed}:{job.seed}:{job.label}"
        return cls(key, epochs, epochs * steps_an_epoch, job.validation_file is not None)

    @property
    def points(self) -> list[int]:
        """The steps reported: evenly spaced, with the last one and the end of each epoch."""
        count = min(self.steps, MAX_POINTS)
        spaced = {math.ceil(self.steps * number / count) for number in range(1, count + 1)}
        return sorted(spaced | set(self.epoch_ends))

    @property
    def epoch_ends(self) -> list[int]:
        return [self.steps * epoch // self.epochs for epoch in range(1, self.epochs + 1)]

    def metrics(self, step: int) -> dict[str, float]:
        """Return metrics as the API names them. Full validation happens at the end of an epoch."""
        loss = self._loss(step, "train")
        metrics = {"step": step, "train_loss": loss, "train_mean_token_accuracy": _accuracy(loss)}
        if self.validated:
            loss = round(self._loss(step, "valid") * 1.1, 6)
            prefixes = ["valid"]
            if step in self.epoch_ends:
                prefixes.append("full_valid")
            for prefix in prefixes:
                metrics[f"{prefix}_loss"] = loss
                metrics[f"{prefix}_mean_token_accuracy"] = _accuracy(loss)
        return metrics

    def _loss(self, step: int, split: str) -> float:
        """Return the loss with a ripple of up to 1 % that depends on seed, job and step."""
        ripple = draw(self.key, split, step) / 100
        return round(loss_at(step / self.steps) * (1 + ripple), 6)


def completed(hyperparameters: dict[str, Any], rows: int) -> dict[str, Any]:
    """Return the hyperparameters of a request, completed by what the service would choose."""
    automatic: dict[str, Any] = {
        "n_epochs": AUTO_EPOCHS,
        "batch_size": max(1, min(256, rows // 500)),
        "learning_rate_multiplier": 1.0,
    }
    return automatic | {name: value for name, value in hyperparameters.items() if value != "auto"}


def _accuracy(loss: float) -> float:
    return round(math.exp(-loss / 2), 6)
