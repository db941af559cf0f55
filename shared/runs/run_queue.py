"""The queue of runs: at most MAX_ACTIVE_RUNS are at work, and the others wait in order of start.

One small blob holds the queue. A run that has to wait is in the list `waiting`; a run that ends
frees its slot, and the first waiting run gets it, and an event that says so. An event is only a
hint to look at the queue: a run that missed it finds its turn at its next look. Slots belong to
runs that live, so nobody has to clean up after a run that was terminated or purged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, Field

from shared.core.paths import RUN_QUEUE
from shared.core.shared_document import SharedDocument
from shared.runs.contracts import Event, TurnRequest
from shared.runs.control import StatusReader, runtime_status
from shared.runs.status import InstanceState, RunState
from shared.runs.view import QueuePlace, RunView

if TYPE_CHECKING:
    from shared.core.storage import Storage

log = logging.getLogger(__name__)


class QueuedRun(BaseModel):
    """A round of a run that is at work, or waits."""

    run_id: str
    round: int
    started: datetime
    """When the round was started: runs wait in this order."""
    has_begun: bool = False
    """Whether the run knows that it is its turn."""


class RunQueue(BaseModel):
    """Runs at work, and runs that wait."""

    active: list[QueuedRun] = Field(default_factory=list[QueuedRun])
    waiting: list[QueuedRun] = Field(default_factory=list[QueuedRun])

    def join(self, run: QueuedRun) -> None:
        """Add a run unless it is there. What is left of its other rounds is removed."""
        listed = [other for other in (*self.active, *self.waiting) if other.run_id == run.run_id]
        if any(other.round == run.round for other in listed):
            return
        for other in listed:
            self.remove(other.run_id, other.round)
        self.waiting.append(run)
        self.waiting.sort(key=lambda waiting: (waiting.started, waiting.run_id))

    def remove(self, run_id: str, round_: int) -> None:
        """Remove a run, whether it works or waits."""
        self.active = [run for run in self.active if (run.run_id, run.round) != (run_id, round_)]
        self.waiting = [run for run in self.waiting if (run.run_id, run.round) != (run_id, round_)]

    def forget(self, run_id: str) -> None:
        """Remove every round of a run."""
        self.active = [run for run in self.active if run.run_id != run_id]
        self.waiting = [run for run in self.waiting if run.run_id != run_id]

    def begin(self, run_id: str) -> int:
        """Return the place of a run, 0 if it is its turn, and note that it knows."""
        for run in self.active:
            if run.run_id == run_id:
                run.has_begun = True
                return 0
        return [run.run_id for run in self.waiting].index(run_id) + 1

    def place(self, run_id: str) -> QueuePlace | None:
        """Return the place of a waiting run, None for any other run."""
        for number, run in enumerate(self.waiting, 1):
            if run.run_id == run_id:
                return QueuePlace(place=number, waiting=len(self.waiting), active=len(self.active))
        return None


class Life(Enum):
    """What the queue has to know of an orchestration."""

    RUNNING = auto()
    SUSPENDED = auto()
    OVER = auto()
    """It has ended, or there is none."""


async def fill_slots(
    queue: RunQueue, limit: float, life_of: Callable[[str], Awaitable[Life]]
) -> None:
    """Free the slots of runs that no longer live, and give free ones to the first waiting runs.

    Suspended runs keep the slot or the place that they have; their turn passes to the next run.
    """
    if not queue.waiting:
        return
    if len(queue.active) >= limit:
        queue.active = [run for run in queue.active if await life_of(run.run_id) is not Life.OVER]
    for run in list(queue.waiting):
        if len(queue.active) >= limit:
            return
        life = await life_of(run.run_id)
        if life is Life.SUSPENDED:
            continue
        queue.waiting.remove(run)
        if life is Life.RUNNING:
            queue.active.append(run)


class QueueClient(StatusReader, Protocol):
    """What the queue uses of Durable's client."""

    @property
    def raise_event(self) -> Callable[..., Awaitable[None]]: ...


class StoredQueue:
    """The queue in the storage account. `limit` is MAX_ACTIVE_RUNS, None without a limit."""

    def __init__(self, storage: Storage, client: QueueClient, limit: int | None) -> None:
        self._document = SharedDocument(storage, RUN_QUEUE, RunQueue)
        self._client = client
        self._limit = float("inf") if limit is None else limit

    async def take_turn(self, request: TurnRequest) -> int:
        """Return the place of a run, which joins the queue if it isn't there: 0 is its turn."""

        async def change(queue: RunQueue) -> int:
            queue.join(QueuedRun(**request.model_dump()))
            await fill_slots(queue, self._limit, life_of)
            return queue.begin(request.run_id)

        async def life_of(run_id: str) -> Life:
            # the run that looks lives, whatever its status says by now
            return Life.RUNNING if run_id == request.run_id else await self._life_of(run_id)

        return await self._change(change)

    async def leave(self, request: TurnRequest) -> None:
        """Free the slot or the place of a run that ends."""

        async def change(queue: RunQueue) -> None:
            queue.remove(request.run_id, request.round)
            await fill_slots(queue, self._limit, self._life_of)

        await self._change(change)

    async def _change(self, change: Callable[[RunQueue], Awaitable[Any]]) -> Any:
        """Change the queue, then tell those whose turn it is and who don't know it yet."""
        uninformed: list[str] = []

        async def noting(queue: RunQueue) -> Any:
            result = await change(queue)
            uninformed[:] = [run.run_id for run in queue.active if not run.has_begun]
            return result

        result = await self._document.change(noting)
        for run_id in uninformed:
            await self._tell(run_id)
        return result

    async def _tell(self, run_id: str) -> None:
        try:
            await self._client.raise_event(run_id, Event.TURN)
        except Exception as error:  # Durable's client has no types; the run looks by itself later
            log.warning("run %s could not be told that it is its turn: %s", run_id, error)

    async def _life_of(self, run_id: str) -> Life:
        """Return whether a run lives. One whose status can't be read keeps what it has."""
        try:
            status = await self._client.get_status(run_id)
        except Exception as error:  # an unreachable task hub ends no run
            log.warning("the status of %s could not be read: %s", run_id, error)
            return Life.SUSPENDED
        runtime = runtime_status(status)
        if not runtime or InstanceState.is_over(runtime):
            return Life.OVER
        return Life.SUSPENDED if runtime == InstanceState.SUSPENDED else Life.RUNNING


async def forget_run(storage: Storage, run_id: str) -> None:
    """Remove what a run that ended badly has left in the queue.

    Waiting runs find its slot at their next look.
    """

    async def change(queue: RunQueue) -> None:
        queue.forget(run_id)

    await SharedDocument(storage, RUN_QUEUE, RunQueue).change(change)


class QueuePlaces:
    """Shows the places of queued runs, from one reading of the queue."""

    def __init__(self, storage: Storage) -> None:
        self._document = SharedDocument(storage, RUN_QUEUE, RunQueue)
        self._queue: RunQueue | None = None
        self._reading = asyncio.Lock()

    async def show(self, view: RunView) -> None:
        """Show the place of a run that waits."""
        if view.status is not RunState.QUEUED:
            return
        async with self._reading:
            if self._queue is None:
                self._queue = await self._document.read()
        view.queue = self._queue.place(view.id)
