"""Workers that share one stream of items, so that there are never as many tasks as rows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class WorkerPool(Generic[Item]):
    """At most `max_workers` workers, each of which takes the next item when it has done one.

    `run` begins with one worker; `add_worker` adds another.
    """

    def __init__(
        self,
        batches: AsyncIterator[Sequence[Item]],
        process: Callable[[Item], Awaitable[None]],
        max_workers: int,
    ) -> None:
        self._batches = batches
        self._process = process
        self._max_workers = max_workers
        self._read_items: deque[Item] = deque()
        # an async generator can be advanced by one task at a time
        self._reading = asyncio.Lock()
        # None while no worker can be added
        self._group: asyncio.TaskGroup | None = None
        self._workers = 0
        self._finished_workers = 0
        self._all_finished = asyncio.Event()

    async def run(self) -> None:
        """Process every item. The first exception of a worker ends all, as an exception group."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self.add_worker()
                await self._all_finished.wait()
            finally:
                self._group = None

    def add_worker(self) -> None:
        """Add a worker, unless there are enough or the pool has ended."""
        if self._group is not None and self._workers < self._max_workers:
            self._workers += 1
            self._group.create_task(self._process_items())

    async def _process_items(self) -> None:
        try:
            while True:
                if not self._read_items:
                    await self._read_batch()
                if not self._read_items:
                    break
                await self._process(self._read_items.popleft())
        except BaseException:
            self._group = None
            raise
        self._finished_workers += 1
        if self._finished_workers == self._workers:
            self._all_finished.set()

    async def _read_batch(self) -> None:
        """Read the next batch that has items, unless another worker has meanwhile."""
        async with self._reading:
            while not self._read_items:
                batch = await anext(self._batches, None)
                if batch is None:
                    return
                self._read_items.extend(batch)
