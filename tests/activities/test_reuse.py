"""Answers of an earlier run are reused wherever the request is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.core.errors import ShardContended
from shared.dataset.rows import as_jsonl
from shared.runs.contracts import REUSE_ANSWERS
from shared.runs.requests import RunRequest, claim
from shared.students.catalogue import DEFAULT_STUDENT
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, sum_row, sums

PHI_4K = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"
FALSE_KEY = '"key":"0123456789abcdef0123456789abcdef"'
PHI_MEDIUM = "azureml://registries/azureml/models/Phi-3-medium-128k-instruct/versions/7"


def plus_one(request: ChatRequest) -> str:
    return str(int(request.messages[-1].text.split()[2]) + 1)


def mostly(*unable: int) -> Callable[[ChatRequest], str]:
    """A teacher that has no number for these rows."""

    def reply(request: ChatRequest) -> str:
        return "many" if int(plus_one(request)) - 1 in unable else plus_one(request)

    return reply


@pytest.fixture
def earlier(new_run: NewRun, teach: Teach) -> Any:
    """Makes runs that have ended, by their rows."""

    async def make(
        train: bytes, validation: bytes | None = None, answer: Any = plus_one, **spec: Any
    ) -> AppRun:
        run = new_run(**{"student": {"model": DEFAULT_STUDENT}, **spec})
        await run.begin(train, validation)
        await claim(run.storage, RunRequest.model_validate(run.request))
        async with teach(answer):
            await run.finish()
        return run

    return make


async def begun(run: AppRun, train: bytes, validation: bytes | None = None) -> list[dict[str, Any]]:
    """A run that is to reuse another, as far as the teacher is not needed."""
    scanned = await run.begin(train, validation)
    assert scanned["status"] == "ok", scanned
    await claim(run.storage, RunRequest.model_validate(run.request))
    return await run.reuse()


def reusing(new_run: NewRun, earlier: AppRun, **spec: Any) -> AppRun:
    return new_run(**{"student": {"model": DEFAULT_STUDENT}, "reuse": earlier.paths.run_id, **spec})


def questions_in(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["messages"][0]["content"].split()[2]) for row in rows]


async def test_a_run_whose_rows_were_all_answered_before_asks_the_teacher_nothing(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(sums(12))
    before = await first.contents()
    run = reusing(new_run, first, rows_per_shard=5)
    [seeded] = await begun(run, sums(12))
    assert (seeded["next"], seeded["reused"], seeded["estimate"]["requests"]) == (3, 12, 0)
    async with teach(plus_one) as teacher:
        await run.finish()
    assert not teacher.records
    assert await run.text(run.paths.dataset("train")) == await first.text(
        first.paths.dataset("train")
    )
    assert await first.contents() == before
    counters = (await run.progress())["train"]
    assert (
        counters["accepted"],
        counters["reused"],
        counters["requests"],
        counters["prompt_tokens"],
    ) == (
        12,
        12,
        0,
        0,
    )


async def test_only_what_was_not_answered_before_is_asked_for(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(sums(12), answer=mostly(3, 4))
    run = reusing(new_run, first)
    [seeded] = await begun(run, sums(20))
    assert (seeded["reused"], seeded["estimate"]["requests"]) == (10, 10)
    async with teach(plus_one) as teacher:
        await run.finish()
    assert len(teacher.records) == 10
    assert (await run.report())["status"] == "ok"
    counts = (await run.storage.read_json(run.paths.report))["counts"]["train"]
    assert (counts["accepted"], counts["reused"], counts["requests"]) == (20, 10, 10)
    assert f"10 accepted rows reuse answers of run `{first.paths.run_id}`" in await run.text(
        run.paths.card
    )


@pytest.mark.slow
async def test_lines_shards_splits_ids_and_references_may_all_be_others(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(sums(8), sums(6, 100))
    rows = [
        {**sum_row(number), "id": f"new-{number}", "answer": "1"}
        for number in (105, 7, 101, 3, 200)
    ]
    run = reusing(new_run, first, rows_per_shard=2, holdout={"fraction": 0})
    await begun(run, b"\n{\n" + as_jsonl(rows), sums(2) + sums(2, 103))
    async with teach(plus_one) as teacher:
        await run.finish()
    assert len(teacher.records) == 1
    assert questions_in(await run.rows(run.paths.dataset("train"))) == [105, 7, 101, 3, 200]
    assert questions_in(await run.rows(run.paths.dataset("validation"))) == [0, 1, 103, 104]
    seeded = [record for record in await run.records() if record.get("reused")]
    assert {
        (record["line"], record["id"]) for record in seeded if record["id"].startswith("new")
    } == {
        (3, "new-105"),
        (4, "new-7"),
        (5, "new-101"),
        (6, "new-3"),
    }


async def test_another_student_is_trained_on_the_same_answers_in_its_own_form(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    rows = [
        {"messages": [{"role": "system", "content": "Add."}, *sum_row(number)["messages"]]}
        for number in range(5)
    ]
    first = await earlier(as_jsonl(rows))
    run = reusing(
        new_run,
        first,
        student={"model": PHI_MEDIUM},
        budget={"max_requests": 1},
        quality={"min_rows": 1},
    )
    await begun(run, as_jsonl(rows))
    async with teach(plus_one) as teacher:
        await run.finish()
    assert not teacher.records
    [messages] = [row["messages"] for row in (await run.rows(run.paths.dataset("train")))[:1]]
    assert messages == [
        {"role": "user", "content": "Add.\n\nWhat is 0 + 1?"},
        {"role": "assistant", "content": "1"},
    ]


def wordy(request: ChatRequest) -> str:
    """A teacher that takes more than 20 tokens for every third row."""
    number = int(plus_one(request))
    words = "so " * 60 if number % 3 == 0 else ""
    return f"{words}the answer is {number}"


@pytest.mark.parametrize("max_tokens", [20, pytest.param(400, marks=pytest.mark.slow), 1024])
async def test_a_run_that_was_resumed_with_more_tokens_is_reusable_whole_under_any_number(
    new_run: NewRun, earlier: Any, teach: Teach, max_tokens: int
) -> None:
    first = await earlier(sums(12), answer=wordy, teacher={"max_tokens": 20})
    cut_off = (await first.progress())["train"]["rejected"]
    assert cut_off == {"truncated": 4}
    async with teach(wordy):
        await first.resume(teacher={"max_tokens": 400})
        await first.finish()
    run = reusing(new_run, first, teacher={"max_tokens": max_tokens})
    [seeded] = await begun(run, sums(12))
    assert (seeded["reused"], seeded["estimate"]["requests"]) == (12, 0)
    async with teach(wordy) as teacher:
        await run.finish()
    assert not teacher.records
    assert (await run.progress())["train"]["accepted"] == 12


async def test_an_answer_that_was_cut_off_is_not_reused(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(sums(12), answer=wordy, teacher={"max_tokens": 20})
    run = reusing(new_run, first, teacher={"max_tokens": 400})
    [seeded] = await begun(run, sums(12))
    assert (seeded["reused"], seeded["estimate"]["requests"]) == (8, 4)


TALK = as_jsonl([{"messages": [{"role": "user", "content": "Tell me."}]}])
CHATTY: dict[str, Any] = {"task": "conversation", "teacher": {"max_tokens": 8000}}


def chatty(request: ChatRequest) -> str:
    return " ".join(f"word{number}" for number in range(4000))


def quoting(request: ChatRequest) -> str:
    return f"It says {FALSE_KEY}, {{{FALSE_KEY}}}."


async def test_an_answer_too_long_for_the_new_student_is_rejected_unasked_and_kept(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(TALK, answer=chatty, **CHATTY)
    small = reusing(new_run, first, student={"model": PHI_4K}, **CHATTY)
    await begun(small, TALK)
    large = reusing(new_run, small, **CHATTY)
    async with teach(chatty) as teacher:
        await small.finish()
        await begun(large, TALK)
        await large.finish()
    assert not teacher.records
    [record] = await small.records()
    assert (record["status"], record["reason"], record.get("requests", 0)) == (
        "rejected",
        "too_long",
        0,
    )
    assert (await small.progress())["train"]["reused"] == 0
    assert await large.text(large.paths.dataset("train")) == await first.text(
        first.paths.dataset("train")
    )


@pytest.mark.slow
async def test_reused_answers_that_are_too_long_count_against_the_success_ratio_like_new_ones(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(TALK, answer=chatty, **CHATTY)
    run = reusing(new_run, first, student={"model": PHI_4K}, **CHATTY)
    await begun(run, TALK + sums(3))
    async with teach(chatty) as teacher:
        ended = await run.generate(max_rejected=1)
    assert ended["error"]["code"] == "success_ratio"
    assert ended["error"]["message"].startswith("2 train rows failed")
    assert len(teacher.records) <= 3


@pytest.mark.slow
async def test_an_answer_too_long_for_its_student_is_reused_for_a_larger_one(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(TALK, answer=chatty, student={"model": PHI_4K}, **CHATTY)
    assert (await first.progress())["train"]["rejected"] == {"too_long": 1}
    run = reusing(new_run, first, **CHATTY)
    [seeded] = await begun(run, TALK)
    assert seeded["reused"] == 1
    async with teach(chatty) as teacher:
        await run.finish()
    assert not teacher.records
    assert (await run.progress())["train"]["accepted"] == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"teacher": {"temperature": 0.5}},
        {"teacher": {"model": "b"}},
        {"prompt": {"chain_of_thought": True}},
    ],
)
async def test_nothing_is_reused_where_the_teacher_is_asked_something_else(
    new_run: NewRun, earlier: Any, changed: dict[str, Any]
) -> None:
    run = reusing(new_run, await earlier(sums(5)), **changed)
    [seeded] = await begun(run, sums(5))
    assert (seeded["reused"], seeded["estimate"]["requests"]) == (0, 5)


async def test_a_second_execution_adds_nothing_and_answers_the_same(
    new_run: NewRun, earlier: Any
) -> None:
    run = reusing(new_run, await earlier(sums(12)))
    seeded = await begun(run, sums(15))
    before = await run.contents()
    assert await run.reuse() == seeded
    assert await run.contents() == before


@pytest.mark.slow
async def test_of_executions_at_the_same_time_each_row_gets_one_answer(
    new_run: NewRun, earlier: Any
) -> None:
    run = reusing(new_run, await earlier(sums(12)))
    await run.begin(sums(12))
    payload = {"split": "train", "first": 0, "round": 0}
    ended = await asyncio.gather(
        *[run.call(REUSE_ANSWERS, **payload) for _ in range(4)], return_exceptions=True
    )
    for output in ended:
        assert isinstance(output, dict | ShardContended)
        assert isinstance(output, ShardContended) or output["status"] == "ok"
    await run.reuse()
    assert sorted(record["line"] for record in await run.records()) == list(range(1, 13))


@pytest.mark.slow
async def test_large_datasets_are_looked_through_some_shards_at_a_time(
    new_run: NewRun, earlier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.generation.answer_cache.MAX_ROWS", 10)
    monkeypatch.setattr("shared.generation.answer_cache.JOURNALS_AT_ONCE", 2)
    run = reusing(new_run, await earlier(sums(30)), rows_per_shard=4)
    seeded = await begun(run, sums(31), sums(3, 50))
    assert [output["next"] for output in seeded] == [2, 4, 6, 8, 1]
    assert [output["reused"] for output in seeded] == [8, 8, 8, 6, 0]


@pytest.mark.slow
async def test_a_shard_that_is_larger_than_the_limit_is_looked_through_by_itself(
    new_run: NewRun, earlier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.generation.answer_cache.MAX_ROWS", 3)
    run = reusing(new_run, await earlier(sums(9)))
    assert [output["reused"] for output in await begun(run, sums(9))] == [5, 4]


async def test_a_run_that_reused_another_can_be_reused(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    second = reusing(new_run, await earlier(sums(5)))
    await begun(second, sums(8))
    async with teach(plus_one) as teacher:
        await second.finish()
    assert len(teacher.records) == 3
    third = reusing(new_run, second)
    [seeded] = await begun(third, sums(8))
    assert seeded["reused"] == 8


@pytest.mark.slow
async def test_a_run_that_is_not_over_gives_what_it_has(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = new_run(student={"model": DEFAULT_STUDENT})
    await first.begin(sums(12))
    await claim(first.storage, RunRequest.model_validate(first.request))
    async with teach(plus_one):
        await first.generate(1)
    run = reusing(new_run, first)
    [seeded] = await begun(run, sums(12))
    assert seeded["reused"] == 5
    assert sorted(record["line"] for record in await run.records()) == [6, 7, 8, 9, 10]


@pytest.mark.slow
async def test_text_that_looks_like_a_key_is_none(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(TALK, task="conversation", answer=quoting)
    run = reusing(new_run, first, task="conversation")
    assert [output["reused"] for output in await begun(run, TALK)] == [1]
    async with teach(chatty):
        await run.finish()
    assert FALSE_KEY in (await run.rows(run.paths.dataset("train")))[0]["messages"][-1]["content"]


@pytest.mark.slow
async def test_answers_chosen_of_several_keep_how_many_agreed(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    quality = {"samples": 3, "select": "majority"}
    first = await earlier(sums(5), quality=quality)
    run = reusing(new_run, first, quality=quality)
    await begun(run, sums(5))
    async with teach(plus_one):
        await run.finish()
    counted = [(await each.progress())["train"] for each in (first, run)]
    assert counted[0]["samples"] == counted[1]["samples"] > 0
    assert counted[1]["requests"] == 0


@pytest.mark.slow
async def test_a_resumed_run_looks_again_for_what_it_asked_for_in_vain(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    first = await earlier(sums(4), answer=mostly(2))
    run = reusing(new_run, first)
    await begun(run, sums(4))
    async with teach(mostly(2)):
        await run.finish()
    await first.resume()
    async with teach(plus_one):
        await first.finish()
    await run.resume()
    [seeded] = await run.reuse()
    async with teach(plus_one) as teacher:
        await run.finish()
    assert not teacher.records
    assert seeded["reused"] == 4
    assert seeded["estimate"]["requests"] == 3  # what it has paid for in vain
    assert (await run.progress())["train"]["accepted"] == 4


@pytest.mark.slow
async def test_rows_that_are_held_out_are_counted_as_such(
    new_run: NewRun, earlier: Any, teach: Teach
) -> None:
    run = reusing(new_run, await earlier(sums(40)), holdout={"fraction": 0.3})
    await begun(run, sums(40))
    before = (await run.progress())["train"]["held_out"]
    async with teach(plus_one):
        await run.finish()
    assert (await run.progress())["train"]["held_out"] == before > 0


async def test_a_reuse_that_cannot_be_is_refused_before_anything_else(
    new_run: NewRun, earlier: Any
) -> None:
    first = await earlier(sums(5))
    other = new_run(task="conversation", reuse=first.paths.run_id)
    await other.arrive(TALK)
    missing = new_run(reuse="math-nothing-0123456789ab")
    await missing.arrive(sums(5))
    itself = new_run()
    await itself.arrive(sums(5))
    await claim(itself.storage, RunRequest.model_validate(itself.request))
    await itself.upload("run.json", f'{{"reuse": "{itself.paths.run_id}"}}'.encode())
    for run, problem_text in (
        (other, "has task math"),
        (missing, "doesn't exist"),
        (itself, "is this run itself"),
    ):
        [problem] = (await run.prepare())["error"]["details"]
        assert (problem["where"], problem_text in problem["problem"]) == ("reuse", True)


async def test_reused_answers_are_compared_with_the_references_of_this_run(
    new_run: NewRun, earlier: Any
) -> None:
    first = await earlier(sums(12))
    run = reusing(new_run, first)
    references = ["1", "2", "99", "several of them"]
    rows = [{**sum_row(number), "answer": text} for number, text in enumerate(references)]
    await begun(run, as_jsonl(rows))
    counters = (await run.progress())["train"]
    assert (counters["reused"], counters["with_reference"], counters["matching"]) == (4, 3, 2)
    assert counters["unreadable_references"] == 1
