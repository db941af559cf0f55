"""The invocation context that a function gets when it declares a parameter `context: func.Context`."""

from __future__ import annotations

import secrets
import threading
from typing import Any
from uuid import uuid4

import azure.functions as func


class TraceContext:
    """A W3C trace context of its own for each invocation: no caller's trace reaches this host."""

    def __init__(self) -> None:
        self.trace_parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        self.trace_state = ""
        self.attributes: dict[str, str] = {}


class RetryContext:
    """How often this event was tried before."""

    def __init__(self, retry_count: int, max_retry_count: int) -> None:
        self.retry_count = retry_count
        self.max_retry_count = max_retry_count
        self.exception: Any = None


class InvocationContext(func.Context):
    """One invocation of one function."""

    _thread_local = threading.local()

    def __init__(
        self, name: str, directory: str, retry_count: int = 0, max_retry_count: int = 0
    ) -> None:
        self._invocation_id = str(uuid4())
        self._name, self._directory = name, directory
        self._trace_context = TraceContext()
        self._retry_context = RetryContext(retry_count, max_retry_count)

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

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
        return self._trace_context

    @property
    def retry_context(self) -> Any:
        return self._retry_context
