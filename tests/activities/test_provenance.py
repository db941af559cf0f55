"""Each example of a dataset can be traced to the row and the request that it comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.core.paths import Split
from shared.dataset.rows import as_jsonl
from shared.runs.requests import RunRequest, claim
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, plus_one, sum_row, sums

MAX_BYTES = 300  # of a line: a dataset's line has several hundred to some thousands


def seldom_right(request: ChatRequest) -> str:
    number = int(request.messages[-1].text.split()[2])
    return "no idea" if number % 3 == 0 else str(number + 1)


async def provenance_of(run: AppRun, split: Split) -> list[dict[str, Any]]:
    return await run.rows(run.paths.provenance(split))


async def assert_traceable(run: AppRun, split: Split) -> None:
    """Compare each example with the row that its provenance names."""
    examples = await run.rows(run.paths.dataset(split))
    provenance = await provenance_of(run, split)
    assert len(provenance) == len(examples) > 0
    for origin, example in zip(provenance, examples, strict=True):
        content = await run.storage.read_path(origin["file"])
        number: int = origin["line"]
        row = json.loads(content.split(b"\n")[number - 1])
        assert row["messages"][0] == example["messages"][0]
        assert row.get("id") == origin.get("id")


async def test_every_example_names_its_row_and_request(new_run: NewRun, teach: Teach) -> None:
    run = new_run()
    unnamed = as_jsonl([{"messages": sum_row(70)["messages"]}])
    await run.begin(sums(8) + b"\n\n{\n" + unnamed + sums(5, first=20), sums(4, first=50))
    async with teach(seldom_right):
        await run.finish()
    records = {record["key"]: record for record in await run.records() if "key" in record}
    for split in run.splits:
        await assert_traceable(run, split)
        for origin in await provenance_of(run, split):
            assert origin["model"] == "local-teacher"
            assert (origin["round"], origin["requests"], origin["reused"]) == (0, 1, False)
            assert records[origin["key"]]["status"] == "accepted"
            assert len(as_jsonl([origin])) <= MAX_BYTES


async def test_rows_held_out_are_traced_to_the_training_set(new_run: NewRun, teach: Teach) -> None:
    run = new_run(holdout={"fraction": 0.4, "seed": 5})
    await run.begin(sums(24))
    async with teach(seldom_right):
        await run.finish()
    for split in ("train", "validation"):
        await assert_traceable(run, split)
        assert {origin["file"] for origin in await provenance_of(run, split)} == {run.train}


@pytest.mark.slow
async def test_provenance_that_the_service_dropped_is_made_again(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(12))
    async with teach(plus_one):
        await run.finish()
    before = await run.contents()
    await run.storage.delete(run.paths.provenance("train"))
    await run.assemble()
    await run.assemble()
    assert await run.contents() == before


async def test_a_resumed_run_says_which_round_asked_for_a_row(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run()
    await run.begin(sums(6))
    async with teach(seldom_right):
        await run.finish()
    await run.resume()
    async with teach(plus_one):
        await run.finish()
    rounds = {origin["line"]: origin["round"] for origin in await provenance_of(run, "train")}
    assert rounds == {1: 1, 2: 0, 3: 0, 4: 1, 5: 0, 6: 0}


@pytest.mark.slow
async def test_reused_answers_and_samples_are_marked(new_run: NewRun, teach: Teach) -> None:
    quality = {"samples": 3, "select": "majority"}
    row = {**sum_row(8), "answer": "10"}
    first = new_run(quality=quality)
    await first.begin(sums(4) + as_jsonl([row]))
    async with teach(plus_one):
        await first.finish()
    origins = await provenance_of(first, "train")
    assert all(origin["samples"] == origin["agreeing"] >= 2 for origin in origins)
    assert [origin.get("agrees") for origin in origins] == [None, None, None, None, False]
    await claim(first.storage, RunRequest.model_validate(first.request))
    run = new_run(quality=quality, reuse=first.paths.run_id)
    await run.begin(sums(6))
    await run.reuse()
    async with teach(plus_one):
        await run.finish()
    origins = await provenance_of(run, "train")
    reused = [(origin["reused"], origin["requests"]) for origin in origins]
    assert reused[:4] == [(True, 0)] * 4
    assert all(not is_reused and requests for is_reused, requests in reused[4:])


async def test_provenance_that_lacks_a_line_fails_the_run(new_run: NewRun, teach: Teach) -> None:
    run = new_run()
    await run.begin(sums(7))
    async with teach(plus_one):
        await run.finish()
    assert (await run.report())["outputs"]["train_provenance"].endswith("/train.provenance.jsonl")
    content = await run.text(run.paths.provenance("train"))
    await run.storage.write(run.paths.provenance("train"), content.partition("\n")[2].encode())
    reported = await run.report()
    assert reported["error"]["code"] == "conservation"
    message = reported["error"]["message"]
    assert "train.provenance.jsonl has 6 lines, but 7 examples" in message
