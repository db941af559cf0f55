"""The worker for Python 3.11 and 3.12: follows Microsoft's, which PyPI has for 3.13 and newer."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from local.functions_host.worker.messages import (
    InvocationRequest,
    InvocationResponse,
    RpcFunctionMetadata,
    RpcHttp,
    StatusResult,
    TypedData,
)
from local.functions_host.worker.parameters import (
    GENERIC,
    InvalidParameters,
    Parameters,
    check_parameters,
    converter,
)
from local.functions_host.worker.worker import MODULE, LoadFailed, report

THREADS_SETTING = "PYTHON_THREADPOOL_THREAD_COUNT"
_invocation_id: ContextVar[str | None] = ContextVar("invocation_id", default=None)


@dataclass(frozen=True, slots=True)
class _Function:
    name: str
    call: Callable[..., Any]
    parameters: Parameters


class BuiltinWorker:
    """Async functions run on the event loop, all others, orchestrators too, in one thread pool."""

    description = "the built-in worker (Microsoft's needs Python 3.13)"

    def __init__(self) -> None:
        self.invocation_id = _invocation_id
        self._functions: dict[str, _Function] = {}
        self._threads: ThreadPoolExecutor | None = None

    async def load(
        self, app_dir: Path, environment: Mapping[str, str]
    ) -> list[RpcFunctionMetadata]:
        """Become the worker of this app and return its functions. Raises LoadFailed."""
        settings = dict(environment)
        os.environ.clear()
        os.environ.update(settings)
        sys.path.insert(0, str(app_dir))
        try:
            app = _app_object(importlib.import_module(MODULE))
            functions: list[Any] = app.get_functions()
            metadata = [self._register(function) for function in functions]
        except (Exception, SystemExit) as error:
            raise LoadFailed(report(error)) from error
        os.chdir(app_dir)
        self._threads = ThreadPoolExecutor(_thread_count(), thread_name_prefix="function")
        return metadata

    async def invoke(self, request: InvocationRequest) -> InvocationResponse:
        """Call a function. What it raises is in the response."""
        function = self._functions[request.function_id]
        try:
            result = await self._call(function, request)
            value = _outgoing(function, result)
        except Exception as error:
            failure = StatusResult(status=StatusResult.Failure, exception=report(error))
            return InvocationResponse(invocation_id=request.invocation_id, result=failure)
        success = StatusResult(status=StatusResult.Success)
        return InvocationResponse(
            invocation_id=request.invocation_id, result=success, return_value=value
        )

    def close(self) -> None:
        """Start nothing more. Threads that a function still holds end with the process."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _register(self, function: Any) -> RpcFunctionMetadata:
        name = str(function.get_function_name())
        raw_bindings: list[str] = function.get_raw_bindings()
        declared = [json.loads(binding) for binding in raw_bindings]
        bindings = {str(binding["name"]): str(binding["type"]) for binding in declared}
        call: Callable[..., Any] = function.get_user_function()
        try:
            parameters = check_parameters(call, bindings)
        except InvalidParameters as error:
            raise InvalidParameters(f"cannot load the {name} function: {error}") from None
        self._functions[name] = _Function(name, call, parameters)
        return RpcFunctionMetadata(name=name, function_id=name, raw_bindings=raw_bindings)

    async def _call(self, function: _Function, request: InvocationRequest) -> Any:
        arguments = {
            binding.name: _incoming(
                function.parameters.inputs[binding.name], binding.data, request.trigger_metadata
            )
            for binding in request.input_data
        }
        if inspect.iscoroutinefunction(function.call):
            return await function.call(**arguments)
        call = partial(_in_thread, request.invocation_id, function.call, arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


def _app_object(module: ModuleType) -> func.FunctionRegister:
    values = [getattr(module, name, None) for name in dir(module)]
    apps = [value for value in values if isinstance(value, func.FunctionRegister)]
    if not apps:
        raise ValueError(f"Could not find top level function app instances in {MODULE}.py.")
    if len(apps) > 1:
        raise ValueError(
            f"More than one {type(apps[0]).__name__} or other top level function app instances"
            " are defined."
        )
    return apps[0]


def _in_thread(invocation_id: str, call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    token = _invocation_id.set(invocation_id)
    try:
        return call(**arguments)
    finally:
        _invocation_id.reset(token)


def _thread_count() -> int | None:
    configured = os.environ.get(THREADS_SETTING, "")
    return int(configured) if configured.isdecimal() and int(configured) > 0 else None


def _incoming(binding_type: str, data: TypedData, metadata: Mapping[str, TypedData]) -> Any:
    """Return a value as the function's parameter is called with it."""
    if binding_type == GENERIC:
        return data.value
    codec = converter(binding_type)
    trigger_metadata = {key: _datum(value) for key, value in metadata.items()}
    return codec.decode(
        _datum(data), trigger_metadata=trigger_metadata if codec.has_trigger_support() else None
    )


def _outgoing(function: _Function, result: Any) -> TypedData | None:
    """Return a function's return value for the host. Raises TypeError, RuntimeError."""
    output = function.parameters.output
    if output is None:
        if result is not None:
            raise RuntimeError(
                f"function {function.name} without a $return binding returned a non-None value"
            )
        return None
    try:
        datum: Datum = converter(output).encode(result, expected_type=None)
    except NotImplementedError:
        raise TypeError(
            f'unable to encode outgoing TypedData: unsupported type "{output}" for Python type'
            f' "{type(result).__name__}"'
        ) from None
    if datum.type == "http":
        return TypedData(http=_http_response(datum.value))
    return TypedData(**{str(datum.type): datum.value})


def _datum(data: TypedData) -> Datum:
    if data.kind != "http":
        return Datum(data.value, data.kind)
    request: RpcHttp = data.value
    fields = {
        "method": Datum(request.method, "string"),
        "url": Datum(request.url, "string"),
        "headers": _texts(request.headers),
        "query": _texts(request.query),
        "params": _texts(request.params),
        "body": Datum(request.body.value if request.body else b"", "bytes"),
    }
    return Datum(fields, "http")


def _texts(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _http_response(fields: dict[str, Any]) -> RpcHttp:
    if fields["cookies"]:
        raise NotImplementedError("the local Functions host does not support cookies")
    return RpcHttp(
        status_code=fields["status_code"].value,
        headers={name: datum.value for name, datum in fields["headers"].items()},
        body=TypedData(bytes=fields["body"].value),
    )
