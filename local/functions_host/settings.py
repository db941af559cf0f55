"""host.json and `%SETTING%` references. Sections that this host does not use are ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveInt, ValidationError
from pydantic.alias_generators import to_camel

from local.functions_host.errors import HostError

_SPAN = re.compile(r"(?:(?P<d>\d+)\.)?(?P<h>\d{1,2}):(?P<m>\d{1,2}):(?P<s>\d{1,2}(?:\.\d+)?)")
_REFERENCE = re.compile(r"%([^%\s]+)%")


def parse_time_span(text: str) -> float:
    """Return the seconds of `[d.]hh:mm:ss`. Raises ValueError."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time span like 00:30:00")
    days = float(match["d"] or 0)
    hours = float(match["h"]) + days * 24
    minutes = float(match["m"]) + hours * 60
    return float(match["s"]) + minutes * 60


def _timeout(text: object) -> float | None:
    return None if text == "-1" else parse_time_span(str(text))


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel)


class _Http(_Section):
    route_prefix: str = "api"


class _Blobs(_Section):
    max_degree_of_parallelism: PositiveInt = 8
    poison_blob_threshold: PositiveInt = 5


class _DurableTask(_Section):
    hub_name: str = "TestHubName"
    default_version: str = ""
    max_concurrent_activity_functions: PositiveInt = 10
    max_concurrent_orchestrator_functions: PositiveInt = 5


class _Extensions(_Section):
    http: _Http = _Http()
    blobs: _Blobs = _Blobs()
    durable_task: _DurableTask = _DurableTask()


class HostSettings(_Section):
    """The part of host.json that this host uses. `function_timeout` is in seconds, or None."""

    function_timeout: Annotated[float | None, BeforeValidator(_timeout)] = 1800.0
    extensions: _Extensions = _Extensions()


def read_host_json(app_dir: Path) -> HostSettings:
    """Read `host.json`. Raises HostError if it is missing or one of its values is wrong."""
    path = app_dir / "host.json"
    try:
        return HostSettings.model_validate_json(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise HostError(
            f"{path} does not exist: a Functions app has a host.json beside function_app.py"
        ) from None
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise HostError(f"{path}: {place}: {problem['msg']}") from None


def resolve_references(text: str, environment: Mapping[str, str]) -> str:
    """Replace each `%NAME%` by that app setting. Raises KeyError with a name that is not set."""
    return _REFERENCE.sub(lambda match: environment[match.group(1)], text)
