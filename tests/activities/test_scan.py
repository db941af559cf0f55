"""scan_dataset: what is in the dataset, found before the teacher is paid."""

from __future__ import annotations

import json

import pytest

from shared.core.paths import ASKED_SPLITS
from shared.dataset.rows import as_jsonl
from shared.runs.contracts import FIND_DUPLICATES, FINISH_SCAN, PLAN_RANGE, SCAN_RANGE
from tests.activities.conftest import NewRun
from tests.support.activity_runs import sum_row, sums

SECRET = "the colour of the heron"


async def test_rows_are_counted_and_cut_into_shards(new_run: NewRun) -> None:
    run = new_run(rows_per_shard=5)
    scanned = await run.begin(sums(12), sums(3, first=50))
    train, validation = scanned["splits"]["train"], scanned["splits"]["validation"]
    assert (train["rows"], train["valid"], train["rejected"], train["shards"]) == (12, 12, {}, 3)
    assert (validation["rows"], validation["valid"], validation["shards"]) == (3, 3, 1)
    assert train["estimate"]["prompt_tokens"] > 0
    shards = (await run.storage.read_json(run.paths.planned("train", 0)))["shards"]
    assert [shard["rows"] for shard in shards] == [5, 5, 2]
    assert (shards[0]["start"], shards[-1]["end"]) == (0, len(sums(12)))


async def test_bad_rows_duplicates_and_overlap_are_found_with_line_and_reason(
    new_run: NewRun,
) -> None:
    run = new_run()
    scanned = await run.begin(
        b"{\n" + sums(3) + b"\n" + as_jsonl([sum_row(1), {"id": "x", "messages": []}]),
        sums(4, first=2),
    )
    assert scanned["splits"]["train"]["rejected"] == {
        "duplicate": 1,
        "invalid_json": 1,
        "missing_messages": 1,
    }
    assert scanned["splits"]["validation"]["rejected"] == {"overlap": 1}
    names = [run.paths.planned_rejected(split, 0) for split in ASKED_SPLITS]
    duplicates = [
        (row["split"], row["line"], row["id"], row["reason"])
        for name in names
        for row in await run.rows(name)
    ]
    assert duplicates == [
        ("train", 1, None, "invalid_json"),
        ("train", 6, "sum-1", "duplicate"),
        ("train", 7, "x", "missing_messages"),
        ("validation", 1, "sum-2", "overlap"),
    ]


async def test_examples_of_what_is_wrong_are_few_and_quote_no_row(new_run: NewRun) -> None:
    rows = [{"messages": [{"role": "bard", "content": SECRET}], "id": SECRET}] * 20
    scanned = await new_run().begin(as_jsonl(rows))
    assert len(scanned["splits"]["train"]["samples"]) == 5
    assert SECRET not in json.dumps(scanned)


async def test_an_empty_dataset_has_no_rows_and_no_shards(new_run: NewRun) -> None:
    for content in (b"", b"\n \r\n"):
        scanned = await new_run().begin(content)
        assert (scanned["splits"]["train"]["rows"], scanned["splits"]["train"]["shards"]) == (0, 0)


async def test_the_answer_is_as_small_for_many_rows_as_for_few(new_run: NewRun) -> None:
    few, many = [await new_run(rows_per_shard=1).begin(sums(count)) for count in (1, 200)]
    assert len(json.dumps(many)) < len(json.dumps(few)) + 50


@pytest.mark.slow
async def test_large_inputs_that_are_scanned_by_several_activities_have_the_same_plan(
    new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.scan.range_scan.MIN_RANGE_BYTES", 400)
    monkeypatch.setattr("shared.scan.range_scan.USUAL_RANGES", 1000)
    run = new_run(rows_per_shard=3)
    expected = await run.begin(sums(30) + b"{\n" + sums(2, first=7), sums(9, first=25))
    before = await run.contents()
    prepared = await run.prepare()
    ranges: dict[str, int] = prepared["ranges"]
    assert min(ranges.values()) > 1
    payload = {"ranges": ranges, "round": 0}
    places = [(split, number) for split, count in ranges.items() for number in range(count)]
    for split, number in places:
        assert (await run.call(SCAN_RANGE, **payload, split=split, number=number))["status"] == "ok"
    for number in range(len(places)):
        assert (await run.call(FIND_DUPLICATES, **payload, number=number))["status"] == "ok"
    for split, number in places:
        assert (await run.call(PLAN_RANGE, **payload, split=split, number=number))["status"] == "ok"
    assert await run.call(FINISH_SCAN, **payload) == expected
    assert await run.contents() == before
