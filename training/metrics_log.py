"""Logs a training as JSON lines that can be read while it runs, and to MLflow if a job has it.

A line is `{"step": …, "time": <seconds since 1970>, "loss": …, "accuracy": …, "learning_rate": …}`,
or one with `validation_loss` and `validation_accuracy`. Accuracy is the share of learned tokens
that the student finds most likely.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

NAMES = {  # the trainer's name: ours
    "loss": "loss",
    "mean_token_accuracy": "accuracy",
    "learning_rate": "learning_rate",
    "eval_loss": "validation_loss",
    "eval_mean_token_accuracy": "validation_accuracy",
}


class MetricsLog(TrainerCallback):
    """Appends to `path`.

    A resumed training first removes the lines that were logged after its checkpoint at `step`.
    """

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        self._mlflow = _mlflow()
        lines = path.read_text(encoding="utf-8").splitlines() if step and path.exists() else []
        remaining = [f"{line}\n" for line in lines if _step(line) <= step]
        path.write_text("".join(remaining), encoding="utf-8")

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Log the trainer's metrics. The trainer calls this."""
        values = _finite_values(logs or {})
        if not values or not state.is_world_process_zero:
            return
        entry = {"step": state.global_step, "time": round(time.time(), 3), **values}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if self._mlflow:
            self._log_to_mlflow(values, state.global_step)

    def _log_to_mlflow(self, values: dict[str, float], step: int) -> None:
        try:
            self._mlflow.log_metrics(values, step=step)
        except Exception as error:  # a lost tracking server must not end a training of hours
            print(f"MLflow refused the metrics of step {step}: {error}", flush=True)


def _finite_values(logs: dict[str, Any]) -> dict[str, float]:
    """Return the numbers that have a name of ours. JSON has no NaN."""
    values = {NAMES[key]: float(value) for key, value in logs.items() if key in NAMES}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _mlflow() -> Any:
    """Return MLflow if there is a server to log to.

    AzureML sets its address, and AzureML's images have the package.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    try:
        return importlib.import_module("mlflow")
    except ImportError:
        return None


def _step(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):  # the last line of a process that was killed
        return math.inf
