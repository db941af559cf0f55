"""The interface between host and worker, and the choice of the worker."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

from local.functions_host.worker.messages import (
    InvocationRequest,
    InvocationResponse,
    RpcException,
    RpcFunctionMetadata,
)

MODULE = "function_app"
MICROSOFT_SINCE = (3, 13)
log = logging.getLogger(__name__)


class LoadFailed(Exception):
    """The app cannot be loaded; `exception` is as the worker reports it."""

    def __init__(self, exception: RpcException) -> None:
        super().__init__(exception.message)
        self.exception = exception


class Worker(Protocol):
    """Imports an app and calls its functions.

    `description` is for the log. `invocation_id` holds, in whatever runs for an invocation, the
    invocation's id.
    """

    description: str
    invocation_id: ContextVar[str | None]

    async def load(
        self, app_dir: Path, environment: Mapping[str, str]
    ) -> list[RpcFunctionMetadata]:
        """Become the worker of this app and return its functions. Raises LoadFailed.

        As on Flex Consumption, where a worker starts as a placeholder: `os.environ` becomes the
        app's settings, and the app's folder becomes the working directory.
        """
        ...

    async def invoke(self, request: InvocationRequest) -> InvocationResponse:
        """Call a function. What it raises is in the response."""
        ...

    def close(self) -> None:
        """Start nothing more. Threads that a function still holds end with the process."""
        ...


def report(error: BaseException) -> RpcException:
    """Return an exception as a worker reports it."""
    return RpcException(
        message=f"{type(error).__name__}: {error}",
        stack_trace="".join(traceback.format_exception(error)),
    )


def choose_worker() -> Worker:
    """Return Microsoft's runtime from Python 3.13 on, the built-in worker otherwise."""
    if sys.version_info >= MICROSOFT_SINCE:
        from local.functions_host.worker.microsoft import MicrosoftWorker

        try:
            return MicrosoftWorker()
        except ModuleNotFoundError:
            log.warning(
                "azure-functions-runtime is not installed, so the built-in worker runs the"
                " functions: install local/requirements.txt to run them as Azure does"
            )
    from local.functions_host.worker.builtin import BuiltinWorker

    return BuiltinWorker()
