"""Requests in flight, bounded for a whole worker process: all shards in it share one limiter for each teacher.

A 429 pauses everyone until the moment the teacher named, so that one refusal is not followed by as many as there are rows.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Limiter:
    """At most `ceiling` requests in flight, none before the pause is over."""

    def __init__(self, ceiling: int) -> None:
        self._semaphore = asyncio.Semaphore(ceiling)
        self._not_before = 0.0

    def pause(self, seconds: float) -> None:
        """Let no request begin for this long; a shorter pause never shortens a longer one."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """A place for one request, once there is one."""
        async with self._semaphore:
            while (wait := self._not_before - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            yield


_limiters: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Limiter]] = (
    weakref.WeakKeyDictionary()
)


def process_limiter(base_url: str, ceiling: int) -> Limiter:
    """The limiter that everyone on this event loop shares for one teacher and ceiling."""
    limiters = _limiters.setdefault(asyncio.get_running_loop(), {})
    return limiters.setdefault((base_url, ceiling), Limiter(ceiling))
