"""Reads the functions of an app from its function_app.py, as the Functions worker does at its start.

Everything that cannot run here is refused by name, and all of it in one message.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

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
from local.functions_host.parameters import InvalidParameters, check_parameters, check_return
from local.functions_host.settings import resolve_references

MODULE = "function_app"
SUPPORTED = (*TRIGGERS, DURABLE_CLIENT, HTTP_OUTPUT)
_RESOLVED = ("path", "route", "taskHub")  # properties in which Azure resolves %SETTING%


class _Refused(Exception):
    """One function cannot run here; the message says why, without its name."""


def load_app(app_dir: Path, environment: Mapping[str, str]) -> FunctionApp:
    """Import `function_app.py` of this folder and index it. Raises IndexingError."""
    registered = _functions_of(_app_object(_import_app(app_dir)))
    enabled = [function for function in registered if not _is_disabled(function, environment)]
    indexed: dict[str, IndexedFunction] = {}
    problems: list[str] = []
    for function in enabled:
        name = str(function.get_function_name())
        try:
            indexed[name] = _index(name, function, app_dir, environment)
        except (_Refused, InvalidParameters) as problem:
            problems.append(f"function {name} {problem}")
    if problems:
        raise IndexingError("\n".join(problems))
    return FunctionApp(
        indexed, tuple(str(f.get_function_name()) for f in registered if f not in enabled)
    )


def _import_app(app_dir: Path) -> ModuleType:
    if not (app_dir / f"{MODULE}.py").is_file():
        raise IndexingError(f"{app_dir} has no {MODULE}.py: choose the app's folder with --app-dir")
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))
    try:
        return importlib.import_module(MODULE)
    except (Exception, SystemExit) as error:
        raise IndexingError(
            f"{MODULE}.py could not be imported\n{_user_traceback(error, app_dir)}"
        ) from error


def _user_traceback(error: BaseException, app_dir: Path) -> str:
    """The traceback from the first frame in the app on: what lies above is this host and the import system."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next(
        (index for index, frame in enumerate(frames) if frame.filename.startswith(str(app_dir))),
        len(frames),
    )
    shown = traceback.TracebackException.from_exception(error)
    shown.stack = traceback.StackSummary.from_list(frames[first:])
    return "".join(shown.format(chain=False)).rstrip()


def _app_object(module: ModuleType) -> func.FunctionRegister:
    names = [
        name
        for name in dir(module)
        if isinstance(getattr(module, name, None), func.FunctionRegister)
    ]
    if not names:
        raise IndexingError(
            f"{MODULE}.py has no function app at its top level, such as app = func.FunctionApp()"
        )
    if len(names) > 1:
        raise IndexingError(
            f"{MODULE}.py has more than one function app at its top level: {', '.join(names)}"
        )
    app: func.FunctionRegister = getattr(module, names[0])
    return app


def _functions_of(app: func.FunctionRegister) -> list[Any]:
    try:
        return list(
            app.get_functions()
        )  # not to be called twice: the library takes the second for duplicates
    except ValueError as error:
        raise IndexingError(str(error)) from error


def _is_disabled(function: Any, environment: Mapping[str, str]) -> bool:
    value = environment.get(f"AzureWebJobs.{function.get_function_name()}.Disabled", "")
    return value.lower() in ("true", "1")


def _index(
    name: str, function: Any, app_dir: Path, environment: Mapping[str, str]
) -> IndexedFunction:
    declared: list[dict[str, Any]] = [json.loads(raw) for raw in function.get_raw_bindings()]
    trigger_name, trigger_type = str(function.get_trigger().name), str(function.get_trigger().type)
    _check_types(trigger_type, declared)
    call: Callable[..., Any] = function.get_user_function()
    bound = [
        _binding(properties, environment)
        for properties in declared
        if properties["direction"] == "IN"
    ]
    bound.sort(key=lambda binding: binding.name != trigger_name)
    checked = check_parameters(call, bound)
    outputs = [
        _binding(properties, environment)
        for properties in declared
        if properties["direction"] == "OUT"
    ]
    output = outputs[0] if outputs else None
    check_return(call, output)
    return IndexedFunction(
        name=name,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        trigger=checked.inputs[0],
        inputs=checked.inputs,
        output=output,
        wants_context=checked.wants_context,
        retry_policy=function.get_settings_dict("retry_policy"),
        directory=str(app_dir),
    )


def _check_types(trigger: str, declared: list[dict[str, Any]]) -> None:
    if trigger not in TRIGGERS:
        raise _Refused(
            f"has a trigger that this host does not support: {trigger} (it supports {', '.join(TRIGGERS)})"
        )
    for properties in declared:
        kind = str(properties["type"])
        if kind not in SUPPORTED:
            raise _Refused(
                f"has a binding that this host does not support: {kind} (it supports {', '.join(SUPPORTED)})"
            )
        if kind == HTTP_OUTPUT and properties["name"] != RETURN:
            raise _Refused(
                "answers HTTP through an output parameter; this host supports the return value alone"
            )


def _binding(properties: dict[str, Any], environment: Mapping[str, str]) -> Binding:
    resolved = dict(properties)
    for key in _RESOLVED:
        if isinstance(resolved.get(key), str):
            try:
                resolved[key] = resolve_references(resolved[key], environment)
            except KeyError as missing:
                raise _Refused(
                    f"needs the app setting {missing.args[0]}, which is not set"
                ) from None
    return Binding(str(properties["name"]), str(properties["type"]), resolved)
