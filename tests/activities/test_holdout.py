"""Rows held out for validation: always the same accepted rows, and the job gets them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.emulators.teacher import ChatRequest
from shared.generation.blocks import holdout
from shared.runs.contracts import SUBMIT_FINETUNING
from shared.spec.parse import parse_spec
from tests.activities.conftest import NewRun, OpenWorkspace, Teach
from tests.support.activity_runs import AppRun, sums

ODD = (4, 17)  # rows that are never answered


def plus_one(request: ChatRequest) -> str:
    number = int(request.messages[-1].text.split()[2])
    return "many" if number in ODD else str(number + 1)


@pytest.fixture
async def run(new_run: NewRun, teach: Teach) -> AsyncIterator[AppRun]:
    """A run of 40 rows, of which 38 were accepted and about a quarter is held out."""
    made = new_run(rows_per_shard=10, holdout={"fraction": 0.25, "seed": 3})
    await made.begin(sums(40))
    async with teach(plus_one):
        await made.finish()
    yield made


async def questions_in(run: AppRun, name: str) -> list[int]:
    return [int(row["messages"][0]["content"].split()[2]) for row in await run.rows(name)]


def lines_held_out(rows: int, **settings: Any) -> set[int]:
    spec = parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl", "holdout": settings})
    is_held_out = holdout(spec, "train")
    return {line for line in range(1, rows + 1) if is_held_out(line)}


def test_the_same_seed_holds_out_the_same_rows_whatever_the_others_are() -> None:
    first = lines_held_out(1000, fraction=0.1, seed=7)
    assert lines_held_out(1000, fraction=0.1, seed=7) == first
    assert lines_held_out(500, fraction=0.1, seed=7) == {line for line in first if line <= 500}
    assert lines_held_out(1000, fraction=0.1, seed=8) != first
    assert first < lines_held_out(1000, fraction=0.2, seed=7)


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5])
def test_about_the_fraction_is_held_out(fraction: float) -> None:
    assert abs(len(lines_held_out(10_000, fraction=fraction)) / 10_000 - fraction) < 0.02


def test_nothing_is_held_out_unless_asked_for_and_never_of_a_validation_set() -> None:
    assert lines_held_out(1000) == set()
    spec = parse_spec(
        {"task": "math", "train": "datasets/math/x/train.jsonl", "holdout": {"fraction": 0.5}}
    )
    assert not any(map(holdout(spec, "validation"), range(1000)))


async def test_every_accepted_row_is_in_one_of_both_datasets_in_input_order(run: AppRun) -> None:
    train, validation = [
        await questions_in(run, run.paths.dataset(split)) for split in ("train", "validation")
    ]
    assert sorted(train + validation) == [number for number in range(40) if number not in ODD]
    assert (train, validation) == (sorted(train), sorted(validation))
    assert {number + 1 for number in validation} <= lines_held_out(40, fraction=0.25, seed=3)
    counters = (await run.progress())["train"]
    assert (counters["accepted"], counters["held_out"]) == (38, len(validation))
    assert len(validation) > 3


async def test_a_second_execution_changes_no_byte(run: AppRun, teach: Teach) -> None:
    before = await run.contents()
    async with teach(plus_one) as teacher:
        await run.finish()
    assert await run.contents() == before
    assert not teacher.records


@pytest.mark.slow
async def test_blocks_that_the_service_dropped_are_made_again(run: AppRun) -> None:
    before = await run.contents()
    for split in ("train", "validation"):
        await run.storage.delete(run.paths.dataset(split))
    await run.assemble()
    assert await run.contents() == before


async def test_the_report_describes_both_datasets(run: AppRun) -> None:
    assert (await run.report())["status"] == "ok"
    report = await run.storage.read_json(run.paths.report)
    held_out = report["counts"]["train"]["held_out"]
    assert report["outputs"]["validation"]["lines"] == held_out
    assert report["outputs"]["train"]["lines"] == 38 - held_out
    assert sum(report["datasets"]["validation"]["answers"].values()) == held_out


async def test_a_held_out_row_that_was_lost_fails_the_report(run: AppRun) -> None:
    content = await run.text(run.paths.dataset("validation"))
    await run.storage.write(run.paths.dataset("validation"), content.partition("\n")[2].encode())
    assert (await run.report())["error"]["code"] == "conservation"


async def test_a_fraction_of_zero_makes_no_validation_set(new_run: NewRun, teach: Teach) -> None:
    run = new_run(holdout={"fraction": 0})
    await run.begin(sums(5))
    async with teach(plus_one):
        await run.finish()
    assert "validation.jsonl" not in await run.names()
    assert len(await questions_in(run, run.paths.dataset("train"))) == 4


async def test_the_fine_tuning_job_gets_the_rows_that_were_held_out(
    run: AppRun, open_workspace: OpenWorkspace
) -> None:
    workspace = open_workspace()
    run.client.statuses[run.paths.run_id] = {"runtimeStatus": "Running"}
    submitted = await run.call(SUBMIT_FINETUNING, splits=["train", "validation"])
    assert submitted["status"] == "ok", submitted
    job = workspace.ask(f"jobs/{run.paths.run_id}")[1]["properties"]["fineTuningDetails"]
    assert job["validationData"]["uri"].endswith(f"/{run.paths.run_id}/validation.jsonl")
