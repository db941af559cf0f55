"""Workers that share one stream of items, so that there are never as many tasks as rows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class WorkerPool(Generic[Item]):
    """At most `max_workers` workers, each of which takes the next item when it has done one.

    `run` begins with one worker; `add_worker` adds another. Once the pool is stopped, or a worker
    has raised, no further item is taken: the others finish theirs, for `stop_seconds` at most.
    """

    def __init__(
        self,
        batches: AsyncIterator[Sequence[Item]],
        process: Callable[[Item], Awaitable[None]],
        max_workers: int,
        stop_seconds: float = 0,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._batches = batches
        self._process = process
        self._max_workers = max_workers
        self._stop_seconds = stop_seconds
        self._on_stop = on_stop
        self._read_items: deque[Item] = deque()
        # an async generator can be advanced by one task at a time
        self._reading = asyncio.Lock()
        self._workers: list[asyncio.Task[None]] = []
        self._readers: set[asyncio.Task[Any]] = set()
        self._is_open = False
        self._finished_workers = 0
        self._failures: list[Exception] = []
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Process every item, or those of which the processing has begun when the pool is stopped.

        Raises what workers have raised, as an exception group.
        """
        self._is_open = True
        self.add_worker()
        try:
            await self._ending.wait()
            await asyncio.wait(self._workers, timeout=self._stop_seconds)
        finally:
            self._is_open = False
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
        if self._failures:
            raise ExceptionGroup("workers failed", self._failures)

    def stop(self) -> None:
        """Take no further item, and call `on_stop`. Nothing happens once the pool has ended."""
        if self._is_open:
            self._is_open = False
            self._on_stop()
            for reader in self._readers:
                reader.cancel()
            self._ending.set()

    def add_worker(self) -> None:
        """Add a worker, unless there are enough or the pool has ended."""
        if self._is_open and len(self._workers) < self._max_workers:
            self._workers.append(asyncio.create_task(self._process_items()))

    async def _process_items(self) -> None:
        try:
            while self._is_open:
                if not self._read_items:
                    await self._read_batch()
                if not self._read_items or not self._is_open:
                    break
                await self._process(self._read_items.popleft())
        except Exception as failure:
            self._failures.append(failure)
            self.stop()
        finally:
            self._finished_workers += 1
            if self._finished_workers == len(self._workers):
                self._ending.set()

    async def _read_batch(self) -> None:
        """Read the next batch that has items, unless another worker has meanwhile."""
        reader = asyncio.current_task()
        assert reader is not None, "workers are tasks"
        self._readers.add(reader)
        try:
            async with self._reading:
                while not self._read_items:
                    batch = await anext(self._batches, None)
                    if batch is None:
                        return
                    self._read_items.extend(batch)
        finally:
            self._readers.discard(reader)
