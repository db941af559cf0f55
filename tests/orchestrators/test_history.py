"""Histories are replayed at every step, so they hold names and counts, however many rows."""

from __future__ import annotations

import json

import pytest

from orchestrators.durable.sliding_window import ACTIVITIES_PER_EXECUTION
from shared.runs.contracts import GENERATE_SHARD, PREPARE_RUN, READ_PROGRESS, WRITE_REPORT
from tests.support.orchestrator_simulation import After
from tests.support.scripted import REFERENCES, Distillation, ok
from tests.support.small_executions import ACTIVITIES


def test_the_roots_history_does_not_grow_with_the_dataset() -> None:
    lengths: list[int] = []
    for shards in (2, 40):
        run = Distillation(
            {"train": shards},
            spec={"generation": {"parallel_shards": 64}},
            instead={GENERATE_SHARD: lambda _: After(30, ok())},
        )
        run.run()
        lengths.append(run.root.longest_history)
    assert lengths[0] == lengths[1]


def test_a_root_that_waits_looks_ever_more_seldom() -> None:
    run = Distillation({"train": 1}, instead={GENERATE_SHARD: lambda _: After(3600, ok())})
    looks: list[int] = []
    for minutes in (3, 30):
        run.hub.run(until=60 * minutes)
        looks.append(len(run.hub.called(READ_PROGRESS)))
    assert looks[1] < 2 * looks[0] < 100


def test_activities_are_given_references_alone() -> None:
    run = Distillation({"train": 3, "validation": 2})
    run.run()
    for call in run.hub.calls:
        if call.name not in (PREPARE_RUN, WRITE_REPORT):
            assert set(call.input) <= REFERENCES, call.name
            assert len(json.dumps(call.input)) < 500, call.name


@pytest.mark.parametrize("shards", [ACTIVITIES - 1, ACTIVITIES, ACTIVITIES + 1])
@pytest.mark.usefixtures("small_executions")
def test_runs_of_about_one_executions_shards_lose_none(shards: int) -> None:
    run = Distillation({"train": shards}, spec={"generation": {"parallel_shards": 8}})
    assert run.run().output["status"] == "completed"
    assert len(run.hub.called(GENERATE_SHARD)) == shards


def test_one_executions_history_is_neither_long_nor_often_begun_anew() -> None:
    assert 100 <= ACTIVITIES_PER_EXECUTION <= 500
