"""What a training logs: JSON lines in a file that can be read while it goes on, and MLflow where a job has a tracking server.

A line is `{"step": …, "time": <seconds since 1970>, "loss": …, "accuracy": …, "learning_rate": …}`, or one with
`validation_loss` and `validation_accuracy`; accuracies are the share of learned tokens that come out most likely.
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

NAMES = {  # as the trainer calls it: as we do
    "loss": "loss",
    "mean_token_accuracy": "accuracy",
    "learning_rate": "learning_rate",
    "eval_loss": "validation_loss",
    "eval_mean_token_accuracy": "validation_accuracy",
}


class MetricsLog(TrainerCallback):
    """Appends to `path`, after taking back what a training that was cut off logged after its checkpoint at `step`."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        self._mlflow = _mlflow()
        kept = path.read_text(encoding="utf-8").splitlines() if step and path.exists() else []
        path.write_text(
            "".join(f"{line}\n" for line in kept if _step(line) <= step), encoding="utf-8"
        )

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Called by the trainer."""
        named = {NAMES[key]: float(value) for key, value in (logs or {}).items() if key in NAMES}
        values = {
            name: value for name, value in named.items() if math.isfinite(value)
        }  # JSON knows no NaN
        if not values or not state.is_world_process_zero:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({"step": state.global_step, "time": round(time.time(), 3), **values})
                + "\n"
            )
        if self._mlflow:
            try:
                self._mlflow.log_metrics(values, step=state.global_step)
            except (
                Exception
            ) as error:  # a tracking server that is away must not end a training of hours
                print(f"MLflow took no metrics at step {state.global_step}: {error}", flush=True)


def _mlflow() -> Any:
    """MLflow, where there is a server to log to: AzureML sets its address, and its images bring the package."""
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
