from __future__ import annotations

import asyncio

from shared.generation.journal import FLUSH_ROWS, Journal
from shared.generation.record import Record
from tests.shared.conftest import RunFolder


async def test_flushing_ends_when_it_is_cancelled_at_the_very_moment_of_a_wake(
    folder: RunFolder,
) -> None:
    journal = await Journal.open(folder.storage, folder.paths.journal("train", 0), rows=FLUSH_ROWS)
    flushing = asyncio.create_task(journal.keep_flushing())
    await asyncio.sleep(0.05)
    for line in range(1, FLUSH_ROWS + 1):
        journal.add(Record(line=line, status="accepted", answers=["1"]))
    flushing.cancel()
    done, _ = await asyncio.wait([flushing], timeout=5)
    assert done == {flushing}
