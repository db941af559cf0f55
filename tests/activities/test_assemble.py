"""assemble_split: the dataset is whole, in input order, and byte for byte reproducible."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.core.errors import TransientError
from shared.runs.contracts import ASSEMBLE_SPLIT
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import sums


def plus_one(request: ChatRequest) -> str:
    """The right answer, but no number for every seventh question."""
    number = int(request.messages[-1].text.split()[2])
    return "no idea" if number % 7 == 3 else str(number + 1)


def unsure(_: ChatRequest) -> str:
    return "many"


def five(_: ChatRequest) -> str:
    return "5"


def questions(rows: list[dict[str, Any]]) -> list[str]:
    return [row["messages"][0]["content"] for row in rows]


async def test_rows_stand_in_input_order_whichever_shard_was_first(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=4)
    await run.begin(sums(12))
    async with teach(plus_one, latency_jitter=20):
        for index in (2, 0, 1):
            await run.generate(index)
    assembled = await run.assemble()
    assert (assembled["counters"]["accepted"], assembled["counters"]["rejected"]) == (
        10,
        {"no_number": 2},
    )
    rows = await run.rows(run.paths.dataset("train"))
    assert questions(rows) == [f"What is {number} + 1?" for number in range(12) if number % 7 != 3]
    assert {tuple(row) for row in rows} == {("messages",)}


async def test_a_second_execution_changes_nothing(new_run: NewRun, teach: Teach) -> None:
    run = new_run()
    await run.begin(sums(12), sums(3, first=30))
    async with teach(plus_one):
        await run.generate_all()
    first, before = await run.assemble(), await run.contents()
    assert await run.assemble() == first
    assert await run.contents() == before


async def test_splits_do_not_mix(new_run: NewRun, teach: Teach) -> None:
    run = new_run()
    await run.begin(sums(4, first=100), sums(6, first=200))
    async with teach(five):
        await run.finish()
    train, validation = [
        questions(await run.rows(run.paths.dataset(split))) for split in ("train", "validation")
    ]
    assert (len(train), len(validation)) == (4, 6)
    assert all(question.startswith("What is 1") for question in train)
    assert all(question.startswith("What is 2") for question in validation)


async def test_a_shard_that_is_not_complete_is_waited_for(new_run: NewRun, teach: Teach) -> None:
    run = new_run()
    await run.begin(sums(12))
    async with teach(plus_one):
        for index in (0, 2):
            await run.generate(index)
    with pytest.raises(TransientError, match=r"shards \[1\] of train"):
        await run.assemble()
    assert "train.jsonl" not in await run.names()


async def test_a_split_whose_every_row_was_rejected_is_an_empty_dataset(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(3))
    async with teach(unsure):
        await run.finish()
    assert await run.text(run.paths.dataset("train")) == ""


async def test_a_run_that_was_never_prepared_is_a_permanent_failure(new_run: NewRun) -> None:
    assembled = await new_run().call(ASSEMBLE_SPLIT, split="train", shards=0)
    assert (assembled["status"], assembled["error"]["code"]) == ("failed", "not_found")


async def test_progress_counts_what_is_done_while_it_is_done(new_run: NewRun, teach: Teach) -> None:
    run = new_run(rows_per_shard=4)
    await run.begin(sums(12), sums(2, first=30))
    nothing = await run.progress()
    async with teach(plus_one):
        await run.generate(0)
        some = await run.progress()
        await run.generate_all()
    everything = await run.progress()
    assert (nothing["train"]["done"], nothing["train"]["shards"]) == (0, 0)
    assert (some["train"]["done"], some["train"]["shards_done"], some["validation"]["done"]) == (
        4,
        1,
        0,
    )
    assert (everything["train"]["done"], everything["validation"]["done"]) == (12, 2)
    assert everything["train"]["prompt_tokens"] > some["train"]["prompt_tokens"] > 0


async def test_progress_is_as_small_for_many_shards_as_for_few(
    new_run: NewRun, teach: Teach
) -> None:
    sizes: list[int] = []
    for shards in (1, 10):
        run = new_run(rows_per_shard=1)
        await run.begin(sums(shards))
        async with teach(five):
            await run.generate_all()
        sizes.append(len(json.dumps(await run.progress())))
    assert sizes[1] < sizes[0] + 20
