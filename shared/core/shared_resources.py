"""One client for everyone who uses it at the same time: activities that run together share it.

A resource is opened for its first user and closed when the last one leaves, so an idle worker keeps
no connections.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from shared.core.process import current

T = TypeVar("T")


class _Entry:
    def __init__(self) -> None:
        self.users = 0
        self.opening = asyncio.Lock()
        self.context: AbstractAsyncContextManager[Any] | None = None
        self.value: Any = None


class SharedResources:
    """The open resources of a process, by event loop and key."""

    def __init__(self) -> None:
        self._loops: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[Hashable, _Entry]
        ] = weakref.WeakKeyDictionary()

    @asynccontextmanager
    async def open(
        self, key: Hashable, open_resource: Callable[[], AbstractAsyncContextManager[T]]
    ) -> AsyncGenerator[T]:
        """Yield the resource with this key, opening it if nobody uses it yet.

        An error while opening is raised, and the next user tries again.
        """
        entries = self._loops.setdefault(asyncio.get_running_loop(), {})
        entry = entries.setdefault(key, _Entry())
        entry.users += 1
        try:
            async with entry.opening:
                if entry.context is None:
                    context = open_resource()
                    entry.value = await context.__aenter__()
                    entry.context = context
            yield entry.value
        finally:
            entry.users -= 1
            if not entry.users:
                entries.pop(key, None)
                if entry.context is not None:
                    await entry.context.__aexit__(None, None, None)


def shared(
    key: Hashable, open_resource: Callable[[], AbstractAsyncContextManager[T]]
) -> AbstractAsyncContextManager[T]:
    """Open a resource of this process; see `SharedResources.open`."""
    return current().part(SharedResources).open(key, open_resource)
