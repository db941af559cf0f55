"""Runs of an app that limits how many work at a time: they wait in order, and none is stuck."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.functions_host.durable.events import Status
from shared.runs.contracts import (
    DISTILLATION_RUN,
    LEAVE_QUEUE,
    PREFLIGHT,
    PREPARE_RUN,
    READ_PROGRESS,
    SCAN_DATASET,
    TAKE_TURN,
    WRITE_REPORT,
    Event,
    TurnRequest,
)
from shared.runs.run_queue import Life, QueuedRun, RunQueue, fill_slots
from tests.support.orchestrator_simulation import Activity, After, Instance
from tests.support.scripted import REQUEST, RUN_ID, TRAIN, Distillation, failed, ok

WORK_SECONDS = 600.0
DAY = 24 * 3600.0
SPEC: dict[str, Any] = {
    "task": "nli",
    "train": TRAIN,
    "quality": {"min_rows": 10},
    "student": None,
}


class Runs:
    """Several runs in one hub, with the queue's own rules. A run is at work for ten minutes."""

    def __init__(self, limit: int, instead: dict[str, Activity] | None = None) -> None:
        self.queue = RunQueue()
        self.limit = limit
        self.events_are_lost = False
        usual: dict[str, Activity] = {
            PREPARE_RUN: lambda _: ok(spec=SPEC, etags={"train": "0x1"}, is_queued=True),
            TAKE_TURN: self.take_turn,
            LEAVE_QUEUE: self.leave,
            PREFLIGHT: lambda _: After(WORK_SECONDS, ok()),
        }
        self.first = Distillation({"train": 1}, instead={**usual, **(instead or {})})
        self.hub = self.first.hub
        self.roots = {RUN_ID: self.first.root}

    def start(self, run_id: str, **request: Any) -> Instance:
        root = self.hub.start(DISTILLATION_RUN, run_id, {**REQUEST, "run_id": run_id, **request})
        self.roots[run_id] = root
        return root

    def start_at(self, seconds: float, run_id: str, **request: Any) -> None:
        def start() -> None:
            self.start(run_id, **request)

        self.hub.at(seconds, start)

    def terminate_at(self, seconds: float, run_id: str) -> None:
        """As Durable does, which tells nobody."""

        def terminate() -> None:
            self.roots[run_id].status = Status.TERMINATED

        self.hub.at(seconds, terminate)

    @property
    def paid_for(self) -> list[str]:
        """The runs that got past the queue, in order."""
        return [call.input["run_id"] for call in self.hub.called(PREFLIGHT)]

    def began(self, run_id: str) -> float:
        """Return when the run began to be paid for, in times of a run's work."""
        (call,) = [call for call in self.hub.called(PREFLIGHT) if call.input["run_id"] == run_id]
        return round(call.started / WORK_SECONDS, 1)

    def take_turn(self, payload: dict[str, Any]) -> dict[str, Any]:
        request = TurnRequest.model_validate(payload)
        self.queue.join(QueuedRun(**request.model_dump()))
        self._fill()
        return ok(place=self.queue.begin(request.run_id))

    def leave(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.queue.remove(payload["run_id"], payload["round"])
        self._fill()
        return ok()

    def _fill(self) -> None:
        asyncio.run(fill_slots(self.queue, self.limit, self._life_of))
        for run in self.queue.active:
            if not run.has_begun and not self.events_are_lost:
                self.hub.raise_event(run.run_id, Event.TURN, None)

    async def _life_of(self, run_id: str) -> Life:
        return Life.OVER if self.roots[run_id].status.is_terminal else Life.RUNNING


def test_without_a_limit_a_run_has_nothing_to_do_with_a_queue() -> None:
    run = Distillation()
    run.run()
    assert {TAKE_TURN, LEAVE_QUEUE}.isdisjoint(run.hub.names())


def test_a_run_that_finds_a_free_slot_shows_no_queue_and_frees_it_when_it_ends() -> None:
    runs = Runs(1)
    runs.hub.run()
    assert "queue" not in runs.first.stages()
    names = [name for name in runs.hub.names() if name != READ_PROGRESS]
    assert names[:4] == [PREPARE_RUN, SCAN_DATASET, TAKE_TURN, PREFLIGHT]
    assert names[-2:] == [WRITE_REPORT, LEAVE_QUEUE]
    assert runs.queue == RunQueue()


def test_runs_wait_in_the_order_in_which_they_were_started() -> None:
    runs = Runs(2)
    for number, run_id in enumerate(("nli-b", "nli-c", "nli-d", "nli-e"), 1):
        runs.start_at(5 * number, run_id)
    runs.hub.run()
    assert runs.paid_for == [RUN_ID, "nli-b", "nli-c", "nli-d", "nli-e"]
    # each slot is handed on as soon as it is free
    assert [runs.began(run_id) for run_id in runs.paid_for] == [0, 0, 1, 1, 2]
    assert all(root.status is Status.COMPLETED for root in runs.roots.values())
    assert runs.queue == RunQueue()


def test_the_run_that_was_started_first_is_next_however_long_its_scan_took() -> None:
    scanned = ok(splits={"train": Distillation.scanned(1)})

    def scan(payload: dict[str, Any]) -> Any:
        return After(300 if payload["run_id"] == "nli-slow" else 1, scanned)

    runs = Runs(1, {SCAN_DATASET: scan})
    runs.start_at(10, "nli-slow")
    runs.start_at(20, "nli-quick")
    runs.hub.run()
    assert runs.paid_for == [RUN_ID, "nli-slow", "nli-quick"]


def test_a_waiting_run_is_shown_as_such_and_has_cost_nothing() -> None:
    runs = Runs(1)
    waiting = runs.start("nli-b")
    runs.hub.run(until=100)
    assert waiting.custom_status["stage"] == "queue"
    assert runs.paid_for == [RUN_ID]


def test_a_run_that_was_not_told_of_its_turn_finds_it_by_itself() -> None:
    runs = Runs(1)
    runs.events_are_lost = True
    runs.start("nli-b")
    runs.hub.run()
    assert runs.roots["nli-b"].status is Status.COMPLETED
    assert runs.began("nli-b") <= 1.3


def test_the_slot_of_a_run_that_was_terminated_is_found_free() -> None:
    runs = Runs(1)
    runs.start("nli-b")
    runs.terminate_at(100, RUN_ID)
    runs.hub.run()
    assert runs.roots["nli-b"].status is Status.COMPLETED
    assert runs.began("nli-b") < 0.3


def test_a_waiting_run_that_was_terminated_holds_nobody_up() -> None:
    runs = Runs(1)
    runs.start_at(10, "nli-b")
    runs.start_at(20, "nli-c")
    runs.terminate_at(100, "nli-b")
    runs.hub.run()
    assert runs.began("nli-c") == 1.0
    assert runs.paid_for == [RUN_ID, "nli-c"]


def test_a_waiting_run_is_cancelled_at_once_and_leaves_its_place() -> None:
    runs = Runs(1)
    waiting = runs.start("nli-b")
    runs.start("nli-c")
    runs.hub.at(100, lambda: runs.hub.raise_event("nli-b", Event.CANCEL, "user"))
    runs.hub.run(until=110)
    assert (waiting.status, waiting.output["status"]) == (Status.COMPLETED, "cancelled")
    assert [run.run_id for run in runs.queue.waiting] == ["nli-c"]
    runs.hub.run()
    assert runs.began("nli-c") == 1.0


def test_a_run_that_was_cancelled_before_it_could_wait_takes_no_slot() -> None:
    runs = Runs(1)
    runs.first.cancel_at(1.5)
    runs.hub.run()
    assert {TAKE_TURN, LEAVE_QUEUE}.isdisjoint(runs.hub.names())


def test_a_failed_run_frees_its_slot() -> None:
    runs = Runs(1, {PREFLIGHT: lambda _: failed("wrong key")})
    runs.hub.run()
    assert runs.roots[RUN_ID].status is Status.FAILED
    assert runs.queue == RunQueue()


def test_a_dataset_that_cannot_be_used_fails_without_waiting() -> None:
    few = {**Distillation.scanned(1), "valid": 4}
    runs = Runs(1, {SCAN_DATASET: lambda _: ok(splits={"train": few})})
    runs.hub.run()
    assert runs.roots[RUN_ID].status is Status.FAILED
    assert TAKE_TURN not in runs.hub.names()


def test_a_resumed_run_waits_behind_those_that_were_started_before() -> None:
    runs = Runs(1)
    runs.start_at(10, "nli-b")
    runs.start_at(20, "nli-c")
    runs.start_at(1.5 * WORK_SECONDS, RUN_ID, round=1)
    runs.hub.run()
    assert runs.paid_for == [RUN_ID, "nli-b", "nli-c", RUN_ID]


def test_a_run_that_cannot_free_its_slot_ends_all_the_same_and_the_slot_is_found_free() -> None:
    def breaks(_: dict[str, Any]) -> Any:
        raise ConnectionError("the storage account is gone")

    runs = Runs(1, {LEAVE_QUEUE: breaks})
    runs.start("nli-b")
    runs.hub.run()
    assert {root.status for root in runs.roots.values()} == {Status.COMPLETED}


def test_a_run_that_waits_for_days_has_a_short_history() -> None:
    runs = Runs(limit=0)
    runs.hub.run(until=2 * DAY)
    assert runs.first.shown["stage"] == "queue"
    assert len(runs.hub.called(TAKE_TURN)) < 60


@pytest.mark.parametrize("data", [None, "now", {"place": 0}])
def test_an_event_that_anyone_may_send_lets_no_run_begin(data: object) -> None:
    runs = Runs(1)
    runs.start("nli-b")
    for second in (100, 200, 201):
        runs.hub.at(second, lambda: runs.hub.raise_event("nli-b", Event.TURN, data))
    runs.hub.run()
    assert runs.began("nli-b") == 1.0
