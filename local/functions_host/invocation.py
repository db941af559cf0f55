"""Calls the app's functions: async ones on the event loop, the others in a thread pool, every one within functionTimeout."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from azure.functions.meta import Datum

from local.functions_host.context import InvocationContext
from local.functions_host.data import Metadata, decode
from local.functions_host.errors import FunctionTimeout
from local.functions_host.functions import DURABLE_CLIENT, ORCHESTRATION_TRIGGER, IndexedFunction

THREADS_SETTING = "PYTHON_THREADPOOL_THREAD_COUNT"
ORCHESTRATOR_THREADS = 4
_log = logging.getLogger("host.invocation")


class Invoker:
    """Invokes functions. `client_data` gives the durable client binding's data, as JSON text."""

    def __init__(self, function_timeout: float | None, client_data: Callable[[], str]) -> None:
        self._timeout = function_timeout
        self._client_data = client_data
        self._threads = ThreadPoolExecutor(_thread_count(), thread_name_prefix="function")
        # apart, so that activities that block every thread of the pool cannot keep orchestrators from running
        self._orchestrators = ThreadPoolExecutor(
            ORCHESTRATOR_THREADS, thread_name_prefix="orchestrator"
        )

    async def invoke(
        self,
        function: IndexedFunction,
        data: Datum,
        metadata: Metadata | None = None,
        *,
        reason: str,
        attempt: int = 1,
    ) -> Any:
        """Call it with the trigger's data and return what it returned.

        Raises what the function raises, FunctionTimeout, and RuntimeError for a value that nothing takes.
        """
        context = InvocationContext(function.name, function.directory, retry_count=attempt - 1)
        # orchestrators run at every step of their replay: a line for each would drown the rest
        level = logging.DEBUG if function.trigger.type == ORCHESTRATION_TRIGGER else logging.INFO
        _log.log(level, "executing %s (%s, id %s)", function.name, reason, context.invocation_id)
        started = time.monotonic()
        try:
            arguments = self._arguments(function, data, metadata, context)
            result = await self._call(function, arguments)
            _check_result(function, result)
        except BaseException as error:
            outcome = (
                "cancelled"
                if isinstance(error, asyncio.CancelledError)
                else f"failed: {type(error).__name__}"
            )
            _log.log(level, "executed %s (%s, %s)", function.name, outcome, _elapsed(started))
            raise
        _log.log(level, "executed %s (succeeded, %s)", function.name, _elapsed(started))
        return result

    def close(self) -> None:
        """Start nothing more. Threads that a function still holds are left to end with the process."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._orchestrators.shutdown(wait=False, cancel_futures=True)

    def _arguments(
        self,
        function: IndexedFunction,
        data: Datum,
        metadata: Metadata | None,
        context: InvocationContext,
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for binding in function.inputs:
            if binding.type == DURABLE_CLIENT:
                arguments[binding.name] = decode(binding, Datum(self._client_data(), "string"))
            else:
                arguments[binding.name] = decode(binding, data, metadata)
        if function.wants_context:
            arguments["context"] = context
        return arguments

    async def _call(self, function: IndexedFunction, arguments: Mapping[str, Any]) -> Any:
        if function.trigger.type == ORCHESTRATION_TRIGGER:
            return await self._in_thread(self._orchestrators, function, arguments)
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                if function.is_async:
                    return await function.call(**arguments)
                return await self._in_thread(self._threads, function, arguments)
        except TimeoutError:
            if limit.expired() and self._timeout is not None:
                raise FunctionTimeout(function.name, self._timeout) from None
            raise

    async def _in_thread(
        self, pool: ThreadPoolExecutor, function: IndexedFunction, arguments: Mapping[str, Any]
    ) -> Any:
        call = partial(contextvars.copy_context().run, partial(function.call, **arguments))
        return await asyncio.get_running_loop().run_in_executor(pool, call)


def _thread_count() -> int:
    configured = os.environ.get(THREADS_SETTING, "")
    if configured.isdecimal() and int(configured) > 0:
        return int(configured)
    return min(32, (os.cpu_count() or 1) + 4)


def _check_result(function: IndexedFunction, result: Any) -> None:
    if result is not None and not function.returns_value:
        raise RuntimeError(
            f"function {function.name!r} without a $return binding returned a non-None value"
        )


def _elapsed(started: float) -> str:
    return f"{(time.monotonic() - started) * 1000:.0f} ms"
