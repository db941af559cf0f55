"""The scan on real storage finds the same rows and duplicates whatever the ranges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from shared.core.counters import Counters
from shared.core.paths import Split
from shared.core.storage import Storage
from shared.dataset.rejection import RejectedRow
from shared.dataset.rows import as_jsonl
from shared.scan.plan import PlanReader, RangePlan, SplitScan
from shared.scan.stored_scan import ScanSteps, ranges_of
from tests.shared.conftest import RunFolder, question, questions
from tests.support.scripted_shards import ScriptedTeacher, shard_run

LONG = " ".join(f"Heron {name} sees a fish and eats it." for name in "abcdefghi")


def mixed(rows: int, seed: int) -> bytes:
    """Rows of all lengths, some of them twice, some broken, with blank lines between.

    The first one has another reference for every seed.
    """
    random = Random(seed)
    lines: list[bytes] = [as_jsonl([question("What is 1 - 1?", answer=seed)]).strip()]
    lines.append(as_jsonl([question(f"{LONG} Or is it {'so' if seed == 1 else 'true'}?")]).strip())
    for _ in range(rows):
        number = random.randrange(rows)
        row_id = f"row-{number}-{'x' * random.randrange(60)}"
        padded = question(f"What is {number} + 1?", id=row_id, answer=random.randrange(9))
        lines.append(
            random.choice(
                [as_jsonl([padded]).strip(), as_jsonl([padded]).strip(), b"{", b"", b"[]"]
            )
        )
    return b"\n".join(lines)


async def scanned(
    folder: RunFolder, inputs: Mapping[Split, bytes]
) -> tuple[dict[Split, SplitScan], dict[str, list[RejectedRow]]]:
    """What is found by split, and the rejected rows."""
    for split, content in inputs.items():
        await folder.storage.write(folder.paths.input(split), content)
    ranges = await ranges_of(folder.storage, folder.paths, list(inputs))
    found = await ScanSteps(folder.storage, folder.spec, folder.paths, 0, ranges).all()
    rejected: dict[str, list[RejectedRow]] = {split: [] for split in inputs}
    for split, count in ranges.items():
        reader = PlanReader(folder.storage, folder.paths, split)
        for number in range(count):
            rejected[split] += await reader.rejected(number)
    return found, rejected


@pytest.mark.parametrize("width", [1, pytest.param(40, marks=pytest.mark.slow), 333, 5000])
async def test_the_same_is_found_whatever_the_ranges(
    folder: RunFolder, storage: Storage, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 25 if width > 100 else 10  # a range of its own for nearly every line takes many requests
    inputs: dict[Split, bytes] = {
        "train": mixed(rows, seed=1),
        "validation": mixed(rows // 2, seed=2),
    }
    expected = await scanned(folder, inputs)
    assert sum(scan.conflicts.rows for scan in expected[0].values())
    assert expected[0]["validation"].near_duplicates.rows == 1
    monkeypatch.setattr("shared.scan.range_scan.MIN_RANGE_BYTES", width)
    monkeypatch.setattr("shared.scan.range_scan.USUAL_RANGES", 1_000_000 if width > 1 else 6)
    cut = RunFolder(storage, folder.spec)
    found, rejected = await scanned(cut, inputs)
    for split in inputs:
        uncut = expected[0][split]
        assert found[split].model_copy(update={"shards": uncut.shards}) == uncut
        assert rejected[split] == expected[1][split]
        reader = PlanReader(storage, cut.paths, split)
        shards = [shard async for _, shard in reader.shards()]
        assert len(shards) == found[split].shards
        assert sum(shard.rows for shard in shards) == found[split].rows
        assert all(before.last_line < after.first_line for before, after in pairwise(shards))


@pytest.mark.slow
async def test_shards_of_every_range_are_answered_with_the_lines_of_the_file(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.scan.range_scan.MIN_RANGE_BYTES", 150)
    monkeypatch.setattr("shared.scan.range_scan.USUAL_RANGES", 1000)
    content = questions(12) + b"\n{\n" + as_jsonl([question("What is 3 + 1?", id="again")])
    found, _ = await scanned(folder, {"train": content})
    reader, counted, records = (
        PlanReader(folder.storage, folder.paths, "train"),
        list[Counters](),
        list[Any](),
    )
    for index in range(found["train"].shards):
        folder.plans["train"] = RangePlan(shards=[await reader.shard(index)])
        run = shard_run(folder, ScriptedTeacher())
        run.index = index
        counted.append(await run.run())
        records += map(
            json.loads, (await folder.text(folder.paths.journal("train", index))).splitlines()
        )
    assert found["train"].shards > 3
    assert sum(counters.accepted for counters in counted) == 12
    assert sorted(record["line"] for record in records) == [*range(1, 13), 14, 15]
    assert {record["line"]: record.get("reason") for record in records if record["line"] > 12} == {
        14: "invalid_json",
        15: "duplicate",
    }


async def test_what_the_steps_hand_to_each_other_is_deleted_in_the_end(folder: RunFolder) -> None:
    await scanned(folder, {"train": questions(12)})
    names = [name async for name, _ in folder.storage.metadata_under(folder.paths.scan(0))]
    assert names == []


async def test_a_step_that_is_executed_again_changes_nothing(folder: RunFolder) -> None:
    content = mixed(30, seed=3)
    await folder.storage.write(folder.paths.input("train"), content)
    steps = ScanSteps(folder.storage, folder.spec, folder.paths, 0, {"train": 1})
    for _ in range(2):
        await steps.scan_range("train", 0)
    for _ in range(2):
        await steps.find_duplicates(0)
    for _ in range(2):
        await steps.plan_range("train", 0)
    found = await steps.finish()
    other = RunFolder(folder.storage, folder.spec)
    assert (await scanned(other, {"train": content}))[0] == found


async def test_rows_that_are_long_make_shards_of_fewer(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.scan.range_scan.MAX_SHARD_BYTES", 300)
    plan = await folder.add(
        as_jsonl([question(f"What is {n} + 1? {'x' * 140 * (n % 3)}") for n in range(12)])
    )
    assert sum(shard.rows for shard in plan.shards) == 12
    assert {shard.rows for shard in plan.shards} == {1, 2}
    assert all(shard.end - shard.start <= 400 for shard in plan.shards)
