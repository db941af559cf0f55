"""One client for all who use it at the same time on an event loop: activities that run together share connections.

Opened by the first, closed when the last one leaves, so that nothing lingers in a worker that has nothing to do.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class _Entry:
    def __init__(self) -> None:
        self.users = 0
        self.opening = asyncio.Lock()
        self.context: AbstractAsyncContextManager[Any] | None = None
        self.value: Any = None


_entries: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Entry]] = (
    weakref.WeakKeyDictionary()
)


@asynccontextmanager
async def shared(
    key: Hashable, open_: Callable[[], AbstractAsyncContextManager[T]]
) -> AsyncGenerator[T]:
    """What `open_` gives, the same for everyone who names this key meanwhile. Raises what opening raises, to each anew."""
    entries = _entries.setdefault(asyncio.get_running_loop(), {})
    entry = entries.setdefault(key, _Entry())
    entry.users += 1
    try:
        async with entry.opening:
            if entry.context is None:
                context = open_()
                entry.value = await context.__aenter__()
                entry.context = context
        yield entry.value
    finally:
        entry.users -= 1
        if not entry.users:
            entries.pop(key, None)
            if entry.context is not None:
                await entry.context.__aexit__(None, None, None)
