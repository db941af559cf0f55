"""Shards that fail for good, runs that are paused, and other numbers of shards at a time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from local.functions_host.durable.events import Status
from shared.core.backoff import MAX_SHARD_ATTEMPTS, PAUSED_LOOK_SECONDS
from shared.core.ids import generation_id
from shared.generation.shard_losses import MAX_LOST_IN_A_ROW
from shared.runs.contracts import ABANDON_SHARD, GENERATE_SHARD, GENERATE_SPLIT, Event
from tests.support.orchestrator_simulation import Activity, After, Hub, Instance
from tests.support.scripted import RUN_ID, Distillation, failed, ok
from tests.support.small_executions import ACTIVITIES

pytestmark = pytest.mark.usefixtures("small_executions")


def split(
    answer: Activity,
    *,
    shards: int,
    parallel: int = 4,
    max_rejected: int = 100,
    give_up: Activity | None = None,
) -> tuple[Hub, Instance]:
    """The hub and the instance after all has ended."""
    hub = Hub(
        {GENERATE_SHARD: answer, ABANDON_SHARD: give_up or (lambda _: ok(rejected=10, failed=10))}
    )
    payload: dict[str, Any] = {
        "run_id": RUN_ID,
        "split": "train",
        "shards": shards,
        "round": 0,
    }
    request = {**payload, "max_rejected": max_rejected, "parallel": parallel}
    instance = hub.start(GENERATE_SPLIT, generation_id(RUN_ID, "train"), request)
    hub.run()
    assert instance.status is Status.COMPLETED, instance.output
    return hub, instance


def losing(*lost: int) -> Callable[[dict[str, Any]], Any]:
    def answer(payload: dict[str, Any]) -> Any:
        if payload["index"] in lost:
            raise ConnectionError("the lease is broken")
        return After(2, ok())

    return answer


def numbers(hub: Hub, name: str) -> list[int]:
    return [call.input["index"] for call in hub.called(name)]


def test_a_shard_that_fails_for_good_is_given_up_and_all_others_are_answered() -> None:
    hub, instance = split(losing(7), shards=20)
    assert instance.output["status"] == "ok"
    assert "the lease is broken" in instance.output["losses"]["messages"]["7"]
    assert set(numbers(hub, GENERATE_SHARD)) == set(range(20))
    assert numbers(hub, GENERATE_SHARD).count(7) == MAX_SHARD_ATTEMPTS
    (given_up,) = hub.called(ABANDON_SHARD)
    assert "the lease is broken" in given_up.input["reason"]


def test_lost_rows_count_against_the_success_ratio() -> None:
    _, instance = split(losing(2), shards=6, max_rejected=9)
    assert instance.output["status"] == "failed"
    assert "the lease is broken" in instance.output["error"]["message"]
    assert "min_success_ratio" in instance.output["error"]["details"][0]["problem"]


def test_a_shard_that_cannot_even_be_given_up_ends_the_split_with_its_first_reason() -> None:
    _, instance = split(losing(2), shards=6, give_up=losing(2))
    assert instance.output["status"] == "failed"
    assert "the lease is broken" in instance.output["error"]["message"]


def test_shards_that_are_lost_one_after_the_other_end_the_split() -> None:
    hub, instance = split(losing(*range(12)), shards=12)
    assert instance.output["status"] == "failed"
    assert len(hub.called(ABANDON_SHARD)) < MAX_LOST_IN_A_ROW


def test_what_was_lost_is_known_to_the_next_execution_too() -> None:
    _, instance = split(losing(3), shards=ACTIVITIES + 4)
    assert len(instance.inputs) == 2
    assert list(instance.output["losses"]["messages"]) == ["3"]


def test_a_run_with_a_lost_shard_completes_with_a_warning() -> None:
    run = Distillation(
        {"train": 20},
        instead={GENERATE_SHARD: losing(4)},
        spec={"quality": {"min_success_ratio": 0.5}},
    )
    assert run.run().output["status"] == "completed"
    assert any(
        "shard 4 of train failed" in warning and "the lease" in warning
        for warning in run.shown["warnings"]
    )


def test_a_paused_split_asks_one_shard_now_and_then_and_goes_on_where_it_was() -> None:
    hub = Hub(
        {GENERATE_SHARD: lambda _: {"status": "paused"} if 3 < hub.now < 600 else After(5, ok())}
    )
    payload: dict[str, Any] = {
        "run_id": RUN_ID,
        "split": "train",
        "shards": 30,
        "round": 0,
    }
    request = {**payload, "max_rejected": 0, "parallel": 4}
    instance = hub.start(GENERATE_SPLIT, generation_id(RUN_ID, "train"), request)
    hub.run()
    assert instance.output["status"] == "ok"
    looks = [call.started for call in hub.calls if 30 < call.started < 600]
    assert len(looks) <= 600 / PAUSED_LOOK_SECONDS + 5
    assert min(later - earlier for earlier, later in pairwise(looks)) >= PAUSED_LOOK_SECONDS
    assert set(numbers(hub, GENERATE_SHARD)) == set(range(30))
    assert instance.longest_history < 8 * ACTIVITIES
    assert len(instance.inputs) > 1


def test_what_shards_say_of_how_many_are_wanted_at_a_time_is_heeded() -> None:
    def answer(_: dict[str, Any]) -> Any:
        return After(10, ok(parallel=1 if hub.now > 25 else 6))

    hub = Hub({GENERATE_SHARD: answer})
    payload: dict[str, Any] = {
        "run_id": RUN_ID,
        "split": "train",
        "shards": 40,
        "round": 0,
    }
    hub.start(
        GENERATE_SPLIT,
        generation_id(RUN_ID, "train"),
        {**payload, "max_rejected": 0, "parallel": 2},
    )
    hub.run()

    def running(moment: float) -> int:
        return sum(call.started <= moment < (call.ended or 0) for call in hub.calls)

    assert [running(moment) for moment in (5, 15, 25, 75)] == [2, 6, 6, 1]


def test_a_number_of_shards_that_is_asked_for_is_shown_to_running_shards() -> None:
    run = Distillation({"train": 9}, instead={GENERATE_SHARD: lambda _: After(20, ok())})
    run.hub.at(8, lambda: run.hub.raise_event(RUN_ID, Event.CONCURRENCY, 3))
    run.hub.at(12, lambda: run.hub.raise_event(RUN_ID, Event.CONCURRENCY, 5))
    run.hub.run(until=11)
    assert run.shown["parallel_shards"] == 3
    assert run.run().output["status"] == "completed"
    assert run.shown["parallel_shards"] == 5


def test_a_number_that_is_asked_for_before_generation_is_what_it_begins_with() -> None:
    run = Distillation({"train": 30})
    run.hub.at(0.5, lambda: run.hub.raise_event(RUN_ID, Event.CONCURRENCY, 3))
    assert run.run().output["status"] == "completed"
    after_first_wave = run.hub.called(GENERATE_SHARD)[1:]
    first = min(call.started for call in after_first_wave)
    assert sum(call.started == first for call in after_first_wave) == 3


@pytest.mark.slow
def test_a_split_that_fails_while_shards_are_lost_tells_both() -> None:
    def answer(payload: dict[str, Any]) -> Any:
        return After(400, failed("revoked key")) if payload["index"] == 19 else losing(0)(payload)

    run = Distillation({"train": 20}, instead={GENERATE_SHARD: answer})
    run.run()
    assert run.shown["error"]["message"] == "revoked key"
    assert any("shard 0 of train" in warning for warning in run.shown["warnings"])
