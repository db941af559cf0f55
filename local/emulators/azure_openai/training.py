"""What a training would show: steps, losses that fall by a formula, and checkpoints. Nothing is trained, and events say so."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

from local.emulators.azure_openai.store import JobRecord

NOTICE = "Local emulator: nothing is trained, metrics follow a formula."
AUTO_EPOCHS = 3
MAX_POINTS = 40  # events with metrics of one job
KEPT_CHECKPOINTS = 3  # as the service keeps: those of the last epochs
FIRST_LOSS, LAST_LOSS = 2.0, 0.4


@dataclass(frozen=True, slots=True)
class Training:
    """The shape of one job's training."""

    key: str
    epochs: int
    batch_size: int
    steps: int
    validated: bool

    @classmethod
    def of(cls, job: JobRecord, seed: int) -> Training:
        chosen = hyperparameters_of(job)
        epochs: int = chosen["n_epochs"]
        batch: int = chosen["batch_size"]
        steps = epochs * max(1, math.ceil(job.rows / batch))
        key = f"{seed}:{job.body.get('seed')}:{job.label}"
        return cls(key, epochs, batch, steps, "validation_file" in job.body)

    @property
    def points(self) -> list[int]:
        """The steps that are told of: evenly spaced, with the last one and the end of each epoch."""
        told = min(self.steps, MAX_POINTS)
        spaced = {math.ceil(self.steps * number / told) for number in range(1, told + 1)}
        return sorted(spaced | set(self.epoch_ends))

    @property
    def epoch_ends(self) -> list[int]:
        return [self.steps * epoch // self.epochs for epoch in range(1, self.epochs + 1)]

    def metrics(self, step: int) -> dict[str, float]:
        """As the API names them. The full validation set is measured at the end of an epoch alone."""
        loss = self._loss(step, "train")
        found = {"step": step, "train_loss": loss, "train_mean_token_accuracy": _accuracy(loss)}
        if self.validated:
            loss = self._loss(step, "valid") * 1.1
            found |= {"valid_loss": round(loss, 6), "valid_mean_token_accuracy": _accuracy(loss)}
            if step in self.epoch_ends:
                found |= {
                    "full_valid_loss": round(loss, 6),
                    "full_valid_mean_token_accuracy": _accuracy(loss),
                }
        return found

    def _loss(self, step: int, which: str) -> float:
        """Falls from FIRST_LOSS to LAST_LOSS, with a ripple of up to 1 % that depends on seed, job and step."""
        digest = hashlib.blake2b(f"{self.key}:{which}:{step}".encode(), digest_size=4).digest()
        ripple = int.from_bytes(digest, "big") / 2**32 / 100
        smooth = LAST_LOSS + (FIRST_LOSS - LAST_LOSS) * math.exp(-4 * step / self.steps)
        return round(smooth * (1 + ripple), 6)


def hyperparameters_of(job: JobRecord) -> dict[str, Any]:
    """What was chosen, and for the rest what the service would choose."""
    method: dict[str, Any] = job.body.get("method") or {}
    supervised: dict[str, Any] = method.get("supervised") or {}
    given: dict[str, Any] = (
        supervised.get("hyperparameters") or job.body.get("hyperparameters") or {}
    )
    automatic: dict[str, Any] = {
        "n_epochs": AUTO_EPOCHS,
        "batch_size": max(1, min(256, job.rows // 500)),
        "learning_rate_multiplier": 1.0,
    }
    return automatic | {name: value for name, value in given.items() if value != "auto"}


def _accuracy(loss: float) -> float:
    return round(math.exp(-loss / 2), 6)
