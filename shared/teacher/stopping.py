"""Stopping a client: nothing more is sent, and what is in flight goes on.

Every wait before a request (for its turn, after a failure, for the budget) is one that `stop` ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


class NotSent(Exception):
    """The client was stopped before this request was sent. Its row stays without an answer."""


class StoppableWaits:
    """The tasks that wait for something before they send a request."""

    def __init__(self) -> None:
        self._is_stopped = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def stop(self) -> None:
        """End all waits, and let none begin."""
        self._is_stopped = True
        tasks = list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            task.cancel()

    @contextmanager
    def waiting(self) -> Generator[None]:
        """Wait within this context. Raises NotSent once the client is stopped."""
        if self._is_stopped:
            raise NotSent
        task = asyncio.current_task()
        assert task is not None, "requests are sent by tasks"
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # Only `stop` takes a task out. Another cancellation at the same time prevails.
            is_ended_by_stop = task not in self._tasks and task.uncancel() == 0
            if is_ended_by_stop:
                raise NotSent from None
            raise
        finally:
            self._tasks.discard(task)
