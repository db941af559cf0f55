"""host.json and `%SETTING%` references. Sections that this host does not use are ignored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from local.functions_host.errors import HostError

DEFAULT_FUNCTION_TIMEOUT = "00:30:00"
DEFAULT_ROUTE_PREFIX = "api"
DEFAULT_BLOB_PARALLELISM = 8
DEFAULT_POISON_THRESHOLD = 5

_SPAN = re.compile(r"(?:(?P<d>\d+)\.)?(?P<h>\d{1,2}):(?P<m>\d{1,2}):(?P<s>\d{1,2}(?:\.\d+)?)")
_REFERENCE = re.compile(r"%([^%\s]+)%")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """The part of host.json that this host uses. `function_timeout` is in seconds, or None."""

    route_prefix: str = DEFAULT_ROUTE_PREFIX
    function_timeout: float | None = None
    blob_parallelism: int = DEFAULT_BLOB_PARALLELISM
    poison_threshold: int = DEFAULT_POISON_THRESHOLD
    durable_task: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read_host_json(app_dir: Path) -> HostSettings:
    """Read `host.json`. Raises HostError if it is missing or one of its values is wrong."""
    path = app_dir / "host.json"
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise HostError(
            f"{path} does not exist: a Functions app has a host.json beside function_app.py"
        ) from None
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise HostError(f"{path} is not a JSON object")
    return _settings(cast(dict[str, Any], data))


def resolve_references(text: str, environment: Mapping[str, str]) -> str:
    """Replace each `%NAME%` by that app setting. Raises KeyError with a name that is not set."""
    return _REFERENCE.sub(lambda match: environment[match.group(1)], text)


def parse_time_span(text: str) -> float:
    """Return the seconds of `[d.]hh:mm:ss`. Raises ValueError."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time span like 00:30:00")
    days = float(match["d"] or 0)
    hours = float(match["h"]) + days * 24
    minutes = float(match["m"]) + hours * 60
    return float(match["s"]) + minutes * 60


def _settings(data: dict[str, Any]) -> HostSettings:
    extensions = _section(data, "extensions")
    blobs = _section(extensions, "blobs")
    durable = _section(extensions, "durableTask")
    prefix = _section(extensions, "http").get("routePrefix", DEFAULT_ROUTE_PREFIX)
    timeout = data.get("functionTimeout", DEFAULT_FUNCTION_TIMEOUT)
    for limit in ("maxConcurrentActivityFunctions", "maxConcurrentOrchestratorFunctions"):
        _positive(durable, limit, 1)
    return HostSettings(
        route_prefix=str(prefix).strip("/"),
        function_timeout=_function_timeout(str(timeout)),
        blob_parallelism=_positive(blobs, "maxDegreeOfParallelism", DEFAULT_BLOB_PARALLELISM),
        poison_threshold=_positive(blobs, "poisonBlobThreshold", DEFAULT_POISON_THRESHOLD),
        durable_task=durable,
    )


def _section(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise HostError(f"host.json: {name} is not an object")
    return cast(dict[str, Any], value)


def _positive(section: dict[str, Any], name: str, default: int) -> int:
    value = section.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise HostError(f"host.json: {name} is {value!r}, not a whole number above 0")
    return value


def _function_timeout(text: str) -> float | None:
    if text == "-1":
        return None
    try:
        return parse_time_span(text)
    except ValueError as error:
        raise HostError(f"host.json: functionTimeout: {error}") from None
