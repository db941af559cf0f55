"""A run that its user cancels: it ends as cancelled, soon, and leaves nothing at work."""

from __future__ import annotations

from typing import Any

import pytest

from local.functions_host.durable.events import Status
from shared.core.ids import finetuning_id, generation_id
from shared.runs.contracts import (
    ANNOUNCE_END,
    ASSEMBLE_SPLIT,
    CANCEL_FINETUNING,
    FINETUNE,
    GENERATE_SHARD,
    POLL_FINETUNING,
    PREFLIGHT,
    PREPARE_RUN,
    READ_FIRST_WAVE,
    SUBMIT_FINETUNING,
    WRITE_REPORT,
    Event,
)
from tests.support.orchestrator_simulation import Activity, After
from tests.support.scripted import RUN_ID, Distillation, failed, job, ok


def patient_shard(run: Distillation) -> Activity:
    """Return a shard that runs until the status says stop, which it reads every two seconds."""

    def look(_: dict[str, Any]) -> Any:
        return {"status": "stopped"} if run.shown["stopping"] else After(2, lambda: look({}))

    return look


def test_a_run_cancelled_before_it_is_prepared_does_nothing_but_announce_its_end() -> None:
    run = Distillation()
    run.cancel_at(0)
    root = run.run()
    assert (root.output["status"], run.hub.names()) == ("cancelled", [ANNOUNCE_END])


@pytest.mark.parametrize(("seconds", "last"), [(0.5, PREPARE_RUN), (2.5, PREFLIGHT)])
def test_a_run_cancelled_before_generation_asks_for_no_row_and_is_reported(
    seconds: float, last: str
) -> None:
    run = Distillation()
    run.cancel_at(seconds)
    root = run.run()
    assert (root.status, root.output["status"]) == (Status.COMPLETED, "cancelled")
    assert run.hub.names()[-2:] == [last, WRITE_REPORT]
    assert run.reported["outcome"] == "cancelled"
    assert GENERATE_SHARD not in run.hub.names()


def test_shards_at_work_learn_of_a_cancellation_and_are_awaited() -> None:
    run = Distillation({"train": 20, "validation": 20})
    patient = patient_shard(run)
    run.hub.activities[GENERATE_SHARD] = lambda shard: (
        patient(shard) if run.hub.called(READ_FIRST_WAVE) else ok()
    )
    run.cancel_at(20)
    root = run.run()
    assert (root.output["status"], run.shown["outcome"], run.shown["error"]) == (
        "cancelled",
        "cancelled",
        None,
    )
    shards = run.hub.called(GENERATE_SHARD)[1:]
    assert len(shards) == 4
    assert all(20 <= (shard.ended or 0) <= 23 for shard in shards)
    (report,) = run.hub.called(WRITE_REPORT)
    assert report.started >= max(shard.ended or 0 for shard in shards)
    assert {ASSEMBLE_SPLIT, SUBMIT_FINETUNING}.isdisjoint(run.hub.names())
    for split in run.shards:
        assert run.hub.instances[generation_id(RUN_ID, split)].output["status"] == "stopped"


def test_a_cancellation_counts_more_than_a_shard_that_fails_meanwhile() -> None:
    run = Distillation(
        {"train": 1}, instead={GENERATE_SHARD: lambda _: After(10, failed("revoked key"))}
    )
    run.cancel_at(5)
    assert run.run().output["status"] == "cancelled"


def test_a_job_is_cancelled_with_its_run_and_followed_to_its_end() -> None:
    run = Distillation(statuses=["running"])
    run.cancel_at(300)
    root = run.run()
    assert run.service.cancelled
    assert (root.output["status"], run.shown["finetune"]["status"]) == ("cancelled", "cancelled")
    assert run.reported["status"]["finetune"]["status"] == "cancelled"
    (cancel,) = run.hub.called(CANCEL_FINETUNING)
    assert 300 <= cancel.started <= 302
    assert cancel.input["job"]["job"] == RUN_ID


def test_stopping_is_announced_as_soon_as_a_job_is_to_be_cancelled() -> None:
    run = Distillation(statuses=["running"])
    run.cancel_at(300)
    run.run()
    assert min(seconds for seconds, status in run.root.custom_statuses if status["stopping"]) == 300


def test_a_job_that_was_faster_than_its_cancellation_completes_the_run() -> None:
    run = Distillation(statuses=["running"])

    def too_late(_: dict[str, Any]) -> Any:
        run.service.statuses = ["completed"]
        return ok(job=job("cancelling"))

    run.hub.activities[CANCEL_FINETUNING] = too_late
    run.cancel_at(60)
    assert run.run().output["status"] == "completed"


def test_cancelling_twice_is_cancelling_once() -> None:
    run = Distillation(statuses=["running"])
    run.cancel_at(100)
    run.cancel_at(100.5)
    assert run.run().output["status"] == "cancelled"
    assert len(run.hub.called(CANCEL_FINETUNING)) == 1


def test_whenever_a_cancellation_comes_the_run_ends_well_and_is_reported_once() -> None:
    outcomes: list[str] = []
    for seconds in range(20):
        run = Distillation({"train": 1}, statuses=["running", "completed"])
        run.cancel_at(seconds)
        outcomes.append(run.run().output["status"])
        assert run.hub.names().count(WRITE_REPORT) == (seconds > 0)
    assert set(outcomes) == {"cancelled", "completed"}
    assert outcomes == sorted(outcomes)


def test_a_follower_is_told_even_between_two_of_its_executions() -> None:
    run = Distillation(statuses=["running"])
    run.hub.run(until=200)
    follower = run.hub.instances[finetuning_id(RUN_ID)]
    assert follower.name == FINETUNE
    polls = len(run.hub.called(POLL_FINETUNING))
    run.hub.at(run.hub.now, lambda: run.hub.raise_event(follower.id, Event.CANCEL, "user"))
    run.hub.run()
    assert follower.output["status"] == "cancelled"
    assert len(run.hub.called(POLL_FINETUNING)) == polls + 2
