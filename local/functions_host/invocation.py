"""Have the worker call the app's functions, each within functionTimeout, and log every call."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from uuid import uuid4

from local.functions_host.errors import FunctionFailed, FunctionTimeout
from local.functions_host.functions import DURABLE_CLIENT, ORCHESTRATION_TRIGGER, IndexedFunction
from local.functions_host.worker.messages import (
    InvocationRequest,
    InvocationResponse,
    ParameterBinding,
    RetryContext,
    RpcTraceContext,
    StatusResult,
    TypedData,
)
from local.functions_host.worker.worker import Worker

log = logging.getLogger(__name__)


class Invoker:
    """Invoke functions. `client_data` returns the durable client binding's data, as JSON text."""

    def __init__(
        self, worker: Worker, function_timeout: float | None, client_data: Callable[[], str]
    ) -> None:
        self._worker = worker
        self._timeout = function_timeout
        self._client_data = client_data

    @property
    def worker(self) -> str:
        """Which worker runs the functions, for the log."""
        return self._worker.description

    async def invoke(
        self,
        function: IndexedFunction,
        data: TypedData,
        metadata: Mapping[str, TypedData] | None = None,
        *,
        reason: str,
        attempt: int = 1,
    ) -> TypedData | None:
        """Call the function with the trigger's data and return what it returned.

        Raises FunctionFailed, FunctionTimeout.
        """
        request = InvocationRequest(
            invocation_id=str(uuid4()),
            function_id=function.id,
            input_data=self._inputs(function, data),
            trigger_metadata=dict(metadata or {}),
            trace_context=_trace_context(),
            retry_context=RetryContext(retry_count=attempt - 1),
        )
        # orchestrators run at every step of their replay: a line for each would drown the rest
        level = logging.DEBUG if function.trigger.type == ORCHESTRATION_TRIGGER else logging.INFO
        log.log(level, "executing %s (%s, id %s)", function.name, reason, request.invocation_id)
        started = time.monotonic()
        outcome = "cancelled"
        try:
            response = await self._call(function, request)
            outcome = "succeeded"
            return _return_value(response)
        except FunctionFailed as error:
            outcome = f"failed: {error.kind}"
            raise
        finally:
            elapsed = (time.monotonic() - started) * 1000
            log.log(level, "executed %s (%s, %.0f ms)", function.name, outcome, elapsed)

    def _inputs(self, function: IndexedFunction, data: TypedData) -> list[ParameterBinding]:
        inputs: list[ParameterBinding] = []
        for binding in function.inputs:
            value = data
            if binding.type == DURABLE_CLIENT:
                value = TypedData(string=self._client_data())
            inputs.append(ParameterBinding(name=binding.name, data=value))
        return inputs

    async def _call(
        self, function: IndexedFunction, request: InvocationRequest
    ) -> InvocationResponse:
        token = self._worker.invocation_id.set(request.invocation_id)
        is_orchestrator = function.trigger.type == ORCHESTRATION_TRIGGER
        try:
            async with asyncio.timeout(None if is_orchestrator else self._timeout):
                return await self._worker.invoke(request)
        except TimeoutError:
            raise FunctionTimeout(function.name, self._timeout or 0.0) from None
        finally:
            self._worker.invocation_id.reset(token)


def _trace_context() -> RpcTraceContext:
    """Return a new W3C trace context: callers' traces do not reach this host."""
    return RpcTraceContext(trace_parent=f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01")


def _return_value(response: InvocationResponse) -> TypedData | None:
    exception = response.result.exception
    if response.result.status != StatusResult.Success and exception is not None:
        raise FunctionFailed(exception.message, exception.stack_trace)
    return response.return_value
