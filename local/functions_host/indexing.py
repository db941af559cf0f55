"""Read the app's functions from the worker, as the host does when it starts.

Whatever cannot run here is refused by name, all problems in one message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.functions_host.errors import IndexingError
from local.functions_host.functions import (
    DURABLE_CLIENT,
    HTTP_OUTPUT,
    RETURN,
    TRIGGERS,
    Binding,
    FunctionApp,
    IndexedFunction,
)
from local.functions_host.settings import resolve_references
from local.functions_host.worker.messages import RpcException, RpcFunctionMetadata
from local.functions_host.worker.worker import MODULE, LoadFailed, Worker

SUPPORTED = (*TRIGGERS, DURABLE_CLIENT, HTTP_OUTPUT)
_RESOLVED = ("path", "route", "schedule", "taskHub")  # properties in which Azure resolves %SETTING%
_CHAINED = re.compile(r"\n\n(?:During handling of|The above exception) .+:\n\n")


class _Refused(Exception):
    """One function cannot run here; the message says why, without its name."""


async def load_app(worker: Worker, app_dir: Path, environment: Mapping[str, str]) -> FunctionApp:
    """Have the worker load `function_app.py` of this folder. Raises IndexingError."""
    if not (app_dir / f"{MODULE}.py").is_file():
        raise IndexingError(f"{app_dir} has no {MODULE}.py: choose the app's folder with --app-dir")
    try:
        functions = await worker.load(app_dir, environment)
    except LoadFailed as failure:
        raise IndexingError(_explanation(failure.exception, app_dir)) from failure
    indexed: dict[str, IndexedFunction] = {}
    disabled: list[str] = []
    problems: list[str] = []
    for function in functions:
        if _is_disabled(function.name, environment):
            disabled.append(function.name)
            continue
        try:
            indexed[function.name] = _index(function, environment)
        except _Refused as problem:
            problems.append(f"function {function.name} {problem}")
    if problems:
        raise IndexingError("\n".join(problems))
    return FunctionApp(indexed, tuple(disabled))


def _explanation(exception: RpcException, app_dir: Path) -> str:
    """Return the error as the app's author needs it: from the first frame in the app on."""
    last = _CHAINED.split(exception.stack_trace)[-1].rstrip().splitlines()
    for index, line in enumerate(last):
        if line.startswith(f'  File "{app_dir}'):
            trace = "\n".join(["Traceback (most recent call last):", *last[index:]])
            return f"{MODULE}.py could not be imported\n{trace}"
    return f"{MODULE}.py could not be loaded: {exception.message}"


def _is_disabled(name: str, environment: Mapping[str, str]) -> bool:
    return environment.get(f"AzureWebJobs.{name}.Disabled", "").lower() in ("true", "1")


def _index(function: RpcFunctionMetadata, environment: Mapping[str, str]) -> IndexedFunction:
    declared: list[dict[str, Any]] = [json.loads(binding) for binding in function.raw_bindings]
    for properties in declared:
        _check_type(properties)
    inputs = [
        _binding(properties, environment)
        for properties in declared
        if properties["direction"] == "IN"
    ]
    trigger = next(binding for binding in inputs if binding.type in TRIGGERS)
    return IndexedFunction(
        id=function.function_id, name=function.name, trigger=trigger, inputs=tuple(inputs)
    )


def _check_type(properties: Mapping[str, Any]) -> None:
    kind = str(properties["type"])
    if kind.lower().endswith("trigger") and kind not in TRIGGERS:
        raise _Refused(
            f"has a trigger that this host does not support: {kind}"
            f" (it supports {', '.join(TRIGGERS)})"
        )
    if kind not in SUPPORTED:
        raise _Refused(
            f"has a binding that this host does not support: {kind}"
            f" (it supports {', '.join(SUPPORTED)})"
        )
    if kind == HTTP_OUTPUT and properties["name"] != RETURN:
        raise _Refused(
            "answers HTTP through an output parameter; this host supports only the return value"
        )


def _binding(properties: dict[str, Any], environment: Mapping[str, str]) -> Binding:
    resolved = dict(properties)
    for key in _RESOLVED:
        if isinstance(resolved.get(key), str):
            resolved[key] = _resolve(resolved[key], environment)
    return Binding(str(properties["name"]), str(properties["type"]), resolved)


def _resolve(text: str, environment: Mapping[str, str]) -> str:
    try:
        return resolve_references(text, environment)
    except KeyError as missing:
        raise _Refused(f"needs the app setting {missing.args[0]}, which is not set") from None
