"""The first rows of a run, as `read_first_wave` finds them in the journals."""

from __future__ import annotations

from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.runs.contracts import READ_FIRST_WAVE
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, plus_one, sums

KEY = "sesame-opens-the-cave"


async def first_wave(run: AppRun, shards: int = 1) -> dict[str, Any]:
    wave = await run.call(READ_FIRST_WAVE, shards=shards, round=run.round)
    assert wave["status"] == "ok", wave
    return wave["rows"]


def at_a_loss(*numbers: int) -> Any:
    """A teacher without a number for these rows, which it begins by telling the app's key."""

    def reply(request: ChatRequest) -> str:
        number = int(request.messages[-1].text.split()[2])
        return f"I'm at a loss, {KEY}." if number in numbers else str(number + 1)

    return reply


async def test_first_rows_are_counted_with_their_reasons_replies_and_usage(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=100)
    await run.begin(b"{\n" + sums(60))
    async with teach(at_a_loss(1, 2)):
        await run.generate()
    rows = await first_wave(run)
    assert (rows["usable"], rows["unusable"], rows["reasons"]) == (18, 2, {"no_number": 2})
    assert [(reply["line"], reply["usable"]) for reply in rows["replies"]] == [
        (3, False),
        (4, False),
        (2, True),
    ]
    assert rows["replies"][0]["reply"].startswith("I'm at a loss")
    assert (rows["taken"]["requests"], rows["estimated"]["requests"]) == (18 + 2 * 3, 20)


@pytest.mark.parametrize(
    ("changes", "asked"), [({}, 10), ({"teacher": {"temperature": 0.9}}, 2)], ids=["same", "other"]
)
async def test_answers_of_earlier_rounds_tell_the_usage_if_the_question_is_the_same(
    new_run: NewRun, teach: Teach, changes: dict[str, Any], asked: int
) -> None:
    run = new_run(rows_per_shard=10)
    await run.begin(sums(20))
    async with teach(at_a_loss(2, 5)):
        await run.generate()
    await run.resume(**changes)
    async with teach(at_a_loss(5)):
        await run.generate()
    rows = await first_wave(run)
    assert (rows["usable"], rows["unusable"]) == (9, 1)
    assert (rows["taken"]["requests"], rows["estimated"]["requests"]) == (asked + 2, asked)


async def test_accepted_rows_that_more_samples_ask_again_are_counted(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=10)
    await run.begin(sums(20))
    async with teach(at_a_loss(2, 5)):
        await run.generate()
        assert (await first_wave(run))["accepted_before"] == 0
    await run.resume(quality={"select": "majority", "samples": 3})
    async with teach(plus_one):
        await run.generate()
    rows = await first_wave(run)
    assert (rows["usable"], rows["accepted_before"], rows["asked_again"]) == (10, 8, 8)


async def test_first_rows_of_several_small_shards_count_together(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=5)
    await run.begin(sums(12))
    async with teach(plus_one):
        await run.generate(0)
        await run.generate(1)
    assert (await first_wave(run, shards=2))["usable"] == 10


async def test_rows_of_a_shard_that_failed_say_nothing_of_the_teacher(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(5))
    await run.call("abandon_shard", split="train", index=0, reason="the lease is broken")
    rows = await first_wave(run)
    assert (rows["usable"], rows["unusable"], rows["replies"]) == (0, 0, [])
