"""Reuse of an earlier run's answers: between scan and gate, some shards at a time."""

from __future__ import annotations

from typing import Any

from local.functions_host.durable.events import Status
from shared.runs.contracts import (
    PREFLIGHT,
    READ_PROGRESS,
    REUSE_ANSWERS,
    SCAN_DATASET,
    WRITE_REPORT,
    Event,
)
from tests.support.orchestrator_simulation import Activity
from tests.support.scripted import REFERENCES, RUN_ID, Distillation, failed, ok

EARLIER = "nli-earlier-0123456789ab"
SHARDS_AT_ONCE = 2


def seeding(shards: dict[str, int], *, reused: int = 20, requests: int = 1) -> Activity:
    """The activity; `requests` are what is left to ask for in each group of shards."""

    def seed(payload: dict[str, Any]) -> Any:
        until = min(payload["first"] + SHARDS_AT_ONCE, shards[payload["split"]])
        estimate = {
            "requests": requests,
            "prompt_tokens": 10 * requests,
            "completion_tokens": requests,
        }
        return ok(next=until, reused=reused, estimate=estimate)

    return seed


def reusing(
    shards: dict[str, int] | None = None, *, spec: dict[str, Any] | None = None, **counts: int
) -> Distillation:
    shards = shards or {"train": 3, "validation": 2}
    return Distillation(
        shards,
        spec={"reuse": EARLIER, **(spec or {})},
        instead={REUSE_ANSWERS: seeding(shards, **counts)},
    )


def test_a_run_that_names_no_earlier_one_looks_for_nothing() -> None:
    run = Distillation()
    run.run()
    assert REUSE_ANSWERS not in run.hub.names()
    assert "reuse" not in run.stages()
    assert run.hub.names()[:3] == ["prepare_run", SCAN_DATASET, PREFLIGHT]


def test_answers_are_taken_over_before_the_gate_and_before_the_teacher_is_asked() -> None:
    run = reusing()
    assert run.run().output["status"] == "completed"
    names = run.hub.names()
    assert names[:7] == [
        "prepare_run",
        SCAN_DATASET,
        *[REUSE_ANSWERS] * 3,
        READ_PROGRESS,
        PREFLIGHT,
    ]
    assert run.stages()[:4] == ["prepare", "scan", "reuse", "preflight"]


def test_answers_that_are_taken_over_count_towards_the_target() -> None:
    run = reusing(
        {"train": 3}, spec={"quality": {"target_rows": 25, "min_rows": 1}}, reused=10, requests=10
    )
    run.run()
    # of 30 rows, 20 are reused, and 20 requests are estimated for the others
    assert run.shown["estimate"]["requests"] == 10


def test_every_shard_of_every_split_is_looked_at_once_and_in_order() -> None:
    run = reusing({"train": 5, "validation": 1})
    run.run()
    looked_at = [
        (call.input["split"], call.input["first"]) for call in run.hub.called(REUSE_ANSWERS)
    ]
    assert looked_at == [("train", 0), ("train", 2), ("train", 4), ("validation", 0)]
    assert all(set(call.input) <= REFERENCES | {"first"} for call in run.hub.called(REUSE_ANSWERS))


def test_the_estimate_and_the_budget_are_of_what_is_left_to_ask_for() -> None:
    run = reusing(spec={"budget": {"max_requests": 4}}, requests=1)
    assert run.run().output["status"] == "completed"
    assert run.reported["status"]["estimate"] == {
        "requests": 3,
        "prompt_tokens": 30,
        "completion_tokens": 3,
        "cost": None,
    }
    dear = reusing(spec={"budget": {"max_requests": 4}}, requests=2)
    assert dear.run().status is Status.FAILED
    assert dear.shown["error"]["code"] == "budget"
    assert PREFLIGHT not in dear.hub.names()


def test_a_run_that_could_reuse_nothing_is_warned_with_the_reason() -> None:
    run = reusing(reused=0)
    assert run.run().output["status"] == "completed"
    assert run.shown["warnings"][0] == "mind"
    assert EARLIER in run.shown["warnings"][1]
    assert "must be the same" in run.shown["warnings"][1]
    some = reusing(reused=1)
    some.run()
    assert some.shown["warnings"] == ["mind"]


def test_a_run_is_cancelled_between_two_looks() -> None:
    run = reusing({"train": 40})
    run.hub.at(5.5, lambda: run.hub.raise_event(RUN_ID, Event.CANCEL, "user"))
    assert run.run().output["status"] == "cancelled"
    assert len(run.hub.called(REUSE_ANSWERS)) < 20
    assert run.hub.names()[-1] == WRITE_REPORT


def test_a_look_that_fails_for_good_ends_the_run_with_its_problem() -> None:
    run = Distillation(
        spec={"reuse": EARLIER}, instead={REUSE_ANSWERS: lambda _: failed("no", "because")}
    )
    assert run.run().status is Status.FAILED
    assert run.shown["error"]["message"] == "no"
    assert run.reported["outcome"] == "failed"


def test_a_resumed_run_looks_again_for_its_own_round() -> None:
    run = Distillation(
        {"train": 3},
        spec={"reuse": EARLIER},
        instead={REUSE_ANSWERS: seeding({"train": 3})},
        round=2,
    )
    run.run()
    assert {call.input["round"] for call in run.hub.called(REUSE_ANSWERS)} == {2}
