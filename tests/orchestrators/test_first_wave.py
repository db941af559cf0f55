"""The first rows are answered alone, and decide whether the others are asked."""

from __future__ import annotations

from typing import Any

import pytest

from local.functions_host.durable.events import Status
from shared.runs.contracts import (
    ASSEMBLE_SPLIT,
    GENERATE_SHARD,
    READ_FIRST_WAVE,
    READ_PROGRESS,
)
from tests.support.orchestrator_simulation import After
from tests.support.scripted import ROWS, Distillation, counters, failed, ok

USELESS: dict[str, Any] = {
    "usable": 2,
    "unusable": 8,
    "reasons": {"unreadable": 7, "truncated": 1},
    "replies": [
        {"line": 1, "usable": False, "reason": "unreadable", "detail": "no label", "reply": "Hm."}
    ],
}
TAKEN: dict[str, Any] = {
    "usable": ROWS,
    "taken": {"requests": 20, "prompt_tokens": 800, "completion_tokens": 4000},
    "estimated": {"requests": 10, "prompt_tokens": 1000, "completion_tokens": 100},
}
SCAN: dict[str, Any] = {
    **Distillation.scanned(10),
    "estimate": {"requests": 100, "prompt_tokens": 10_000, "completion_tokens": 1000},
}


def shards_of(run: Distillation) -> list[tuple[str, int]]:
    return [(call.input["split"], call.input["index"]) for call in run.hub.called(GENERATE_SHARD)]


def test_no_other_row_is_asked_before_the_first_ones_are_judged() -> None:
    run = Distillation({"train": 3, "validation": 2})
    run.run()
    first, *others = run.hub.called(GENERATE_SHARD)
    [judged] = run.hub.called(READ_FIRST_WAVE)
    assert (first.input["split"], first.input["index"], judged.input["shards"]) == ("train", 0, 1)
    assert all(call.started >= (judged.ended or 0) >= (first.ended or 0) for call in others)
    assert sorted(shards_of(run)) == [
        *(("train", index) for index in range(3)),
        *(("validation", index) for index in range(2)),
    ]


def test_a_run_whose_first_rows_are_no_use_stops_and_shows_reasons_and_replies() -> None:
    run = Distillation(instead={READ_FIRST_WAVE: lambda _: ok(rows=USELESS)})
    assert run.run().status is Status.FAILED
    error = run.shown["error"]
    assert (error["code"], run.shown["stage"]) == ("first_wave", "generate")
    assert error["message"].startswith("2 of the first 10 rows have a usable answer")
    reasons, reply = error["details"]
    assert reasons["problem"].startswith("rejected: 1 truncated, 7 unreadable; resume")
    assert reply == {
        "where": "line 1 of train",
        "problem": 'unreadable: no label; the teacher\'s reply: "Hm."',
    }
    assert shards_of(run) == [("train", 0)]
    assert run.reported["status"]["error"] == error


def test_first_rows_that_put_the_success_ratio_out_of_reach_are_shown_too() -> None:
    def first(_: dict[str, Any]) -> Any:
        return failed("too many rows failed", code="success_ratio")

    run = Distillation(instead={GENERATE_SHARD: first, READ_FIRST_WAVE: lambda _: ok(rows=USELESS)})
    run.run()
    assert run.shown["error"]["code"] == "first_wave"


def test_a_success_ratio_out_of_reach_ends_a_run_whose_first_rows_would_do() -> None:
    def first(_: dict[str, Any]) -> Any:
        return failed("too many rows failed", code="success_ratio")

    rows = {"usable": 7, "unusable": 3}
    run = Distillation(instead={GENERATE_SHARD: first, READ_FIRST_WAVE: lambda _: ok(rows=rows)})
    run.run()
    assert (run.shown["error"]["code"], len(shards_of(run))) == ("success_ratio", 1)


