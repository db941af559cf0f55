"""`quality.target_rows` through the activities: what is bought, what is taught, what is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.runs.contracts import ABANDON_SHARD
from shared.runs.requests import RunRequest, claim
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, plus_one, sums

DATASETS_ONLY: dict[str, Any] = {"student": None}


def unable(*numbers: int) -> Callable[[ChatRequest], str]:
    """A teacher that has no number for these rows."""

    def reply(request: ChatRequest) -> str:
        number = int(request.messages[-1].text.split()[2])
        return "many" if number in numbers else str(number + 1)

    return reply


def run_with(new_run: NewRun, target: int, **fields: Any) -> AppRun:
    return new_run(**{**DATASETS_ONLY, "quality": {"target_rows": target}, **fields})


async def finish(run: AppRun) -> dict[str, Any]:
    """Assemble and report. Return the counts of the training set."""
    assert (await run.assemble())["status"] == "ok"
    assert (await run.report())["status"] == "ok"
    return (await run.storage.read_json(run.paths.report))["counts"]["train"]


async def numbers_in(run: AppRun, split: str = "train") -> list[int]:
    rows = await run.rows(f"{run.paths.run_id}/{split}.jsonl")
    return [int(row["messages"][0]["content"].split()[2]) for row in rows]


async def test_a_run_ends_with_the_first_accepted_rows_and_asks_no_other(
    new_run: NewRun, teach: Teach
) -> None:
    run = run_with(new_run, 9)
    await run.begin(sums(3) + b"{\n" + sums(37, first=3))
    async with teach(unable(2, 6)) as teacher:
        await run.generate_target()
    counts = await finish(run)
    assert await numbers_in(run) == [0, 1, 3, 4, 5, 7, 8, 9, 10]
    assert len(teacher.records) == 9 + 2 * 3
    assert (counts["rows"], counts["accepted"], counts["not_needed"]) == (41, 9, 41 - 12)
    assert counts["rejected"] == {"invalid_json": 1, "no_number": 2}
    assert [row["line"] for row in await run.rows(run.paths.rejected)] == [3, 4, 8]
    card = await run.text(run.paths.card)
    assert f"| train | 41 | 9 | 3 | 0 | 9 | {41 - 12} |" in card
    assert f"Not needed: {41 - 12} rows" in card


@pytest.mark.slow
async def test_a_larger_target_asks_what_is_missing_and_a_smaller_one_nothing(
    new_run: NewRun, teach: Teach
) -> None:
    run = run_with(new_run, 12)
    await run.begin(sums(40))
    async with teach(unable(2)) as teacher:
        await run.generate_target()
        assert len(teacher.records) == 12 + 3
    first = await finish(run)
    await run.resume(quality={"target_rows": 7})
    async with teach(plus_one) as teacher:
        await run.generate_target()
        assert not teacher.records
    trimmed = await finish(run)
    assert await numbers_in(run) == [0, 1, 3, 4, 5, 6, 7]
    assert (trimmed["accepted"], trimmed["spare"], trimmed["not_needed"]) == (7, 5, 32)
    assert trimmed["requests"] == first["requests"]
    await run.resume(quality={"target_rows": 12})
    async with teach(plus_one) as teacher:
        await run.generate_target()
        assert not teacher.records
    assert (await finish(run))["accepted"] == 12
    await run.resume(quality={"target_rows": 16})
    async with teach(plus_one) as teacher:
        await run.generate_target()
        assert len(teacher.records) == 4  # one of them had failed
    await finish(run)
    assert await numbers_in(run) == list(range(16))


async def test_without_a_target_a_resumed_run_answers_the_rest(
    new_run: NewRun, teach: Teach
) -> None:
    run = run_with(new_run, 6)
    await run.begin(sums(13))
    async with teach(plus_one):
        await run.generate_target()
    await finish(run)
    await run.resume(quality={"target_rows": None})
    async with teach(plus_one) as teacher:
        await run.generate_all()
    counts = await finish(run)
    assert len(teacher.records) == 7
    assert (counts["accepted"], counts["not_needed"], counts["spare"]) == (13, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("target", [None, 40])
async def test_rows_that_a_resumed_run_needs_after_all_are_not_reached_if_it_ends_early(
    new_run: NewRun, teach: Teach, target: int | None
) -> None:
    run = run_with(new_run, 6)
    await run.begin(sums(50))
    async with teach(plus_one):
        await run.generate_target()
    await finish(run)
    await run.resume(quality={"target_rows": target})
    async with teach(plus_one):
        await run.generate(0)
        await run.generate(1)
    assert (await run.report("cancelled"))["status"] == "ok"
    counts = (await run.storage.read_json(run.paths.report))["counts"]["train"]
    assert (counts["accepted"], counts["not_needed"]) == (10, 0)
    assert counts["not_asked"] == {"not_reached": 40}
    assert "Not needed" not in await run.text(run.paths.card)


@pytest.mark.slow
async def test_an_earlier_runs_answers_count_and_those_beyond_the_target_are_kept(
    new_run: NewRun, teach: Teach
) -> None:
    earlier = new_run(**DATASETS_ONLY)
    await earlier.begin(sums(18))
    await claim(earlier.storage, RunRequest.model_validate(earlier.request))
    async with teach(plus_one):
        await earlier.finish()
    run = run_with(new_run, 11, reuse=earlier.paths.run_id)
    await run.begin(sums(30))
    await run.reuse()
    async with teach(plus_one) as teacher:
        await run.generate_target()
        assert not teacher.records
    counts = await finish(run)
    assert await numbers_in(run) == list(range(11))
    assert (counts["reused"], counts["spare"], counts["not_needed"]) == (11, 7, 19)
    assert "The journals keep answers to 7 of them" in await run.text(run.paths.card)


@pytest.mark.slow
async def test_held_out_rows_come_on_top_of_the_target(new_run: NewRun, teach: Teach) -> None:
    run = run_with(new_run, 20, holdout={"fraction": 0.3, "seed": 1})
    await run.begin(sums(60))
    async with teach(plus_one) as teacher:
        await run.generate_target()
    counts = await finish(run)
    train, validation = await numbers_in(run), await numbers_in(run, "validation")
    assert len(train) == 20
    assert len(validation) == counts["held_out"] > 0
    assert sorted(train + validation) == list(range(len(teacher.records)))


@pytest.mark.slow
async def test_blocks_that_the_service_dropped_are_made_again_without_surplus_rows(
    new_run: NewRun, teach: Teach
) -> None:
    run = run_with(new_run, 8)
    await run.begin(sums(20))
    async with teach(plus_one):
        await run.generate_target()
    await finish(run)
    await run.resume(quality={"target_rows": 7})
    await run.generate_target()
    await finish(run)
    before = await run.contents()
    await run.storage.delete(run.paths.dataset("train"))
    await run.assemble()
    assert await run.contents() == before


async def test_provided_answers_are_cut_off_at_the_target(new_run: NewRun) -> None:
    run = run_with(new_run, 8, answers={"source": "provided"})
    rows = [
        f'{{"messages": [{{"role": "user", "content": "What is {number} + 1?"}}, '
        f'{{"role": "assistant", "content": "{number + 1}"}}]}}\n'
        for number in range(20)
    ]
    await run.begin("".join(rows).encode())
    await run.generate_target()
    counts = await finish(run)
    assert await numbers_in(run) == list(range(8))
    assert (counts["accepted"], counts["not_needed"], counts["requests"]) == (8, 12, 0)


async def test_a_shard_that_is_given_up_keeps_no_more_rows_than_are_needed(
    new_run: NewRun, teach: Teach
) -> None:
    run = run_with(new_run, 3)
    await run.begin(sums(5))
    async with teach(plus_one):
        await run.generate(0)
    outcome = await run.call(
        ABANDON_SHARD, split="train", index=0, reason="the lease is broken", needed=3
    )
    assert (outcome["contributed"], outcome["rejected"]) == (3, 0)
    counts = await finish(run)
    assert (counts["accepted"], counts["not_needed"], counts["spare"]) == (3, 2, 2)


async def test_the_success_ratio_is_judged_by_the_rows_that_were_needed(
    new_run: NewRun, teach: Teach
) -> None:
    run = run_with(new_run, 4)
    await run.begin(sums(10))
    async with teach(unable(0, 1)):
        shard = await run.generate(0, max_rejected=1, needed=4)
    assert shard["error"]["code"] == "success_ratio"


async def test_a_shard_that_was_interrupted_goes_on_to_the_same_end(
    new_run: NewRun, teach: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_with(new_run, 6, rows_per_shard=12, teacher={"concurrency": 1})
    await run.begin(sums(12))
    monkeypatch.setattr("shared.generation.shard.WORK_SECONDS", 0.15)
    async with teach(unable(0, 5), latency_ms=60) as first:
        assert (await run.generate(0, needed=6))["status"] == "unfinished"
    monkeypatch.setattr("shared.generation.shard.WORK_SECONDS", 600)
    async with teach(unable(0, 5)) as second:
        await run.generate_target()
    await finish(run)
    assert await numbers_in(run) == [1, 2, 3, 4, 6, 7]
    assert len(first.records) + len(second.records) == 6 + 2 * 3
