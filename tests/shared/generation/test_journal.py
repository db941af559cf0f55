"""A shard's journal on real storage: what is in it stays in it, once, whoever else writes."""

from __future__ import annotations

import asyncio

import pytest

from shared.core.counters import Counters, is_sealed
from shared.core.errors import ShardContended
from shared.dataset.rejection import RejectionReason
from shared.generation import journal as module
from shared.generation.journal import FLUSH_ROWS, Journal
from shared.generation.record import Record
from tests.shared.conftest import RunFolder


def accepted(line: int, text: str = "5") -> Record:
    return Record(
        line=line,
        status="accepted",
        answers=[text],
        requests=2,
        prompt_tokens=10,
        completion_tokens=3,
    )


def refused(line: int, reason: RejectionReason = RejectionReason.TIMEOUT) -> Record:
    return Record(line=line, status="rejected", reason=reason, detail="no reply", requests=1)


async def opened(folder: RunFolder, rows: int = 5) -> Journal:
    return await Journal.open(folder.storage, folder.paths.journal("train", 0), rows)


async def metadata(folder: RunFolder) -> dict[str, str]:
    listed = folder.storage.metadata_under(folder.paths.journals("train"))
    ((_, found),) = [entry async for entry in listed]
    return found


async def test_a_journal_that_is_opened_again_has_every_flushed_record(folder: RunFolder) -> None:
    first = await opened(folder)
    records = [accepted(3, "line one\nline two\u2028\u0085end"), refused(1), accepted(2, "ü😀")]
    for record in records:
        first.add(record)
    await first.flush()
    assert (await opened(folder)).records == {record.line: record for record in records}


async def test_what_was_not_flushed_is_not_there(folder: RunFolder) -> None:
    (await opened(folder)).add(accepted(1))
    assert (await opened(folder)).records == {}


async def test_records_are_flushed_after_a_moment_or_when_many_wait(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 60.0)
    many = await opened(folder, 500)
    keeper = asyncio.create_task(many.keep_flushing())
    for line in range(FLUSH_ROWS):
        many.add(accepted(line))
    async with asyncio.timeout(20):
        while len((await opened(folder, 500)).records) < FLUSH_ROWS:
            await asyncio.sleep(0.01)
    keeper.cancel()
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.05)
    few = await opened(folder, 500)
    keeper = asyncio.create_task(few.keep_flushing())
    few.add(accepted(999))
    async with asyncio.timeout(20):
        while 999 not in (await opened(folder, 500)).records:
            await asyncio.sleep(0.01)
    keeper.cancel()


async def test_a_writer_that_is_not_alone_stops_and_doubles_nothing(folder: RunFolder) -> None:
    one, other = await opened(folder), await opened(folder)
    one.add(accepted(1, "from one"))
    await one.flush()
    other.add(accepted(1, "from the other"))
    with pytest.raises(ShardContended):
        await other.flush()
    assert (await opened(folder)).records[1].answers == ["from one"]


async def test_of_two_records_for_one_row_the_first_counts(folder: RunFolder) -> None:
    content = b"".join(record.to_json() for record in (accepted(1, "first"), accepted(1, "second")))
    name = folder.paths.journal("train", 0)
    await folder.storage.append(name, content, await folder.storage.journal_position(name))
    again = await opened(folder)
    assert (again.records[1].answers, again.counters().done) == (["first"], 1)


async def test_large_answers_are_appended_in_blocks_that_the_service_takes(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_APPEND_BYTES", 1000)
    sizes: list[int] = []
    append = folder.storage.append

    async def noted(name: str, data: bytes, position: int) -> None:
        sizes.append(len(data))
        await append(name, data, position)

    monkeypatch.setattr(folder.storage, "append", noted)
    journal = await opened(folder, 40)
    for line in range(40):
        journal.add(accepted(line, "x" * (5000 if line == 7 else 100)))
    await journal.flush()
    assert len((await opened(folder, 40)).records) == 40
    assert sorted(sizes)[-2] <= 1000 < max(sizes) < 6000


async def test_a_writer_whose_flush_is_cancelled_half_way_still_knows_where_it_is(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, appended = folder.storage.append, asyncio.Event()

    async def answered_late(name: str, data: bytes, position: int) -> None:
        await append(name, data, position)
        appended.set()
        await asyncio.sleep(0.05)

    monkeypatch.setattr(folder.storage, "append", answered_late)
    journal = await opened(folder)
    journal.add(accepted(1))
    flushing = asyncio.create_task(journal.flush())
    await appended.wait()
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    journal.add(accepted(2))
    await journal.flush()
    assert set((await opened(folder)).records) == {1, 2}


async def test_the_counters_are_published_with_every_flush_and_sealed_at_the_end(
    folder: RunFolder,
) -> None:
    journal = await opened(folder, 3)
    for record in (accepted(1), refused(2), refused(3, RejectionReason.EMPTY)):
        journal.add(record)
    await journal.flush()
    published = await metadata(folder)
    counters = Counters.from_metadata(published)
    assert (counters.rows, counters.done, counters.accepted, counters.rejected) == (
        3,
        3,
        1,
        {"empty": 1, "timeout": 1},
    )
    assert (counters.requests, counters.prompt_tokens, counters.completion_tokens) == (4, 10, 3)
    assert (is_sealed(published), counters.shards_done) == (False, 0)
    await journal.seal()
    assert is_sealed(await metadata(folder))
    assert Counters.from_metadata(await metadata(folder)).shards_done == 1


async def test_rows_that_an_earlier_run_answered_are_counted_apart(folder: RunFolder) -> None:
    journal = await opened(folder, 3)
    reused = [accepted(1), accepted(2), refused(3, RejectionReason.TOO_LONG)]
    for record in reused:
        record.reused, record.requests = record.line != 2, 0
        journal.add(record)
    await journal.flush()
    counters = Counters.from_metadata(await metadata(folder))
    assert (counters.accepted, counters.reused, counters.rejected_rows) == (2, 1, 1)


async def test_an_empty_flush_writes_nothing(folder: RunFolder) -> None:
    journal = await opened(folder)
    await journal.flush()
    assert await metadata(folder) == {}
