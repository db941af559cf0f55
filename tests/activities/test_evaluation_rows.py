"""The test set: checked, kept apart from the other splits, never asked, and in every book."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.dataset.rows import as_jsonl
from tests.activities.conftest import NewRun, Teach
from tests.support.activity_runs import AppRun, sum_row, sums

TEST = sums(4, first=70) + b"{\n" + as_jsonl([sum_row(70), sum_row(1), sum_row(40)])


@pytest.fixture
async def requests() -> list[str]:
    return []


@pytest.fixture
async def run(new_run: NewRun, teach: Teach, requests: list[str]) -> AsyncIterator[AppRun]:
    """A run after fan-in. Of its 8 test rows, one is broken and three are there already."""

    def answer(request: ChatRequest) -> str:
        requests.append(request.messages[-1].text)
        return str(int(requests[-1].split()[2]) + 1)

    made = new_run(rows_per_shard=3)
    await made.upload("test.jsonl", TEST)
    await made.begin(sums(5), sums(2, first=40))
    async with teach(answer):
        await made.finish()
    yield made


async def test_rows_that_are_in_another_split_are_kept_out_of_the_test_set(run: AppRun) -> None:
    await run.report()
    rejected = [row for row in await run.rows(run.paths.rejected) if row["split"] == "test"]
    assert [(row["line"], row["reason"]) for row in rejected] == [
        (5, "invalid_json"),
        (6, "duplicate"),
        (7, "overlap"),
        (8, "overlap"),
    ]
    assert [row["detail"] for row in rejected[2:]] == [
        "the same as line 2 of train",
        "the same as line 1 of validation",
    ]


async def test_the_teacher_is_not_asked_and_nothing_is_spent(
    run: AppRun, requests: list[str]
) -> None:
    assert len(requests) == 7
    scanned = await run.scan()
    assert "test" in scanned["splits"]
    assert scanned["splits"]["test"]["estimate"]["requests"] == 0
    assert scanned["splits"]["test"]["valid"] == 4


async def test_its_rows_are_in_the_books_as_not_asked(run: AppRun) -> None:
    written = await run.report()
    report: dict[str, Any] = await run.storage.read_json(run.paths.report)
    counts = report["counts"]["test"]
    assert (counts["rows"], counts["accepted"], counts["not_asked"]) == (
        8,
        0,
        {"for_evaluation": 4},
    )
    assert sum(counts["rejected"].values()) == 4
    assert "test" not in written["outputs"]
    card = await run.text(run.paths.card)
    assert "| test | 8 | 0 | 4 | 4 |" in card
    assert "4 `for_evaluation` (rows of the test set)." in card


async def test_its_rows_are_in_the_folder_of_the_run_also_after_a_resume(run: AppRun) -> None:
    assert await run.storage.read(run.paths.input("test")) == TEST
    await run.upload("test.jsonl", b"another one")
    scanned = await run.resume()
    assert scanned["splits"]["test"]["rows"] == 8
    assert await run.storage.read(run.paths.input("test")) == TEST


async def test_a_run_that_ends_early_keeps_its_test_rows_apart_from_those_it_did_not_reach(
    new_run: NewRun,
) -> None:
    made = new_run()
    await made.upload("test.jsonl", TEST)
    await made.begin(sums(5))
    await made.report("cancelled")
    counts = (await made.storage.read_json(made.paths.report))["counts"]
    assert counts["train"]["not_asked"] == {"not_reached": 5}
    assert counts["test"]["not_asked"] == {"for_evaluation": 5}
