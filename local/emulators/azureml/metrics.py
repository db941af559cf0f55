"""The metrics API of the run history, as the SDK's client reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

from aiohttp import web

from local.emulators.azureml.arm import WORKSPACE_PATH, ArmError, json_object

RUN_PATH = "/metric/v2.0" + WORKSPACE_PATH + "/runs/{job}"
PAGE_VALUES = 1000
SCALAR = {"uxMetricType": "azureml.v1.scalar"}


class Value(NamedTuple):
    """A value that was logged."""

    name: str
    step: int
    value: float
    time: datetime


def definitions(values: Sequence[Value]) -> dict[str, Any]:
    """Return the body of `…/list`: each metric with its columns."""
    metrics: list[dict[str, Any]] = []
    for name in dict.fromkeys(value.name for value in values):
        key = {"namespace": "", "name": name, "labels": [], "columnNames": [name]}
        metrics.append({"metricKey": key, "columns": {name: "Double"}, "properties": SCALAR})
    return {"value": metrics, "continuationToken": None, "nextLink": None}


def page(
    job: str, name: str, values: Sequence[Value], token: str | None, size: int = PAGE_VALUES
) -> dict[str, Any]:
    """Return the body of `…/full`: one page of a metric's values.

    Raises ArmError: 404 for an unknown metric, 400 for a wrong token.
    """
    of_metric = [value for value in values if value.name == name]
    if not of_metric:
        raise ArmError(404, "MetricNotFound", f"The run {job!r} has no metric {name!r}.")
    if token is not None and not token.isdecimal():
        raise ArmError(400, "UserError", f"The continuation token {token!r} is not one of ours.")
    start = int(token or 0)
    end = start + size
    numbered = enumerate(of_metric[start:end], start)
    return {
        "dataContainerId": f"dcid.{job}",
        "name": name,
        "columns": {name: "Double"},
        "properties": SCALAR,
        "namespace": "",
        "standardSchemaId": None,
        "value": [_shown(value, f"{job}-{name}-{number}") for number, value in numbered],
        "continuationToken": str(end) if end < len(of_metric) else None,
        "nextLink": None,
    }


def _shown(value: Value, metric_id: str) -> dict[str, Any]:
    created = value.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {
        "metricId": metric_id,
        "createdUtc": created,
        "step": value.step,
        "data": {value.name: value.value},
    }


def routes(values_of: Callable[[str], Sequence[Value]]) -> list[web.RouteDef]:
    """Return the two routes. `values_of` returns a job's values in order, or raises ArmError."""

    async def listed(request: web.Request) -> web.Response:
        await json_object(request)
        return web.json_response(definitions(values_of(request.match_info["job"])))

    async def full(request: web.Request) -> web.Response:
        body = await json_object(request)
        job = request.match_info["job"]
        name = body.get("metricName")
        if not isinstance(name, str) or not name:
            raise ArmError(400, "UserError", "metricName is required.")
        return web.json_response(page(job, name, values_of(job), body.get("continuationToken")))

    return [web.post(f"{RUN_PATH}/list", listed), web.post(f"{RUN_PATH}/full", full)]


def read_log(path: Path) -> list[Value]:
    """Return the values in a `metrics.jsonl`.

    Each line is an object with `step`, `time` (seconds since 1970) and numbers by name.
    """
    values: list[Value] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            logged: object = json.loads(line)
        except ValueError:  # a line that is being written
            continue
        if isinstance(logged, dict):
            values += _values(cast(dict[str, Any], logged), path)
    return values


def _values(logged: dict[str, Any], path: Path) -> list[Value]:
    step = logged.pop("step", None)
    at = logged.pop("time", None)
    if not isinstance(step, int):
        return []
    time = datetime.fromtimestamp(at if isinstance(at, int | float) else path.stat().st_mtime, UTC)
    values: list[Value] = []
    for name, value in logged.items():
        if isinstance(value, int | float) and math.isfinite(value):
            values.append(Value(name, step, float(value), time))
    return values
