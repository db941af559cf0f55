"""Workers that share one stream of items, hired one by one as there is room for their work: tasks never number rows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Hire = Callable[[], None]


class Crew(Generic[Item]):
    """At most `most` workers, each of which takes the next item when it has done one. Begins with one; `hire` adds another."""

    def __init__(
        self,
        batches: AsyncIterator[Sequence[Item]],
        do: Callable[[Item], Awaitable[None]],
        most: int,
    ) -> None:
        self._batches, self._do, self._most = batches, do, most
        self._ahead: deque[Item] = deque()
        self._turn = asyncio.Lock()  # an async generator can be advanced by one task at a time
        self._group: asyncio.TaskGroup | None = None  # None: nobody is hired any more
        self._hired = self._done = 0
        self._all_done = asyncio.Event()

    async def work(self) -> None:
        """Until every item is done. The first exception of a worker ends all, as an exception group."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self.hire()
                await self._all_done.wait()
            finally:
                self._group = None

    def hire(self) -> None:
        """One worker more, if there may be."""
        if self._group is not None and self._hired < self._most:
            self._hired += 1
            self._group.create_task(self._work())

    async def _work(self) -> None:
        try:
            while True:
                if not self._ahead:
                    await self._read_ahead()
                if not self._ahead:
                    break
                await self._do(self._ahead.popleft())
        except BaseException:
            self._group = None
            raise
        self._done += 1
        if self._done == self._hired:
            self._all_done.set()

    async def _read_ahead(self) -> None:
        async with self._turn:
            while not self._ahead:  # else another worker has read meanwhile
                batch = await anext(self._batches, None)
                if batch is None:
                    return
                self._ahead.extend(batch)
