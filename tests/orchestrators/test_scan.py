"""scan_ranges: every step covers every range, steps don't overlap, and history stays small."""

from __future__ import annotations

from typing import Any

import pytest

from local.functions_host.durable.events import Status
from orchestrators.scan import PARALLEL_RANGES, RANGES_AT_ONCE, STEPS
from shared.core.ids import scanning_id
from shared.runs.contracts import (
    FIND_DUPLICATES,
    FINISH_SCAN,
    PLAN_RANGE,
    PREPARE_RUN,
    SCAN_DATASET,
    SCAN_RANGE,
    SCAN_RANGES,
)
from shared.scan.plan import SplitScan
from tests.support.orchestrator_simulation import Activity, Hub, Instance
from tests.support.scripted import RUN_ID, SPEC, Distillation, failed, ok

FOUND = {"train": Distillation.scanned(3), "validation": Distillation.scanned(2)}
SCANNED = {split: SplitScan.model_validate(scan).model_dump() for split, scan in FOUND.items()}
pytestmark = pytest.mark.usefixtures("small_executions")


def scan(ranges: dict[str, int], **instead: Activity) -> tuple[Hub, Instance]:
    usual: dict[str, Activity] = {step: lambda _: ok() for step in STEPS}
    hub = Hub({**usual, FINISH_SCAN: lambda _: ok(splits=FOUND), **instead})
    payload: dict[str, Any] = {"run_id": RUN_ID, "ranges": ranges, "round": 0}
    instance = hub.start(SCAN_RANGES, scanning_id(RUN_ID), payload)
    hub.run()
    assert instance.status is Status.COMPLETED, instance.output
    return hub, instance


@pytest.mark.parametrize("ranges", [{"train": 6}, {"train": 33, "validation": 7}])
def test_every_step_is_made_for_every_range_after_the_one_before(ranges: dict[str, int]) -> None:
    hub, instance = scan(ranges)
    places = [(split, number) for split, count in ranges.items() for number in range(count)]
    for step in (SCAN_RANGE, PLAN_RANGE):
        assert [(call.input["split"], call.input["number"]) for call in hub.called(step)] == places
    assert [call.input["number"] for call in hub.called(FIND_DUPLICATES)] == list(
        range(len(places))
    )
    for before, after in zip(STEPS, (*STEPS[1:], FINISH_SCAN), strict=True):
        assert max(call.ended or 0 for call in hub.called(before)) <= min(
            call.started for call in hub.called(after)
        )
    assert (instance.output["status"], instance.output["splits"]) == ("ok", SCANNED)
    assert instance.longest_history < 150


def test_no_more_ranges_are_scanned_at_once_than_planned() -> None:
    hub, _ = scan({"train": 100})
    assert sum(call.started == 0 for call in hub.calls) == PARALLEL_RANGES


def test_a_range_that_cannot_be_scanned_ends_the_scan_with_its_reason() -> None:
    def answer(payload: dict[str, Any]) -> Any:
        return failed("gone") if payload["number"] == 3 else ok()

    hub, instance = scan({"train": 40}, **{SCAN_RANGE: answer})
    assert instance.output["error"]["message"] == "gone"
    assert not hub.called(FIND_DUPLICATES)


def test_a_range_that_fails_now_and_then_is_scanned_again() -> None:
    failures = {5: 2}

    def answer(payload: dict[str, Any]) -> Any:
        if failures.get(payload["number"], 0):
            failures[payload["number"]] -= 1
            raise ConnectionError("throttled")
        return ok()

    hub, instance = scan({"train": 8}, **{SCAN_RANGE: answer})
    assert instance.output["status"] == "ok"
    assert [call.input["number"] for call in hub.called(SCAN_RANGE)].count(5) == 3


@pytest.mark.parametrize("count", [RANGES_AT_ONCE, RANGES_AT_ONCE + 1])
def test_a_run_scans_large_inputs_by_several_activities_and_small_ones_by_one(count: int) -> None:
    instead: dict[str, Activity] = {
        **{step: lambda _: ok() for step in STEPS},
        FINISH_SCAN: lambda _: ok(splits=FOUND),
        PREPARE_RUN: lambda _: ok(
            spec=SPEC,
            etags={"train": "1", "validation": "2"},
            ranges={"train": count - 1, "validation": 1},
            warnings=[],
        ),
    }
    run = Distillation(instead=instead)
    assert run.run().output["status"] == "completed"
    assert len(run.hub.called(SCAN_RANGE)) == (count if count > RANGES_AT_ONCE else 0)
    assert len(run.hub.called(SCAN_DATASET)) == (0 if count > RANGES_AT_ONCE else 1)
    assert run.shown["splits"]["train"]["shards"] == 3


def test_a_scan_that_fails_ends_the_run_with_its_reason() -> None:
    instead: dict[str, Activity] = {
        SCAN_RANGE: lambda _: failed("the input is gone"),
        PREPARE_RUN: lambda _: ok(
            spec=SPEC, etags={"train": "1"}, ranges={"train": 9}, warnings=[]
        ),
    }
    run = Distillation({"train": 3}, instead=instead)
    assert run.run().status is Status.FAILED
    assert run.shown["error"]["message"] == "the input is gone"
