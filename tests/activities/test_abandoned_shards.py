"""A shard that fails for good: its rows are rejected, and every other row is in the dataset."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.dataset.rows import as_jsonl
from shared.runs.contracts import ABANDON_SHARD
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, answered, plus_one, sums

WHY = "the lease is broken"


async def given_up(run: AppRun, index: int) -> dict[str, Any]:
    return await run.call(ABANDON_SHARD, split="train", index=index, reason=WHY, round=run.round)


async def test_of_twenty_shards_nineteen_are_in_the_dataset_and_the_lost_ones_rows_are_named(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(rows_per_shard=5)
    await run.begin(sums(100))
    async with teach(plus_one):
        for index in range(20):
            if index != 7:
                assert (await run.generate(index))["status"] == "ok"
        assert await given_up(run, 7) == answered(accepted=0, rejected=5, failed=5)
    counters = (await run.assemble())["counters"]
    assert (counters["rows"], counters["accepted"], counters["rejected"]) == (
        100,
        95,
        {"shard_failed": 5},
    )
    assert (await run.report())["status"] == "ok"
    assert len(await run.rows(run.paths.dataset("train"))) == 95
    lost = await run.rows(run.paths.rejected)
    assert [(row["line"], row["id"], row["reason"], row["detail"]) for row in lost] == [
        (line, f"sum-{line - 1}", "shard_failed", WHY) for line in range(36, 41)
    ]
    (reason,) = json.loads(await run.text(run.paths.report))["reasons"]
    assert "resume" in reason["remedy"]


async def test_what_a_lost_shard_had_answered_stays_and_a_resumption_asks_for_the_rest(
    new_run: NewRun, teach: Teach, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(rows_per_shard=10, teacher={"concurrency": 1})
    await run.begin(sums(10))
    monkeypatch.setattr("shared.generation.shard.WORK_SECONDS", 0.2)
    async with teach(plus_one, latency_ms=60):
        assert (await run.generate())["status"] == "unfinished"
    answered_rows = (await run.progress())["train"]["done"]
    monkeypatch.setattr("shared.generation.shard.WORK_SECONDS", 600)
    assert (await given_up(run, 0))["accepted"] == answered_rows
    await run.assemble()
    await run.resume()
    async with teach(plus_one) as teacher:
        assert (await run.generate())["accepted"] == 10
    assert 0 < answered_rows < 10
    assert len(teacher.records) == 10 - answered_rows


async def test_rows_that_were_bad_from_the_start_keep_their_own_reason(new_run: NewRun) -> None:
    run = new_run(rows_per_shard=10)
    await run.begin(
        sums(3) + b"{\n" + as_jsonl([{"messages": [{"role": "user", "content": "What is 1 + 1?"}]}])
    )
    assert (await given_up(run, 0))["failed"] == 3
    reasons = [record["reason"] for record in await run.records()]
    assert reasons == ["shard_failed"] * 3 + ["invalid_json", "duplicate"]


async def test_the_same_again_changes_nothing(new_run: NewRun) -> None:
    run = new_run(rows_per_shard=5)
    await run.begin(sums(5))
    first = await given_up(run, 0)
    before = await run.contents()
    assert await given_up(run, 0) == first
    assert await run.contents() == before