def test_first_rows_are_answered_whole_before_the_success_ratio_is_judged() -> None:
    def half_fails(payload: dict[str, Any]) -> Any:
        return After(2, ok(failed=7, accepted=3) if payload["index"] < 2 else ok())

    rows = {"usable": 10, "unusable": 10}
    run = Distillation(
        {"train": 4},
        spec={"generation": {"rows_per_shard": 10, "parallel_shards": 1}},
        instead={GENERATE_SHARD: half_fails, READ_FIRST_WAVE: lambda _: ok(rows=rows)},
    )
    run.run()
    calls = run.hub.called(GENERATE_SHARD)
    assert [call.input["index"] for call in calls] == [0, 1]
    assert all(call.input["max_rejected"] == 20 for call in calls)
    assert run.shown["error"]["code"] == "success_ratio"
    assert run.shown["error"]["message"].startswith("14 train rows failed")


def test_rows_that_bring_their_answers_need_no_first_wave() -> None:
    run = Distillation(spec={"answers": {"source": "provided"}})
    assert run.run().output["status"] == "completed"
    assert READ_FIRST_WAVE not in run.hub.names()
    assert len(shards_of(run)) == 5


def test_small_shards_are_answered_first_as_long_as_they_have_20_rows_together() -> None:
    run = Distillation(
        {"train": 9}, spec={"generation": {"parallel_shards": 9, "rows_per_shard": 6}}
    )
    run.run()
    [judged] = run.hub.called(READ_FIRST_WAVE)
    before = [call for call in run.hub.called(GENERATE_SHARD) if call.started < judged.started]
    assert [call.input["index"] for call in before] == [0, 1, 2]


def test_a_run_that_is_cancelled_while_its_first_rows_are_judged_asks_no_other() -> None:
    run = Distillation(instead={READ_FIRST_WAVE: lambda _: After(10, ok(rows=TAKEN))})
    run.cancel_at(8)
    assert run.run().output["status"] == "cancelled"
    assert shards_of(run) == [("train", 0)]


def test_a_shard_of_the_first_rows_that_is_lost_is_warned_of() -> None:
    def lost(payload: dict[str, Any]) -> Any:
        if payload["index"] == 0:
            raise ConnectionError("the lease is broken")
        return After(2, ok())

    run = Distillation(
        {"train": 20},
        spec={"quality": {"min_success_ratio": 0.5}},
        instead={GENERATE_SHARD: lost, READ_FIRST_WAVE: lambda _: ok(rows={})},
    )
    run.run()
    [warning] = [text for text in run.shown["warnings"] if "shard 0 of train" in text]
    assert "the lease is broken" in warning


def forecast_run(**budget: float) -> Distillation:
    """A run of 100 rows, of which the first 10 took 20 requests and 4,800 tokens."""
    used = counters(
        100, ROWS, requests=20, prompt_tokens=800, completion_tokens=4000, shards=10, shards_done=1
    )
    return Distillation(
        {"train": 10},
        spec={"budget": budget},
        instead={
            READ_FIRST_WAVE: lambda _: ok(rows=TAKEN),
            READ_PROGRESS: lambda _: ok(splits={"train": used}),
            ASSEMBLE_SPLIT: lambda _: ok(counters=counters(100)),
            "scan_dataset": lambda _: ok(splits={"train": SCAN}),
        },
    )


def test_what_the_first_rows_took_corrects_the_expected_usage() -> None:
    run = forecast_run(prompt_price=1, completion_price=10)
    assert run.run().output["status"] == "completed"
    assert run.shown["expected"] == {
        "requests": 200,
        "prompt_tokens": 8000,
        "completion_tokens": 40_000,
        "cost": pytest.approx(0.408),
    }
    assert run.shown["estimate"]["completion_tokens"] == 1000


def test_a_budget_that_the_run_may_just_exceed_is_warned_of() -> None:
    run = forecast_run(max_requests=190)
    run.run()
    [warning] = [text for text in run.shown["warnings"] if "max_requests" in text]
    assert warning.startswith("budget.max_requests: 200 are expected")


def test_a_budget_that_is_far_too_small_stops_the_run_after_its_first_rows() -> None:
    run = forecast_run(max_requests=150)
    assert run.run().status is Status.FAILED
    assert run.shown["error"]["code"] == "budget"
    assert run.shown["error"]["details"][0]["problem"].startswith("200 are expected")
    assert shards_of(run) == [("train", 0)]
