"""The sliding window of generate_split: never too many shards at once, no needless waiting."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.functions_host.durable.events import Status
from shared.core.backoff import MAX_SHARD_ATTEMPTS, retry_interval
from shared.generation.shard_losses import ShardLosses
from shared.runs.contracts import GENERATE_SHARD, GENERATE_SPLIT
from tests.support.orchestrator_simulation import After, Hub, Instance
from tests.support.scripted import failed, ok
from tests.support.small_executions import ACTIVITIES

SPLIT_ID = "nli-sample-0123456789ab:generate:train"
SUCCEEDED: dict[str, Any] = {
    "status": "ok",
    "error": None,
    "losses": ShardLosses().model_dump(),
    "target": None,
}
pytestmark = pytest.mark.usefixtures("small_executions")


def split(
    answer: Callable[[dict[str, Any]], Any], *, shards: int, parallel: int
) -> tuple[Hub, Instance]:
    """The hub and the instance after all has ended."""
    hub = Hub({GENERATE_SHARD: answer})
    payload = {
        "run_id": "nli-sample-0123456789ab",
        "split": "train",
        "shards": shards,
        "max_rejected": 7,
        "round": 0,
    }
    instance = hub.start(GENERATE_SPLIT, SPLIT_ID, {**payload, "parallel": parallel})
    hub.run()
    assert instance.status is Status.COMPLETED, instance.output
    return hub, instance


def most_at_once(hub: Hub) -> int:
    """Shards in work at the same time, at most."""
    spans = [(call.started, call.ended or float("inf")) for call in hub.calls]
    return max(sum(began <= moment < ended for began, ended in spans) for moment, _ in spans)


def attempts(hub: Hub, index: int) -> list[float]:
    """When a shard was started."""
    return [call.started for call in hub.called(GENERATE_SHARD) if call.input["index"] == index]


def first_shards(instance: Instance) -> list[int]:
    """The first new shard of each execution."""
    return [given.get("window", {}).get("next_number", 0) for given in instance.inputs]


@settings(max_examples=15, deadline=None)
@given(seconds=st.lists(st.integers(1, 40), min_size=1, max_size=12), parallel=st.integers(1, 5))
def test_the_window_is_never_exceeded_and_every_shard_runs_once(
    seconds: list[int], parallel: int
) -> None:
    def answer(payload: dict[str, Any]) -> Any:
        return After(seconds[int(payload["index"])], ok())

    hub, instance = split(answer, shards=len(seconds), parallel=parallel)
    assert instance.output == SUCCEEDED
    assert most_at_once(hub) <= parallel
    assert sorted(call.input["index"] for call in hub.calls) == list(range(len(seconds)))


@settings(max_examples=10, deadline=None)
@given(
    raising=st.dictionaries(st.integers(0, 5), st.integers(1, MAX_SHARD_ATTEMPTS - 1)),
    parallel=st.integers(1, 4),
)
def test_shards_that_raise_now_and_then_are_all_answered_in_the_end(
    raising: dict[int, int], parallel: int
) -> None:
    remaining = dict(raising)

    def answer(payload: dict[str, Any]) -> Any:
        if remaining.get(payload["index"], 0):
            remaining[payload["index"]] -= 1
            raise ConnectionError("throttled")
        return After(3, ok())

    hub, instance = split(answer, shards=6, parallel=parallel)
    assert instance.output == SUCCEEDED
    assert most_at_once(hub) <= parallel
    assert {index: len(attempts(hub, index)) for index in range(6)} == {
        n: raising.get(n, 0) + 1 for n in range(6)
    }


def test_a_slow_shard_keeps_no_other_waiting() -> None:
    hub, _ = split(
        lambda payload: After(1000 if payload["index"] == 0 else 1, ok()), shards=6, parallel=2
    )
    assert [call.started for call in hub.calls] == [0, 0, 1, 2, 3, 4]


def test_shards_that_each_lose_a_few_rows_end_the_split_once_they_are_too_many_together() -> None:
    hub, instance = split(lambda _: ok(accepted=8, rejected=2, failed=2), shards=20, parallel=1)
    assert len(hub.calls) == 4  # 8 rows, of which 7 may be lost
    assert instance.output["error"]["code"] == "success_ratio"
    assert "8 train rows failed" in instance.output["error"]["message"]


def test_rows_lost_by_earlier_executions_count_too() -> None:
    losing = {0: 4, ACTIVITIES + 2: 4}
    hub, instance = split(
        lambda payload: ok(failed=losing.get(payload["index"], 0)), shards=40, parallel=10
    )
    assert ACTIVITIES < len(hub.calls) < 40
    assert instance.output["error"]["code"] == "success_ratio"


def test_shards_are_named_by_number_alone() -> None:
    hub, _ = split(lambda _: ok(), shards=1, parallel=1)
    assert hub.calls[0].input == {
        "run_id": "nli-sample-0123456789ab",
        "split": "train",
        "max_rejected": 7,
        "round": 0,
        "index": 0,
        "needed": None,
        "keeps_failed": False,
    }


def test_a_shard_that_raises_is_tried_again_after_ever_longer_pauses() -> None:
    def answer(_: dict[str, Any]) -> Any:
        raise ConnectionError("throttled")

    hub, instance = split(answer, shards=1, parallel=2)
    started = attempts(hub, 0)
    pauses = [later - earlier - 1 for earlier, later in pairwise(started)]
    assert pauses == pytest.approx([retry_interval(n) for n in range(1, MAX_SHARD_ATTEMPTS)])
    assert pauses == sorted(pauses)
    assert instance.output["status"] == "failed"
    assert "throttled" in instance.output["error"]["message"]


def test_the_others_go_on_while_a_shard_waits_to_be_tried_again() -> None:
    tried: list[int] = []

    def answer(payload: dict[str, Any]) -> Any:
        tried.append(payload["index"])
        if tried.count(0) == 1 and payload["index"] == 0:
            raise ConnectionError("throttled")
        return ok()

    hub, _ = split(answer, shards=4, parallel=1)
    assert tried == [0, 1, 2, 3, 0]
    assert attempts(hub, 0)[1] == pytest.approx(1 + retry_interval(1))


def test_a_shard_whose_time_has_come_again_goes_before_new_ones() -> None:
    tried: list[int] = []

    def answer(payload: dict[str, Any]) -> Any:
        tried.append(payload["index"])
        if tried == [0]:
            raise ConnectionError("throttled")
        return After(10, ok())

    split(answer, shards=4, parallel=1)
    assert tried == [0, 1, 0, 2, 3]


def test_a_shard_whose_time_was_up_goes_on_before_new_ones_and_as_often_as_it_takes() -> None:
    tried: list[int] = []

    def answer(payload: dict[str, Any]) -> Any:
        tried.append(payload["index"])
        return {"status": "unfinished"} if payload["index"] == 1 and tried.count(1) < 12 else ok()

    _, instance = split(answer, shards=3, parallel=1)
    assert instance.output == SUCCEEDED
    assert tried == [0, *[1] * 12, 2]


def test_an_execution_whose_shards_take_long_leaves_more_of_them_to_the_next_one() -> None:
    remaining = dict.fromkeys(range(14), 1)

    def answer(payload: dict[str, Any]) -> Any:
        remaining[payload["index"]] -= 1
        return ok() if remaining[payload["index"]] < 0 else {"status": "unfinished"}

    hub, instance = split(answer, shards=14, parallel=8)
    assert first_shards(instance) == [0, ACTIVITIES // 2]
    assert len(hub.calls) == 28


def test_a_failed_shard_stops_the_launching_and_tells_those_that_run() -> None:
    def answer(payload: dict[str, Any]) -> Any:
        return After(5, failed("revoked key")) if payload["index"] == 1 else After(8, ok())

    hub, instance = split(answer, shards=50, parallel=3)
    assert [call.input["index"] for call in hub.calls] == [0, 1, 2]
    assert instance.custom_statuses == [(5.0, {"stopping": True})]
    assert instance.output["error"]["message"] == "revoked key"
    assert hub.now >= 8


def test_the_first_failure_is_the_one_that_is_told() -> None:
    hub, instance = split(
        lambda payload: After(1 + payload["index"], failed(f"failure {payload['index']}")),
        shards=9,
        parallel=3,
    )
    assert instance.output["error"]["message"] == "failure 0"
    assert len(hub.calls) == 3


def test_a_stopped_shard_ends_the_split_as_stopped() -> None:
    hub, instance = split(lambda _: {"status": "stopped"}, shards=9, parallel=2)
    assert (instance.output, len(hub.calls)) == ({**SUCCEEDED, "status": "stopped"}, 2)


def test_waiting_for_the_last_shards_of_a_failed_split_costs_no_history() -> None:
    def answer(payload: dict[str, Any]) -> Any:
        if payload["index"] == 0:
            raise ConnectionError("throttled")
        return After(2, failed("revoked key")) if payload["index"] == 1 else After(3000, ok())

    hub, instance = split(answer, shards=3, parallel=3)
    assert len(attempts(hub, 0)) == 1
    assert instance.longest_history < 60


def test_more_shards_than_one_execution_takes_are_continued_as_new_with_a_bounded_history() -> None:
    shards = 2 * ACTIVITIES + 9
    hub, instance = split(lambda _: ok(), shards=shards, parallel=7)
    assert first_shards(instance) == [
        0,
        ACTIVITIES,
        2 * ACTIVITIES,
    ]
    assert sorted(call.input["index"] for call in hub.calls) == list(range(shards))
    assert instance.longest_history < 5 * ACTIVITIES


def test_a_failure_ends_a_split_of_many_shards_without_another_execution() -> None:
    _, instance = split(
        lambda payload: failed("revoked key") if payload["index"] == 9 else ok(),
        shards=2 * ACTIVITIES,
        parallel=8,
    )
    assert (len(instance.inputs), instance.output["status"]) == (1, "failed")


def test_a_split_without_rows_has_nothing_to_do() -> None:
    hub, instance = split(lambda _: ok(), shards=0, parallel=2)
    assert (hub.calls, instance.output) == ([], SUCCEEDED)
