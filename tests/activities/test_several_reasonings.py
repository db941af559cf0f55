"""Several reasonings of a row become examples of their own, and are counted apart from rows."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from local.emulators.teacher import ChatRequest
from shared.runs.requests import RunRequest, claim
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, sums

PROMPT = {"chain_of_thought": True, "student_learns": "reasoning"}


def quality(keep: int, samples: int = 5) -> dict[str, Any]:
    return {"samples": samples, "select": "majority", "keep": keep}


def reasoning_teacher(*even: str) -> Callable[[ChatRequest], str]:
    """A teacher that is right. To rows of even numbers, it reasons in these ways in turn."""
    ways: dict[int, itertools.cycle[str]] = defaultdict(lambda: itertools.cycle(even))

    def reply(request: ChatRequest) -> str:
        number = int(request.messages[-1].text.split()[2])
        way = "count" if number % 2 else next(ways[number])
        return json.dumps({"reasoning": f"I {way}.", "answer": str(number + 1)})

    return reply


async def finished(run: AppRun, teach: Teach, content: bytes, *ways: str) -> list[Any]:
    """Take a run through its stages, and return the requests to the teacher."""
    await run.begin(content)
    if run.spec.get("reuse"):
        await run.reuse()
    async with teach(reasoning_teacher(*ways)) as teacher:
        await run.finish()
    return teacher.records


def texts(examples: list[dict[str, Any]]) -> list[str]:
    return [example["messages"][-1]["content"] for example in examples]


async def test_each_reasoning_is_an_example_traced_to_its_own_sample(
    new_run: NewRun, teach: Teach
) -> None:
    # one request after another: the teacher's ways are those of the samples, in order
    run = new_run(quality=quality(3), prompt=PROMPT, teacher={"concurrency": 1})
    await finished(run, teach, sums(2), "add", "ADD", "guess", "sum")
    assert texts(await run.rows(run.paths.dataset("train"))) == [
        "I add.\n\nAnswer: 1",
        "I guess.\n\nAnswer: 1",
        "I sum.\n\nAnswer: 1",
        "I count.\n\nAnswer: 2",
    ]
    origins = await run.rows(run.paths.provenance("train"))
    places = [(origin["line"], origin["sample"], origin["samples"]) for origin in origins]
    assert places == [(1, 1, 4), (1, 3, 4), (1, 4, 4), (2, 1, 5)]
    assert {origin["model"] for origin in origins} == {"local-teacher"}


async def test_report_and_card_count_examples_apart_from_accepted_rows(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(
        quality=quality(2), prompt=PROMPT, holdout={"fraction": 0.4, "seed": 5}, rows_per_shard=4
    )
    await finished(run, teach, sums(20), "add", "guess")
    assert (await run.report())["status"] == "ok"
    report = await run.storage.read_json(run.paths.report)
    counts = report["counts"]["train"]
    assert (counts["rows"], counts["accepted"], counts["examples"]) == (20, 20, 30)
    lines = {name: report["outputs"][name]["lines"] for name in ("train", "validation")}
    assert lines["validation"] == counts["held_out_examples"] > counts["held_out"]
    assert lines["train"] == 30 - lines["validation"]
    card = await run.text(run.paths.card)
    assert "| train | 20 | 20 | 0 | 0 | 30 |" in card
    assert "A row makes up to 2 examples" in card


async def test_a_run_with_another_keep_reuses_samples_and_asks_rows_that_could_have_more(
    new_run: NewRun, teach: Teach
) -> None:
    two = new_run(quality=quality(2), prompt=PROMPT)
    await finished(two, teach, sums(2), "add", "guess", "sum")
    await claim(two.storage, RunRequest.model_validate(two.request))
    both = texts(await two.rows(two.paths.dataset("train")))
    one = new_run(quality=quality(1), prompt=PROMPT, reuse=two.paths.run_id)
    assert await finished(one, teach, sums(2)) == []
    assert texts(await one.rows(one.paths.dataset("train"))) == [both[0], both[2]]
    three = new_run(quality=quality(3), prompt=PROMPT, reuse=two.paths.run_id)
    assert await finished(three, teach, sums(2)) == []
    assert len(await three.rows(three.paths.dataset("train"))) == 3 + 1
    # three of five samples were asked of the first row, and all five of the second
    four = new_run(quality=quality(4), prompt=PROMPT, reuse=two.paths.run_id)
    assert len(await finished(four, teach, sums(2), "add", "guess", "sum")) == 5


async def test_a_resumed_run_that_keeps_more_takes_further_examples_from_stored_samples(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(quality=quality(1), prompt=PROMPT)
    await finished(run, teach, sums(2), "add", "guess", "sum")
    before = texts(await run.rows(run.paths.dataset("train")))
    await run.resume(quality={"keep": 3})
    async with teach(reasoning_teacher("add")) as teacher:
        await run.finish()
    assert not teacher.records
    after = texts(await run.rows(run.paths.dataset("train")))
    assert set(before) < set(after)
    assert sorted(after)[:3] == [f"I {way}.\n\nAnswer: {n}" for way, n in WAYS]


WAYS = (("add", 1), ("count", 2), ("guess", 1))
