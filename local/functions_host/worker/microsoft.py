"""Microsoft's own worker library, `azure-functions-runtime`, driven by its entry points.

In Azure a thin proxy worker receives the host's messages by gRPC and hands them to this library
(Python 3.13 and newer). Here the host takes the place of the proxy.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local.functions_host.worker import messages
from local.functions_host.worker.messages import (
    InvocationRequest,
    InvocationResponse,
    RpcException,
    RpcFunctionMetadata,
    StatusResult,
)
from local.functions_host.worker.worker import LoadFailed, report
from local.runtime.ports import LOOPBACK

PLACEHOLDER = Path(__file__).parent  # a folder without an app


@dataclass(frozen=True, slots=True)
class _Event:
    """What an entry point of the library is called with."""

    name: str
    request: SimpleNamespace
    properties: Mapping[str, Any]


class MicrosoftWorker:
    """The library is one per process, and so is this worker."""

    def __init__(self) -> None:
        """Raises ModuleNotFoundError where the library is not installed."""
        self._runtime: Any = importlib.import_module("azure_functions_runtime")
        version: Any = importlib.import_module("azure_functions_runtime.version")
        self.description = f"Microsoft's azure-functions-runtime {version.VERSION}"
        self.invocation_id: ContextVar[str | None] = self._runtime.invocation_id_cv

    async def load(
        self, app_dir: Path, environment: Mapping[str, str]
    ) -> list[RpcFunctionMetadata]:
        """Start as a placeholder, then become the worker of this app. Raises LoadFailed."""
        sys.path.insert(0, str(app_dir))  # the proxy's part
        settings = dict(environment)
        placeholder = messages.WorkerInitRequest(
            capabilities={}, function_app_directory=str(PLACEHOLDER)
        )
        _check((await self._ask("worker_init_request", placeholder)).result)
        specialization = messages.FunctionEnvironmentReloadRequest(
            environment_variables=settings, function_app_directory=str(app_dir)
        )
        _check((await self._ask("function_environment_reload_request", specialization)).result)
        self._runtime.start_threadpool_executor()
        return await self._functions(app_dir)

    async def _functions(self, app_dir: Path) -> list[RpcFunctionMetadata]:
        question = messages.FunctionsMetadataRequest(function_app_directory=str(app_dir))
        response = await self._ask("functions_metadata_request", question)
        _check(response.result)
        functions: list[RpcFunctionMetadata] = response.function_metadata_results or []
        for function in functions:
            load = messages.FunctionLoadRequest(function_id=function.function_id, metadata=function)
            _check((await self._ask("function_load_request", load)).result)
        return functions

    async def invoke(self, request: InvocationRequest) -> InvocationResponse:
        """Call a function. What it raises is in the response."""
        return await self._ask("invocation_request", request)

    def close(self) -> None:
        """Start nothing more. Threads that a function still holds end with the process."""
        threads = self._runtime.get_threadpool_executor()
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, name: str, message: object) -> Any:
        properties = {"host": LOOPBACK, "protos": messages}
        event = _Event(name, SimpleNamespace(**{name: message}), properties)
        try:
            return await getattr(self._runtime, name)(event)
        except SystemExit as error:
            # in Azure the process would end; here the host says why
            raise LoadFailed(report(error)) from error


def _check(result: StatusResult) -> None:
    if result.status != StatusResult.Success:
        raise LoadFailed(result.exception or RpcException(message="no reason given"))
