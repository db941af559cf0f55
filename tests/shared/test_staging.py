"""Fan-in: outputs put together from blocks, in input order, as often as one likes."""

from __future__ import annotations

import base64
import json

from shared.answering import Record
from shared.journal import Journal
from shared.rows import as_jsonl
from shared.staging import block_id, commit_dataset, commit_rejected, sealed_tallies, stage_shard
from tests.shared.conftest import RunFolder, question, questions


async def answered(folder: RunFolder, index: int, *, seal: bool = True, reject: tuple[int, ...] = ()) -> None:
    """A shard whose rows are answered by their line number, those in `reject` rejected."""
    shard = folder.plans["train"].shards[index]
    journal = await Journal.open(folder.storage, folder.paths.journal("train", index), shard.rows)
    for line in range(shard.first_line, shard.first_line + shard.rows):
        record = Record(line, status="accepted", answers=[str(line)])
        if line in reject:
            record.status, record.reason = "rejected", "empty"
        journal.add(record)
    await journal.flush()
    await stage_shard(folder.storage, folder.spec, folder.paths, "train", index, shard, journal.records, {})
    if seal:
        await journal.seal()


async def commit(folder: RunFolder) -> list[str]:
    """The answers in the training set, as committed now."""
    await commit_dataset(folder.storage, folder.spec, folder.paths, "train")
    rows = (await folder.text(folder.paths.dataset("train"))).splitlines()
    return [json.loads(row)["messages"][-1]["content"] for row in rows]


def test_block_ids_are_of_one_length_and_sort_like_their_shards() -> None:
    ids = [block_id("train", index) for index in (0, 9, 10, 49_999)] + [block_id("validation", 7)]
    assert len({len(one) for one in ids}) == len({len(base64.b64decode(one)) for one in ids}) == 1
    assert len(set(ids)) == len(ids)
    assert [base64.b64decode(one) for one in ids[:4]] == sorted(base64.b64decode(one) for one in ids[:4])


async def test_blocks_are_committed_in_the_order_of_their_shards(folder: RunFolder) -> None:
    await folder.add(questions(13))
    for index in (2, 0, 1):
        await answered(folder, index)
    assert await commit(folder) == [str(line) for line in range(1, 14)]


async def test_committing_again_changes_nothing(folder: RunFolder) -> None:
    await folder.add(questions(7))
    for index in (0, 1):
        await answered(folder, index)
    first = await commit(folder)
    before = await folder.text(folder.paths.dataset("train"))
    assert await commit(folder) == first
    assert await folder.text(folder.paths.dataset("train")) == before


async def test_a_shard_staged_twice_is_in_the_output_once(folder: RunFolder) -> None:
    await folder.add(questions(7))
    for index in (0, 1, 0, 1):
        await answered(folder, index)
    assert len(await commit(folder)) == 7


async def test_staging_after_the_commit_neither_adds_nor_loses_rows(folder: RunFolder) -> None:
    await folder.add(questions(7))
    for index in (0, 1):
        await answered(folder, index)
    await commit(folder)
    await answered(folder, 0)
    assert len((await folder.text(folder.paths.dataset("train"))).splitlines()) == 7
    assert len(await commit(folder)) == 7


async def test_only_sealed_shards_are_in_the_output(folder: RunFolder) -> None:
    await folder.add(questions(7))
    await answered(folder, 0)
    await answered(folder, 1, seal=False)
    assert list(await sealed_tallies(folder.storage, folder.paths, "train")) == [0]
    assert await commit(folder) == ["1", "2", "3", "4", "5"]


async def test_a_shard_without_an_accepted_row_leaves_no_block(folder: RunFolder) -> None:
    await folder.add(questions(7))
    await answered(folder, 0, reject=(1, 2, 3, 4, 5))
    await answered(folder, 1)
    assert await commit(folder) == ["6", "7"]


async def test_rejected_rows_of_all_splits_are_one_list(folder: RunFolder) -> None:
    await folder.add(questions(6))
    for index in (0, 1):
        await answered(folder, index, reject=(2, 6))
    await commit_rejected(folder.storage, folder.spec, folder.paths, ["train"])
    rows = [json.loads(line) for line in (await folder.text(folder.paths.rejected)).splitlines()]
    assert [(row["split"], row["line"], row["reason"]) for row in rows] == [
        ("train", 2, "empty"),
        ("train", 6, "empty"),
    ]


async def test_unusual_text_reaches_the_student_as_it_was(folder: RunFolder) -> None:
    text = 'ü😀 "quoted" \\ back\nslash\u2028 and \u0001'
    await folder.add(as_jsonl([question(text)]))
    await answered(folder, 0)
    await commit_dataset(folder.storage, folder.spec, folder.paths, "train")
    written = await folder.text(folder.paths.dataset("train"))
    assert written.count("\n") == 1
    assert json.loads(written)["messages"][0]["content"] == text
