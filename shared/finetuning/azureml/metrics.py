"""The metrics that a job of an AzureML workspace has logged, by step.

Metrics are for looking at: if they cannot be read, that is logged and never fails a run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

from shared.core.json_values import JsonObject
from shared.finetuning.azureml.errors import service_errors
from shared.finetuning.azureml.rest import MetricValue, Page, WorkspaceRest
from shared.finetuning.base import thinned

log = logging.getLogger(__name__)

Curve = list[dict[str, float]]
ItemT = TypeVar("ItemT")

# Our names for those of training/train.py, of transformers and trl, and of hosted fine-tuning.
NAMES = {
    **dict.fromkeys(("loss", "train_loss", "training_loss"), "loss"),
    **dict.fromkeys(("validation_loss", "eval_loss", "val_loss", "valid_loss"), "validation_loss"),
    **dict.fromkeys(("accuracy", "mean_token_accuracy", "train_mean_token_accuracy"), "accuracy"),
    **dict.fromkeys(
        ("validation_accuracy", "eval_mean_token_accuracy", "valid_mean_token_accuracy"),
        "validation_accuracy",
    ),
    **dict.fromkeys(("learning_rate", "lr"), "learning_rate"),
}
MAX_PAGES = 100  # of one metric: a listing that never ends must not hold an activity


def latest(rest: WorkspaceRest, job_name: str) -> dict[str, float]:
    """Return the last value of each metric, and the highest step; empty if there are none."""
    newest: dict[str, float] = {}
    for point in _points(rest, job_name):
        newest |= point
    return newest


def curve(rest: WorkspaceRest, job_name: str) -> Curve:
    """Return `{step, loss, …}` for each step that has metrics, in order, thinned."""
    return thinned(_points(rest, job_name))


def _points(rest: WorkspaceRest, job_name: str) -> Curve:
    try:
        with service_errors("its metrics could not be read"):
            return _read_points(rest, job_name)
    except Exception as problem:  # whatever is wrong with the metrics, the job itself is fine
        log.warning("job %s: %s", job_name, problem)
        return []


def _read_points(rest: WorkspaceRest, job_name: str) -> Curve:
    steps: dict[int, dict[str, float]] = {}
    for metric in _all_pages(lambda token: rest.metrics(job_name, token)):
        key = metric.get("metricKey") or {}
        name = key.get("name") or ""
        shown_as = NAMES.get(name.rpartition("/")[2].lower())
        if shown_as is None:
            continue
        for value in _values(rest, job_name, name, key.get("namespace")):
            number = _number(value.get("data") or {}, name)
            if number is not None:
                step = int(value.get("step") or 0)
                point = steps.setdefault(step, {"step": float(step)})
                point[shown_as] = number
    return [steps[step] for step in sorted(steps)]


def _values(
    rest: WorkspaceRest, job_name: str, name: str, namespace: str | None
) -> Iterator[MetricValue]:
    return _all_pages(lambda token: rest.metric_values(job_name, name, namespace, token))


def _all_pages(page_after: Callable[[str | None], Page[ItemT]]) -> Iterator[ItemT]:
    token: str | None = None
    for _ in range(MAX_PAGES):
        page = page_after(token)
        yield from page.get("value") or []
        token = page.get("continuationToken")
        if not token:
            return


def _number(data: JsonObject, name: str) -> float | None:
    """Return a value's number: that under the metric's name, or the only one there is."""
    number = data.get(name)
    if number is None and len(data) == 1:
        number = next(iter(data.values()))
    if not isinstance(number, str | int | float):  # tables, confusion matrices, images
        return None
    try:
        return float(number)
    except ValueError:
        return None
