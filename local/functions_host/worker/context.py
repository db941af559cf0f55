"""The invocation context that the built-in worker gives to a function that declares `context`."""

from __future__ import annotations

import threading
from typing import Any

import azure.functions as func

from local.functions_host.worker.messages import InvocationRequest


class InvocationContext(func.Context):
    """One invocation of one function."""

    _thread_local = threading.local()

    def __init__(self, request: InvocationRequest, name: str, directory: str) -> None:
        self._request = request
        self._name = name
        self._directory = directory

    @property
    def invocation_id(self) -> str:
        return self._request.invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return self._thread_local

    @property
    def function_name(self) -> str:
        return self._name

    @property
    def function_directory(self) -> str:
        return self._directory

    @property
    def trace_context(self) -> Any:
        return self._request.trace_context

    @property
    def retry_context(self) -> Any:
        return self._request.retry_context
