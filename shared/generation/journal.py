"""A shard's journal: an append blob with one record an input row. What is in it is never asked for again.

Answers are appended in batches, every second or every 64 rows, at a position that the writer knows: if somebody else
appended meanwhile, the writer notices and stops, so that no row can stand in a journal twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.core.counters import Counters, total
from shared.core.errors import NotFound
from shared.core.paths import RunPaths, Split
from shared.dataset.rejection import RejectionReason
from shared.generation.answering import Record

if TYPE_CHECKING:
    from shared.core.storage import Storage

FLUSH_SECONDS = 1.0
PUBLISH_SECONDS = 2.0  # as often as progress is looked at, at most
FLUSH_ROWS = 64
MAX_APPEND_BYTES = (
    4 * 1024 * 1024 - 1024
)  # an append block is at most 4 MiB in every service version


Holdout = Callable[
    [int], bool
]  # whether the row of a line is set aside for validation, if it is accepted


def nothing_held_out(line: int) -> bool:
    return False


class Journal:
    """The records of one shard, by line number. Open it with `Journal.open`."""

    def __init__(
        self, storage: Storage, name: str, rows: int, position: int, holdout: Holdout
    ) -> None:
        self._storage = storage
        self._name = name
        self._rows = rows
        self._position = position
        self._holdout = holdout
        self._superseded: list[Record] = []
        self._pending: list[bytes] = []
        self._flushing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._published = time.monotonic()  # when the counters was, last
        self._unpublished = False  # whether it has changed since
        self.records: dict[int, Record] = {}

    @classmethod
    async def open(
        cls, storage: Storage, name: str, rows: int, holdout: Holdout = nothing_held_out
    ) -> Journal:
        """Read what earlier executions wrote (appends are atomic: every line is whole)."""
        position = await storage.journal_position(name)
        journal = cls(storage, name, rows, position, holdout)
        await journal._read(position)
        return journal

    @classmethod
    async def peek(cls, storage: Storage, name: str) -> dict[int, Record]:
        """The records of a journal by line, without making one where there is none."""
        journal = cls(storage, name, rows=0, position=0, holdout=nothing_held_out)
        try:
            await journal._read(None)
        except NotFound:
            return {}
        return journal.records

    async def _read(self, end: int | None) -> None:
        content = b"".join([chunk async for chunk in self._storage.stream(self._name, 0, end)])
        for line in content.splitlines():
            self._take(Record.from_json(line))

    def lacks(self, line: int, round_: int) -> bool:
        """Whether this line is to be asked for: it has no record, or was rejected by the teacher in an earlier round."""
        record = self.records.get(line)
        if record is None:
            return True
        return (
            record.status == "rejected"
            and (record.requests > 0 or record.reason == RejectionReason.SHARD_FAILED)
            and record.round < round_
        )

    def add(self, record: Record) -> None:
        """Take a record; it counts once it is flushed."""
        self._take(record)
        self._pending.append(record.to_json())
        if len(self._pending) >= FLUSH_ROWS:
            self._wake.set()

    async def keep_flushing(self) -> None:
        """Flush every second, or sooner when many rows wait, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                # not wait_for: before Python 3.12 it forgets a cancellation that comes with the wake, and the shard hangs
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            await self.flush(publish=time.monotonic() - self._published >= PUBLISH_SECONDS)

    async def flush(self, *, publish: bool = True) -> None:
        """Append all that is pending, and publish the counters with it unless told otherwise. Raises ShardContended.

        A caller that is cancelled leaves the append to finish: half of one would leave the position unknown.
        """
        flushing = asyncio.ensure_future(self._flush(publish))
        flushing.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(flushing)

    async def _flush(self, publish: bool) -> None:
        async with self._flushing:
            if not self._pending and not (publish and self._unpublished):
                return
            while self._pending:
                batch = self._next_batch()
                await self._storage.append(self._name, batch, self._position)
                self._position += len(batch)
                self._unpublished = True
            if publish:
                await self._publish(sealed=False)

    async def seal(self) -> None:
        """Mark the journal complete. Called last: a sealed journal's blocks are staged."""
        await self._publish(sealed=True)

    def counters(self) -> Counters:
        records = self.records.values()
        paid = [*records, *self._superseded]
        reasons = Counter(record.reason or "" for record in records if record.status == "rejected")
        return Counters(
            rows=self._rows,
            done=len(records),
            accepted=sum(record.status == "accepted" for record in records),
            held_out=sum(
                record.status == "accepted" and self._holdout(record.line) for record in records
            ),
            reused=sum(record.status == "accepted" and record.reused for record in records),
            rejected=dict(sorted(reasons.items())),
            prompt_tokens=sum(record.prompt_tokens for record in paid),
            completion_tokens=sum(record.completion_tokens for record in paid),
            requests=sum(record.requests for record in paid),
            failed=Counter(record.round for record in records if record.was_asked_in_vain),
            samples=sum(record.samples for record in records),
            agreeing=sum(record.agreeing for record in records),
        )

    def _take(self, record: Record) -> None:
        """A line keeps its first record, unless that was a rejection and the line was asked for again in a later round."""
        known = self.records.get(record.line)
        if known is None:
            self.records[record.line] = record
        elif known.status == "rejected" and record.round > known.round:
            self._superseded.append(known)
            self.records[record.line] = record

    def _next_batch(self) -> bytes:
        taken, size = 0, 0
        for line in self._pending:
            if taken and size + len(line) > MAX_APPEND_BYTES:
                break
            taken, size = taken + 1, size + len(line)
        batch = b"".join(self._pending[:taken])
        del self._pending[:taken]
        return batch

    async def _publish(self, *, sealed: bool) -> None:
        self._published, self._unpublished = time.monotonic(), False
        await self._storage.set_metadata(self._name, self.counters().to_metadata(sealed=sealed))


async def split_counters(storage: Storage, paths: RunPaths, split: Split) -> Counters:
    """Return the sum of the counters of a split's journals, sealed or not."""
    counters = Counters()
    async for _, metadata in storage.metadata_under(paths.journals(split)):
        counters = total([counters, Counters.from_metadata(metadata)])
    return counters
