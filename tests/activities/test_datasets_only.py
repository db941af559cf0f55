"""Runs that end with their datasets, because `student` is null, and those that go on later."""

from __future__ import annotations

from typing import Any

import pytest

from shared.dataset.rows import as_jsonl
from shared.runs.contracts import PREFLIGHT
from tests.activities.conftest import Configure, NewRun, Teach
from tests.support.activity_runs import AppRun, plus_one, sum_row, sums

SERVICES = ("AZUREML_SUBSCRIPTION_ID", "AZUREML_RESOURCE_GROUP", "AZUREML_WORKSPACE")
PHI_4K = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/15"
WORDS = 5000  # more than PHI_4K takes


@pytest.fixture
def no_service(app: Configure) -> None:
    app(**dict.fromkeys(SERVICES))


def long_row(number: int) -> dict[str, Any]:
    system = {"role": "system", "content": "word " * WORDS}
    row = sum_row(number)
    return {**row, "messages": [system, *row["messages"]]}


async def learned_from(run: AppRun) -> list[str]:
    """The last question of each example."""
    return [row["messages"][-2]["content"] for row in await run.rows(run.paths.dataset("train"))]


@pytest.mark.usefixtures("no_service")
async def test_a_few_rows_become_datasets_without_a_fine_tuning_service(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(student=None)
    assert (await run.begin(sums(2)))["status"] == "ok"
    async with teach():
        passed = await run.call(PREFLIGHT)
        assert (passed["status"], passed["warnings"]) == ("ok", [])
    async with teach(plus_one):
        await run.finish()
    assert (await run.report())["status"] == "ok"
    assert await learned_from(run) == ["What is 0 + 1?", "What is 1 + 1?"]
    assert "ends with its datasets" in await run.text(run.paths.card)
    document = await run.storage.read_json(run.paths.specification)
    assert document["student"] is None


@pytest.mark.usefixtures("no_service")
async def test_a_run_with_a_student_needs_a_service(new_run: NewRun) -> None:
    run = new_run()
    await run.arrive(sums(2))
    error = (await run.prepare())["error"]
    assert error["code"] == "settings"
    assert {problem["where"] for problem in error["details"]} == set(SERVICES)


async def test_a_student_that_is_named_later_gets_the_rows_that_it_can_take(
    new_run: NewRun, teach: Teach
) -> None:
    run = new_run(student=None)
    async with teach(plus_one) as teacher:
        await run.begin(as_jsonl([sum_row(0), long_row(1), sum_row(2)]))
        await run.finish()
        assert len(await learned_from(run)) == 3
        resumed = await run.resume(student={"model": PHI_4K})
        assert resumed["splits"]["train"]["valid"] == 2
        await run.finish()
    assert len(teacher.records) == 3
    assert await learned_from(run) == ["What is 0 + 1?", "What is 2 + 1?"]
    assert (await run.report())["status"] == "ok"
    [rejected] = await run.rows(run.paths.rejected)
    assert (rejected["line"], rejected["reason"]) == (2, "too_long")


async def test_a_run_resumed_without_a_student_ends_with_its_datasets(new_run: NewRun) -> None:
    run = new_run()
    await run.begin(sums(2))
    await run.resume(student=None)
    document = await run.storage.read_json(run.paths.specification)
    assert document["student"] is None
