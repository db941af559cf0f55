"""Rounds, budgets and held-out rows: the root passes them to activities and shows them."""

from __future__ import annotations

from typing import Any

from shared.runs.contracts import (
    ASSEMBLE_SPLIT,
    GENERATE_SHARD,
    PREFLIGHT,
    PREPARE_RUN,
    READ_PROGRESS,
    SUBMIT_FINETUNING,
    WRITE_REPORT,
)
from tests.support.orchestrator_simulation import Activity
from tests.support.scripted import ROWS, SPEC, Distillation, counters, failed, ok

PRICES = {"prompt_price": 500_000, "completion_price": 1_000_000}


def usage(payload: dict[str, Any]) -> dict[str, Any]:
    return ok(
        splits={
            split: counters(ROWS, requests=7, prompt_tokens=5, completion_tokens=2)
            for split in payload["splits"]
        }
    )


def test_every_activity_that_needs_it_is_told_the_round() -> None:
    for number in (0, 2):
        run = Distillation({"train": 2}, round=number, changes={"teacher": {"seed": 3}})
        assert run.run().output["status"] == "completed"
        for name in (GENERATE_SHARD, SUBMIT_FINETUNING, WRITE_REPORT):
            assert {call.input["round"] for call in run.hub.called(name)} == {number}, name
        (prepared,) = run.hub.called(PREPARE_RUN)
        assert (prepared.input["round"], prepared.input["changes"]) == (
            number,
            {"teacher": {"seed": 3}},
        )


def test_held_out_rows_are_the_validation_set_of_the_fine_tuning_job() -> None:
    expected: dict[int, list[str]] = {0: ["train"], 4: ["train", "validation"]}
    for held_out, splits in expected.items():
        final = counters(30, held_out=held_out)
        instead: dict[str, Activity] = {
            ASSEMBLE_SPLIT: lambda _, final=final: ok(counters=final),
            WRITE_REPORT: lambda _, final=final: ok(outputs={}, counters={"train": final}),
        }
        run = Distillation({"train": 3}, instead=instead)
        assert run.run().output["status"] == "completed"
        (submitted,) = run.hub.called(SUBMIT_FINETUNING)
        assert submitted.input["splits"] == splits
        assert run.shown["splits"]["train"].get("held_out", 0) == held_out
        assert run.reported["splits"] == ["train"]


def test_rows_that_are_held_out_do_not_count_as_training_rows() -> None:
    assembled = ok(counters=counters(12, held_out=3))
    run = Distillation({"train": 1}, instead={ASSEMBLE_SPLIT: lambda _: assembled})
    run.run()
    assert run.shown["error"]["code"] == "too_few_accepted"
    assert "9 rows accepted, but at least 10" in str(run.shown["error"]["details"])


def test_a_run_over_its_budget_ends_before_preflight_with_what_it_would_take() -> None:
    run = Distillation({"train": 2}, spec={"budget": {"max_tokens": 6, "max_cost": 3, **PRICES}})
    run.run()
    assert run.shown["outcome"] == "failed"
    assert run.shown["estimate"] == {
        "requests": 3,
        "prompt_tokens": 9,
        "completion_tokens": 3,
        "cost": 7.5,
    }
    problems = {problem["where"]: problem["problem"] for problem in run.shown["error"]["details"]}
    assert problems == {
        "budget.max_tokens": "12 are expected, but the limit is 6: raise it",
        "budget.max_cost": "7.5 are expected, but the limit is 3: raise it",
    }
    assert not run.hub.called(PREFLIGHT)
    assert len(run.hub.called(WRITE_REPORT)) == 1


def test_a_run_that_a_whole_month_cannot_pay_for_is_resumed_by_those_who_want_it() -> None:
    month = {"limit": 3, "prices": [500_000, 1_000_000]}
    prepared = ok(spec=SPEC, etags={"train": "0x1"}, month=month)
    for number, outcome in enumerate(["failed", "completed"]):
        run = Distillation({"train": 2}, round=number, instead={PREPARE_RUN: lambda _: prepared})
        run.run()
        assert run.shown["outcome"] == outcome
        assert bool(run.hub.called(PREFLIGHT)) == bool(number)


def test_a_budget_that_is_used_up_in_a_shard_ends_the_run_with_the_limits() -> None:
    over = failed(
        "the run's budget allows no further request",
        "5,001 were used, but the limit is 5,000: raise it",
        code="budget",
    )
    run = Distillation({"train": 5}, instead={GENERATE_SHARD: lambda _: over})
    run.run()
    assert (run.shown["outcome"], run.shown["error"]["code"]) == ("failed", "budget")
    assert "5,001 were used" in run.shown["error"]["details"][0]["problem"]
    assert not run.hub.called(SUBMIT_FINETUNING)


def test_requests_and_cost_are_shown_while_the_teacher_is_asked() -> None:
    run = Distillation({"train": 1}, spec={"budget": PRICES}, instead={READ_PROGRESS: usage})
    run.run()
    shown = {(status["requests"], status["cost"]) for _, status in run.root.custom_statuses}
    assert (7, 2.5 + 2) in shown
