"""A shard's journal: an append blob with one record per input row, which is not asked for again.

Answers are appended in batches, every second or every 64 rows, at a position that the writer knows.
If another execution has appended meanwhile, the writer notices and stops, so no row can be in a
journal twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from shared.core.counters import Counters, bounded_labels, is_sealed, total
from shared.core.errors import NotFound
from shared.core.paths import RunPaths, Split
from shared.dataset.lines import line_batches
from shared.generation.record import Record

if TYPE_CHECKING:
    from shared.core.storage import Storage

FLUSH_SECONDS = 1.0
FLUSH_ROWS = 64
# no more often than progress is read
PUBLISH_SECONDS = 2.0
# an append block has at most 4 MiB in every version of the service
MAX_APPEND_BYTES = 4 * 1024 * 1024 - 1024

# metadata: the settings by which a sealed journal's records were decided
RULE = "rule"

# metadata: the last line of a sealed journal that is needed, where quality.target_rows ends there
LAST_LINE = "last_line"

# far above any record: 16 samples of 131,072 tokens each have 10 MB
MAX_RECORD_BYTES = 256 * 1024 * 1024

# returns whether the row of a line is set aside for validation, if it is accepted
Holdout = Callable[[int], bool]


def nothing_held_out(line: int) -> bool:
    return False


class Journal:
    """The records of one shard, by line number. Open it with `Journal.open`."""

    def __init__(
        self, storage: Storage, name: str, rows: int, position: int, holdout: Holdout
    ) -> None:
        self.records: dict[int, Record] = {}
        self._storage = storage
        self._name = name
        self._rows = rows
        self._position = position
        self._holdout = holdout
        self._superseded: list[Record] = []
        # None while every line is needed
        self._last_line: int | None = None
        # by line, where its records are in the blob
        self._places: dict[int, list[tuple[int, int]]] = {}
        self._pending: list[bytes] = []
        self._flushing = asyncio.Lock()
        self._many_are_pending = asyncio.Event()
        self._published_at = time.monotonic()
        self._has_unpublished = False

    @classmethod
    async def open(
        cls, storage: Storage, name: str, rows: int, holdout: Holdout = nothing_held_out
    ) -> Journal:
        """Open the journal of a shard of so many rows, and read the records of earlier executions.

        Appends are atomic: every line is whole.
        """
        position = await storage.journal_position(name)
        journal = cls(storage, name, rows, position, holdout)
        await journal._read(position)
        return journal

    @classmethod
    async def peek(cls, storage: Storage, name: str, rows: int, holdout: Holdout) -> Journal:
        """Return a journal for reading. If it doesn't exist, it stays so and has no records."""
        journal = cls(storage, name, rows, position=0, holdout=holdout)
        with contextlib.suppress(NotFound):
            await journal._read(None)
        return journal

    def needs_answer(self, line: int, round_: int, *, keeps_failed: bool = False) -> bool:
        """Return whether to ask the teacher for this line in this round.

        A line is asked for if it has no record, or if the teacher failed to answer it in an earlier
        round, or if its answer doesn't pass this round's rule. With `keeps_failed`, the failures of
        earlier rounds are left as they are.
        """
        record = self.records.get(line)
        if record is None:
            return True
        is_left = keeps_failed and record.checked < round_
        return record.is_retryable and record.round < round_ and not is_left

    def counts(self, record: Record) -> bool:
        """Return whether a record counts towards the rows of the training set."""
        return record.status == "accepted" and not self._holdout(record.line)

    def accepted_before(self, round_: int) -> set[int]:
        """Return the lines that rounds before this one accepted, whatever they are now."""
        records = (*self._superseded, *self.records.values())
        return {
            record.line
            for record in records
            if record.status == "accepted" and record.round < round_
        }

    def is_held_out(self, line: int) -> bool:
        return self._holdout(line)

    def limit(self, needed: int) -> None:
        """End what is needed of the shard with the row that completes this number, if any does.

        Records of later lines stay in the journal. They are neither counted nor staged.
        """
        counting = [line for line in sorted(self.records) if self.counts(self.records[line])]
        if needed <= 0:
            self._last_line = 0
        elif needed <= len(counting):
            self._last_line = counting[needed - 1]

    async def restore_limit(self) -> None:
        """End what is needed of the shard where it did when the journal was sealed."""
        async for name, metadata in self._storage.metadata_under(self._name):
            if name == self._name and LAST_LINE in metadata:
                self._last_line = int(metadata[LAST_LINE])

    @property
    def needed_records(self) -> dict[int, Record]:
        """Return the records of the lines that are needed, by line."""
        last = self._last_line
        if last is None:
            return self.records
        return {line: record for line, record in self.records.items() if line <= last}

    def add(self, record: Record) -> None:
        """Add a record; it counts once it is flushed. Its replies stay in the journal alone."""
        self._pending.append(record.to_json())
        self._keep(record)
        if len(self._pending) >= FLUSH_ROWS:
            self._many_are_pending.set()

    async def keep_flushing(self) -> None:
        """Flush every second, or sooner when many rows are pending, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it loses a cancellation that comes together with
                # the event, and the shard hangs.
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._many_are_pending.wait()
            self._many_are_pending.clear()
            await self.flush(publish=time.monotonic() - self._published_at >= PUBLISH_SECONDS)

    async def flush(self, *, publish: bool = True) -> None:
        """Append all pending records, and publish the counts if `publish`. Raises ShardContended.

        If the caller is cancelled, the append still finishes: after half of one, the position would
        be unknown.
        """
        flushing = asyncio.ensure_future(self._flush(publish))
        flushing.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(flushing)

    async def seal(self, rule: str = "") -> None:
        """Mark the journal complete. Called last: a sealed journal's blocks are staged.

        `rule` identifies the settings that all records were decided by.
        """
        await self._publish(sealed=True, rule=rule)

    async def is_sealed_by(self, rule: str) -> bool:
        """Return whether the journal is complete and was last decided by these settings."""
        async for name, metadata in self._storage.metadata_under(self._name):
            if name == self._name:
                return is_sealed(metadata) and metadata.get(RULE) == rule
        return False

    def counters(self) -> Counters:
        """Return the counts of the shard.

        Requests and tokens include superseded records, and those of lines that aren't needed.
        """
        records = self.needed_records.values()
        accepted = [record for record in records if record.status == "accepted"]
        rejected = [record for record in records if record.status == "rejected"]
        held_out = [record for record in accepted if self._holdout(record.line)]
        reasons = Counter(record.reason or "" for record in rejected)
        paid = [*self.records.values(), *self._superseded]
        not_needed = 0
        spare = 0
        if self._last_line is not None:
            not_needed = self._rows - len(records)
            counting = sum(self.counts(record) for record in self.records.values())
            spare = counting - (len(accepted) - len(held_out))
        counters = Counters(
            rows=self._rows,
            done=len(records),
            accepted=len(accepted),
            examples=sum(record.examples for record in accepted),
            held_out=len(held_out),
            held_out_examples=sum(record.examples for record in held_out),
            not_needed=not_needed,
            spare=spare,
            rationalised=sum(record.rationalised for record in accepted),
            reused=sum(record.reused for record in accepted),
            rejected=dict(sorted(reasons.items())),
            prompt_tokens=sum(record.prompt_tokens for record in paid),
            completion_tokens=sum(record.completion_tokens for record in paid),
            requests=sum(record.requests for record in paid),
            failed=Counter(record.round for record in rejected if record.has_failed),
            samples=sum(record.samples for record in records),
            agreeing=sum(record.agreeing for record in records),
            unreadable_references=sum(record.has_unreadable_reference for record in records),
        )
        for record in records:
            if record.agrees is not None:
                counters.count_reference(record.label, agrees=record.agrees)
        counters.labels = bounded_labels(counters.labels)
        for record in accepted:
            counters.count_teacher(record.round, record.model)
        return counters

    async def _read(self, end: int | None) -> None:
        async for place, record in _stored_records(self._storage, self._name, 0, end):
            self._places.setdefault(record.line, []).append(place)
            self._keep(record)

    async def histories(self) -> AsyncIterator[tuple[int, list[Record]]]:
        """Yield each line and its records of earlier executions, with every reply.

        Memory depends on the lines that have several records.
        """
        histories: dict[int, list[Record]] = {}
        end = max((place[1] for places in self._places.values() for place in places), default=0)
        async for _, record in _stored_records(self._storage, self._name, 0, end):
            line = record.line
            history = histories.setdefault(line, [])
            history.append(record)
            if len(history) == len(self._places[line]):
                yield line, histories.pop(line)

    async def history(self, line: int) -> list[Record]:
        """Return the records of a line that earlier executions have written, with every reply."""
        records: list[Record] = []
        for start, end in self._places.get(line, []):
            async for _, record in _stored_records(self._storage, self._name, start, end):
                records.append(record)
        return records

    def _keep(self, record: Record) -> None:
        """Keep the first record of a line, or one that supersedes it."""
        record.forget_replies()
        earlier = self.records.get(record.line)
        if earlier is None:
            self.records[record.line] = record
        elif record.supersedes(earlier):
            self._superseded.append(earlier)
            self.records[record.line] = record

    async def _flush(self, publish: bool) -> None:
        async with self._flushing:
            if not self._pending and not (publish and self._has_unpublished):
                return
            while self._pending:
                batch = self._take_batch()
                await self._storage.append(self._name, batch, self._position)
                self._position += len(batch)
                self._has_unpublished = True
            if publish:
                await self._publish(sealed=False)

    def _take_batch(self) -> bytes:
        """Remove as many pending records as one append may have, at least one, and return them."""
        lines = 0
        size = 0
        for line in self._pending:
            if lines and size + len(line) > MAX_APPEND_BYTES:
                break
            lines += 1
            size += len(line)
        batch = b"".join(self._pending[:lines])
        del self._pending[:lines]
        return batch

    async def _publish(self, *, sealed: bool, rule: str = "") -> None:
        """Write the counts to the journal's metadata, where progress is read."""
        self._published_at = time.monotonic()
        self._has_unpublished = False
        metadata = self.counters().to_metadata(sealed=sealed)
        if rule:
            metadata[RULE] = rule
        if sealed and self._last_line is not None:
            metadata[LAST_LINE] = str(self._last_line)
        await self._storage.set_metadata(self._name, metadata)


async def _stored_records(
    storage: Storage, name: str, start: int, end: int | None
) -> AsyncIterator[tuple[tuple[int, int], Record]]:
    """Yield the records in a part of a journal, each with its place. Raises NotFound."""
    chunks = storage.stream(name, start, end)
    async for lines in line_batches(chunks, offset=start, max_bytes=MAX_RECORD_BYTES):
        for line in lines:
            if line.content:
                yield (line.start, line.end), Record.from_json(line.content)


async def split_counters(storage: Storage, paths: RunPaths, split: Split) -> Counters:
    """Return the sum of the counters of a split's journals, sealed or not."""
    counters = Counters()
    async for _, metadata in storage.metadata_under(paths.journals(split)):
        counters = total([counters, Counters.from_metadata(metadata)])
    return counters
