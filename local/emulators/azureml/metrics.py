"""The metrics API of the run history, as the SDK's own client reads it: which metrics a job has, and all values of one.

`pages` turns plain values into the API's bodies, whatever they come from: a command's `metrics.jsonl`, or a script of a test.
"""

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


class Value(NamedTuple):
    """One value that was logged."""

    name: str
    step: int
    value: float
    time: datetime


def definitions(values: Sequence[Value]) -> dict[str, Any]:
    """Body of `…/list`: each metric, with its columns."""
    names = list(dict.fromkeys(value.name for value in values))
    return {
        "value": [
            {
                "metricKey": {"namespace": "", "name": name, "labels": [], "columnNames": [name]},
                "columns": {name: "Double"},
                "properties": {"uxMetricType": "azureml.v1.scalar"},
            }
            for name in names
        ],
        "continuationToken": None,
        "nextLink": None,
    }


def page(
    job: str, name: str, values: Sequence[Value], token: str | None, size: int = PAGE_VALUES
) -> dict[str, Any]:
    """Body of `…/full`: one page of a metric's values. Raises ArmError: 404 for a metric that there is not, 400 for a token."""
    own = [value for value in values if value.name == name]
    if not own:
        raise ArmError(404, "MetricNotFound", f"The run {job!r} has no metric {name!r}.")
    if token is not None and not token.isdecimal():
        raise ArmError(400, "UserError", f"The continuation token {token!r} is none of ours.")
    start = int(token or 0)
    end = start + size
    return {
        "dataContainerId": f"dcid.{job}",
        "name": name,
        "columns": {name: "Double"},
        "properties": {"uxMetricType": "azureml.v1.scalar"},
        "namespace": "",
        "standardSchemaId": None,
        "value": [
            {
                "metricId": f"{job}-{name}-{number}",
                "createdUtc": value.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                "step": value.step,
                "data": {name: value.value},
            }
            for number, value in enumerate(own[start:end], start)
        ],
        "continuationToken": str(end) if end < len(own) else None,
        "nextLink": None,
    }


def routes(values_of: Callable[[str], Sequence[Value]]) -> list[web.RouteDef]:
    """The two calls. `values_of` gives a job's values in order, and raises ArmError for a job that there is not."""

    async def listed(request: web.Request) -> web.Response:
        await json_object(request)
        return web.json_response(definitions(values_of(request.match_info["job"])))

    async def full(request: web.Request) -> web.Response:
        asked, job = await json_object(request), request.match_info["job"]
        name, token = asked.get("metricName"), asked.get("continuationToken")
        if not isinstance(name, str) or not name:
            raise ArmError(400, "UserError", "metricName is required.")
        return web.json_response(page(job, name, values_of(job), token))

    return [web.post(f"{RUN_PATH}/list", listed), web.post(f"{RUN_PATH}/full", full)]


def read_log(path: Path) -> list[Value]:
    """The values in a `metrics.jsonl`, each line an object with `step`, `time` (seconds since 1970) and numbers by name."""
    found: list[Value] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            logged: object = json.loads(line)
        except ValueError:  # a line that is being written
            continue
        if isinstance(logged, dict):
            found += _values(cast(dict[str, Any], logged), path)
    return found


def _values(logged: dict[str, Any], path: Path) -> list[Value]:
    step, at = logged.get("step"), logged.get("time")
    if not isinstance(step, int):
        return []
    time = datetime.fromtimestamp(at if isinstance(at, int | float) else path.stat().st_mtime, UTC)
    return [
        Value(name, step, float(value), time)
        for name, value in logged.items()
        if name not in ("step", "time") and isinstance(value, int | float) and math.isfinite(value)
    ]
