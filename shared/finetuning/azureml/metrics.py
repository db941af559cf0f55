"""What a job of an AzureML workspace has logged: loss, accuracy, learning rate by step, from the metrics of its run history.

The SDK's run history client knows this API and `MLClient` shows it nowhere. Metrics are for looking at: one that cannot be
read is logged, and never fails a run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from shared.finetuning.azureml.errors import service_errors
from shared.finetuning.base import thinned

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

log = logging.getLogger(__name__)

Curve = list[dict[str, float]]
Page = tuple[list[Any], str | None]  # values, and the token of the next page

# What is shown, by the names that trainers give it: our script's own, those of transformers and trl, and of hosted fine-tuning.
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
MAX_PAGES = 100  # of one metric: an answer that never ends must not hold an activity


def latest(client: MLClient, job_name: str) -> dict[str, float]:
    """The last value of each metric, and the highest step; empty where there are none or they cannot be read."""
    newest: dict[str, float] = {}
    for row in _rows(client, job_name):
        newest |= row
    return newest


def curve(client: MLClient, job_name: str) -> Curve:
    """`{step, loss, …}` for each step that has any, in order, thinned; empty where they cannot be read."""
    return thinned(_rows(client, job_name))


def _rows(client: MLClient, job_name: str) -> Curve:
    try:
        with service_errors("its metrics could not be read"):
            return _read(client, job_name)
    except Exception as problem:  # what is only looked at must not fail what it is about
        log.warning("job %s: %s", job_name, problem)
        return []


def _read(client: MLClient, job_name: str) -> Curve:
    metrics, place = _operations(client)
    listed = _all(
        lambda token: _page(metrics.list_metric(*place, job_name, {"continuationToken": token}))
    )
    steps: dict[int, dict[str, float]] = {}
    for definition in listed:
        key = definition.metric_key
        ours = NAMES.get(key.name.rpartition("/")[2].lower()) if key and key.name else None
        if not ours:
            continue
        asked = {"metricName": key.name, "metricNamespace": key.namespace}
        for value in _all(
            lambda token, asked=asked: _page(
                metrics.get_full_fidelity_metric(
                    *place, job_name, {**asked, "continuationToken": token}
                )
            )
        ):
            number = _number(value.data, key.name)
            if number is not None:
                step = int(value.step or 0)
                steps.setdefault(step, {"step": float(step)})[ours] = number
    return [steps[step] for step in sorted(steps)]


def _operations(client: MLClient) -> tuple[Any, tuple[str, str, str]]:
    """The metrics API over the pipeline that the SDK reads runs with, and the workspace as its first arguments."""
    from azure.ai.ml._restclient.runhistory.operations import MetricsOperations

    runs = cast(Any, client.jobs)._runs_operations._operation
    metrics: Any = MetricsOperations(runs._client, runs._config, runs._serialize, runs._deserialize)
    return metrics, (
        client.subscription_id,
        client.resource_group_name or "",
        client.workspace_name or "",
    )


def _page(answer: Any) -> Page:
    return list(answer.value or []), answer.continuation_token


def _all(page: Callable[[str | None], Page]) -> Iterator[Any]:
    token: str | None = None
    for _ in range(MAX_PAGES):
        values, token = page(token)
        yield from values
        if not token:
            return


def _number(data: dict[str, Any] | None, name: str) -> float | None:
    """A value's number: it stands under the metric's own name, or is the only one."""
    values = data or {}
    found = values.get(name, next(iter(values.values()), None) if len(values) == 1 else None)
    try:
        return float(found) if found is not None else None
    except (TypeError, ValueError):  # tables, confusion matrices, images
        return None
