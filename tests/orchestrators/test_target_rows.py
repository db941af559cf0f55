"""`quality.target_rows`: shards begin in order, and none that isn't needed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.functions_host.durable.events import Status
from shared.core.backoff import MAX_SHARD_ATTEMPTS
from shared.generation.split_target import SplitTarget
from shared.runs.contracts import (
    ABANDON_SHARD,
    ASSEMBLE_SPLIT,
    GENERATE_SHARD,
    GENERATE_SPLIT,
    READ_PROGRESS,
    SEAL_UNNEEDED,
)
from tests.support.orchestrator_simulation import Activity, After, Hub, Instance
from tests.support.scripted import ROWS, RUN_ID, SPEC, Distillation, counters, failed, ok

SPLIT_ID = f"{RUN_ID}:generate:train"
SEALED_AT_ONCE = 3
pytestmark = pytest.mark.usefixtures("small_executions")


class Split:
    """A split whose shards accept so many of their ROWS rows each."""

    def __init__(self, acceptable: list[int], target: int, *, parallel: int = 4) -> None:
        self.acceptable = acceptable
        self.contributed = [0] * len(acceptable)
        self.bought = 0
        self.seconds = [1] * len(acceptable)
        self.unfinished: dict[int, int] = {}
        self.raising: dict[int, int] = {}
        self.hub = Hub(
            {
                GENERATE_SHARD: self._generate,
                ABANDON_SHARD: lambda _: ok(contributed=0, failed=0),
                SEAL_UNNEEDED: self._seal,
            }
        )
        self.request = {
            "run_id": RUN_ID,
            "split": "train",
            "shards": len(acceptable),
            "max_rejected": 10_000,
            "parallel": parallel,
            "target": SplitTarget(rows=target, rows_per_shard=ROWS).model_dump(),
        }

    def run(self) -> Instance:
        instance = self.hub.start(GENERATE_SPLIT, SPLIT_ID, self.request)
        self.hub.run()
        assert instance.status is Status.COMPLETED, instance.output
        return instance

    @property
    def begun(self) -> list[int]:
        return list(dict.fromkeys(call.input["index"] for call in self.hub.called(GENERATE_SHARD)))

    def _generate(self, payload: dict[str, Any]) -> Any:
        index: int = payload["index"]
        if self.unfinished.get(index, 0):
            self.unfinished[index] -= 1
            return After(self.seconds[index], {"status": "unfinished"})
        if self.raising.get(index, 0):
            self.raising[index] -= 1
            raise ConnectionError("throttled")
        needed = ROWS if payload["needed"] is None else payload["needed"]
        self.contributed[index] = min(needed, self.acceptable[index])
        return After(self.seconds[index], ok(contributed=self.contributed[index]))

    @staticmethod
    def _seal(payload: dict[str, Any]) -> Any:
        return ok(next=payload["first"] + SEALED_AT_ONCE)


@settings(max_examples=40, deadline=None)
@given(
    acceptable=st.lists(st.integers(0, ROWS), min_size=1, max_size=14),
    seconds=st.lists(st.integers(1, 40), min_size=14, max_size=14),
    unfinished=st.dictionaries(st.integers(0, 13), st.integers(1, 2), max_size=4),
    raising=st.dictionaries(st.integers(0, 13), st.integers(1, MAX_SHARD_ATTEMPTS - 1), max_size=3),
    target=st.integers(1, 120),
    parallel=st.integers(1, 5),
)
def test_the_first_accepted_rows_make_up_the_target_whichever_shard_ends_first(
    acceptable: list[int],
    seconds: list[int],
    unfinished: dict[int, int],
    raising: dict[int, int],
    target: int,
    parallel: int,
) -> None:
    split = Split(acceptable, target, parallel=parallel)
    split.seconds = seconds
    split.unfinished = unfinished
    split.raising = raising
    assert split.run().output["status"] == "ok"
    expected: list[int] = []
    for count in acceptable:
        expected.append(min(count, target - sum(expected)))
    assert split.contributed == expected
    last = len(acceptable)
    if sum(acceptable) >= target:
        last = 1 + next(n for n in range(last) if sum(acceptable[: n + 1]) >= target)
    assert split.begun == list(range(last))
    sealed = [call.input["first"] for call in split.hub.called(SEAL_UNNEEDED)]
    assert sealed == list(range(last, len(acceptable), SEALED_AT_ONCE))


def test_shards_that_are_needed_whatever_becomes_of_others_run_side_by_side() -> None:
    split = Split([ROWS] * 10, target=8 * ROWS, parallel=4)
    split.seconds = [20] * 10
    split.run()
    starts = [call.started for call in split.hub.called(GENERATE_SHARD)]
    assert starts == [0] * 4 + [20] * 4
    assert split.begun == list(range(8))


def test_an_abandoned_shard_has_no_more_rows_than_are_needed_of_it() -> None:
    split = Split([ROWS, ROWS, ROWS], target=ROWS + 4)
    split.raising = {1: MAX_SHARD_ATTEMPTS}
    split.run()
    [abandoned] = split.hub.called(ABANDON_SHARD)
    assert (abandoned.input["index"], abandoned.input["needed"]) == (1, 4)
    assert split.contributed == [ROWS, 0, 4]


def sealing(shards: int) -> Activity:
    def seal(_: dict[str, Any]) -> Any:
        return ok(next=shards)

    return seal


def generating(payload: dict[str, Any]) -> Any:
    needed = payload["needed"]
    count = ROWS if needed is None else min(needed, ROWS)
    return ok(accepted=count, contributed=count)


def run_of(
    target: int, *, instead: dict[str, Activity] | None = None, **request: Any
) -> Distillation:
    """Six shards of training rows, all acceptable."""
    shards = 6
    quality = {**SPEC["quality"], "target_rows": target}
    generation = {"parallel_shards": 2, "rows_per_shard": ROWS}
    usual: dict[str, Activity] = {GENERATE_SHARD: generating, SEAL_UNNEEDED: sealing(shards)}
    return Distillation(
        {"train": shards, "validation": 2},
        spec={"quality": quality, "generation": generation},
        instead={**usual, **(instead or {})},
        **request,
    )


def train_shards(run: Distillation) -> list[tuple[int, int | None]]:
    calls = run.hub.called(GENERATE_SHARD)
    return [
        (call.input["index"], call.input["needed"])
        for call in calls
        if call.input["split"] == "train"
    ]


def test_the_first_wave_counts_and_validation_is_answered_in_full() -> None:
    run = run_of(3 * ROWS + 2)
    assert run.run().output["status"] == "completed"
    assert train_shards(run) == [(0, None), (1, None), (2, None), (3, 2)]
    [sealed] = run.hub.called(SEAL_UNNEEDED)
    assert sealed.input == {"run_id": RUN_ID, "split": "train", "first": 4}
    validation = [call for call in run.hub.called(GENERATE_SHARD) if call.input["index"] < 2]
    assert [call.input["needed"] for call in validation if call.input["split"] == "validation"] == [
        None,
        None,
    ]


def test_a_first_wave_that_reaches_the_target_is_all_that_is_asked() -> None:
    run = run_of(ROWS)
    assert run.run().output["status"] == "completed"
    assert train_shards(run) == [(0, None)]
    # the other shard of the wave, then those after it
    assert [call.input["first"] for call in run.hub.called(SEAL_UNNEEDED)] == [1, 2]


def test_shards_that_cannot_be_sealed_fail_the_run() -> None:
    def seal(_: dict[str, Any]) -> Any:
        return failed("no space")

    run = run_of(ROWS, instead={SEAL_UNNEEDED: seal})
    assert run.run().status is Status.FAILED
    assert run.shown["error"]["message"] == "no space"


@pytest.mark.parametrize(
    ("accepted", "spare", "keeps_failed"), [(20, 0, True), (10, 10, True), (10, 9, False)]
)
def test_a_resumed_run_that_has_enough_rows_asks_no_failed_one_again(
    accepted: int, spare: int, keeps_failed: bool
) -> None:
    stored = {"train": counters(60, accepted, spare=spare), "validation": counters(20)}

    def progress(_: dict[str, Any]) -> Any:
        return ok(splits=stored)

    run = run_of(20, round=1, instead={READ_PROGRESS: progress})
    run.run()
    inputs = [call.input for call in run.hub.called(GENERATE_SHARD)]
    kept = {call["keeps_failed"] for call in inputs if call["split"] == "train"}
    assert kept == {keeps_failed}


def test_a_dataset_that_ends_before_the_target_completes_with_a_warning() -> None:
    def assembled(payload: dict[str, Any]) -> Any:
        return ok(counters=counters(ROWS * payload["shards"]))

    run = run_of(61, instead={ASSEMBLE_SPLIT: assembled})
    assert run.run().output["status"] == "completed"
    [before, after] = [text for text in run.shown["warnings"] if "target_rows" in text]
    assert before.startswith("quality.target_rows takes 61 accepted rows, but the training set has")
    assert after.startswith(
        "quality.target_rows is 61, but the dataset ended with 60 accepted rows"
    )
