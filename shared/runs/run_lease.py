"""The lease of a run's request: whoever resumes or deletes the run is the only one to do so."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shared.core.errors import ErrorCode, NotFound, PermanentError
from shared.core.paths import RunPaths

if TYPE_CHECKING:
    from shared.core.storage import Storage


@asynccontextmanager
async def sole_access(storage: Storage, run_id: str) -> AsyncGenerator[str]:
    """Be the only one that resumes or deletes a run, and give the lease of its request.

    Raises PermanentError if another request does so, NotFound for a run without a request.
    """
    try:
        async with storage.lease(RunPaths(run_id).request) as lease:
            if lease is None:
                message = (
                    f"run {run_id} is being resumed or deleted by another request: look at it in "
                    "a minute"
                )
                raise PermanentError(message, code=ErrorCode.RUN_ACTIVE)
            yield lease
    except NotFound:
        raise NotFound(f"run {run_id} doesn't exist") from None
