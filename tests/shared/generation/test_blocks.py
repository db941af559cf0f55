"""Fan-in: outputs put together from blocks, in input order, as often as one likes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shared.assembly.commit import commit_rejected, sealed
from shared.core.errors import NotFound, Unfinished
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import as_jsonl
from shared.generation.block_ids import block_id
from shared.generation.blocks import Staging
from shared.generation.journal import Journal
from shared.generation.record import Record
from tests.shared.conftest import RunFolder, commit_split, question, questions


def staging_of(folder: RunFolder) -> Staging:
    return Staging(
        folder.storage, folder.spec, folder.paths, "train", len(folder.plans["train"].shards)
    )


async def answered(
    folder: RunFolder, index: int, *, seal: bool = True, reject: tuple[int, ...] = ()
) -> None:
    """A shard whose rows are answered by their line number, those in `reject` rejected."""
    shard = folder.plans["train"].shards[index]
    journal = await Journal.open(folder.storage, folder.paths.journal("train", index), shard.rows)
    for line in range(shard.first_line, shard.first_line + shard.rows):
        record = Record(line, status="accepted", answers=[str(line)])
        if line in reject:
            record.status, record.reason = "rejected", RejectionReason.EMPTY
        journal.add(record)
    await journal.flush()
    await staging_of(folder).stage(index, shard, journal.records, {})
    if seal:
        await journal.seal()


async def commit(folder: RunFolder) -> list[str]:
    """The answers in the training set, as committed now."""
    await commit_split(folder, "train")
    rows = (await folder.text(folder.paths.dataset("train"))).splitlines()
    return [json.loads(row)["messages"][-1]["content"] for row in rows]


def test_block_ids_are_of_one_length_and_sort_like_their_shards() -> None:
    ids = [block_id("train", index) for index in (0, 9, 10, 49_999)] + [block_id("validation", 7)]
    assert len({len(one) for one in ids}) == len({len(base64.b64decode(one)) for one in ids}) == 1
    assert len(set(ids)) == len(ids)
    assert [base64.b64decode(one) for one in ids[:4]] == sorted(
        base64.b64decode(one) for one in ids[:4]
    )


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


async def test_nothing_is_committed_while_a_shard_is_not_complete(folder: RunFolder) -> None:
    await folder.add(questions(7))
    await answered(folder, 0)
    await answered(folder, 1, seal=False)
    assert [index async for index, _ in sealed(folder.storage, folder.paths, "train")] == [0]
    assert (await commit_split(folder))[1] == [1]
    with pytest.raises(NotFound):
        await folder.text(folder.paths.dataset("train"))


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
    await commit_split(folder, "train")
    written = await folder.text(folder.paths.dataset("train"))
    assert written.count("\n") == 1
    assert json.loads(written)["messages"][0]["content"] == text


@pytest.fixture
def few_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that takes six blocks a blob: of 13 shards, each part has six."""
    monkeypatch.setattr("shared.generation.block_ids.MAX_BLOCKS", 6)
    monkeypatch.setattr("shared.assembly.composition.COPIED_BYTES", 150)


@pytest.mark.usefixtures("few_blocks")
async def test_more_shards_than_a_blob_has_blocks_are_put_together_in_order(
    folder: RunFolder,
) -> None:
    await folder.add(questions(63))
    for index in range(13):
        await answered(folder, index, reject=(7, 8, 40))
    expected = [str(line) for line in range(1, 64) if line not in (7, 8, 40)]
    for _ in range(2):
        assert await commit(folder) == expected
    await commit_rejected(folder.storage, folder.spec, folder.paths, ["train"])
    rows = [json.loads(line) for line in (await folder.text(folder.paths.rejected)).splitlines()]
    assert [row["line"] for row in rows] == [7, 8, 40]


@pytest.mark.slow
@pytest.mark.usefixtures("few_blocks")
async def test_parts_that_are_staged_again_are_copied_again(folder: RunFolder) -> None:
    await folder.add(questions(63))
    for index in range(13):
        await answered(folder, index, reject=(7,))
    await commit(folder)
    journal = await Journal.open(folder.storage, folder.paths.journal("train", 1), 5)
    journal.add(Record(7, status="accepted", answers=["7"], round=1))
    await journal.flush()
    await staging_of(folder).stage(1, folder.plans["train"].shards[1], journal.records, {})
    await journal.seal()
    assert await commit(folder) == [str(line) for line in range(1, 64)]


@pytest.mark.slow
@pytest.mark.usefixtures("few_blocks")
async def test_copying_goes_on_where_an_execution_without_time_left_it(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await folder.add(questions(63))
    for index in range(13):
        await answered(folder, index)
    monkeypatch.setattr("shared.assembly.composition.WORK_SECONDS", 0)
    staged: list[str] = []
    stage = type(folder.storage).stage

    async def counted(storage: Any, name: str, block: str, data: bytes) -> None:
        staged.append(block)
        await stage(storage, name, block, data)

    monkeypatch.setattr(type(folder.storage), "stage", counted)
    executions = 0
    while True:
        executions += 1
        try:
            assert await commit(folder) == [str(line) for line in range(1, 64)]
            break
        except Unfinished:
            pass
    assert executions > 3
    assert len(staged) == len(set(staged))
