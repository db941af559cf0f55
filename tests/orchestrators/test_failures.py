"""Runs that fail: where they stop, what they say, and that a report is written all the same."""

from __future__ import annotations

from typing import Any

import pytest

from local.functions_host.durable.events import Status
from shared.runs.contracts import (
    ANNOUNCE_END,
    ASSEMBLE_SPLIT,
    GENERATE_SHARD,
    POLL_FINETUNING,
    PREFLIGHT,
    PREPARE_RUN,
    READ_PROGRESS,
    SCAN_DATASET,
    SUBMIT_FINETUNING,
    WRITE_REPORT,
)
from tests.support.orchestrator_simulation import After
from tests.support.scripted import RUN_ID, Distillation, counters, failed, job, ok

LATER: dict[str, list[str]] = {
    SCAN_DATASET: [PREFLIGHT, GENERATE_SHARD, ASSEMBLE_SPLIT, SUBMIT_FINETUNING],
    PREFLIGHT: [GENERATE_SHARD, ASSEMBLE_SPLIT, SUBMIT_FINETUNING],
    GENERATE_SHARD: [ASSEMBLE_SPLIT, SUBMIT_FINETUNING],
    ASSEMBLE_SPLIT: [SUBMIT_FINETUNING],
    SUBMIT_FINETUNING: [POLL_FINETUNING],
    POLL_FINETUNING: [],
}
STAGES: dict[str, str] = {
    PREPARE_RUN: "prepare",
    SCAN_DATASET: "scan",
    PREFLIGHT: "preflight",
    GENERATE_SHARD: "generate",
    ASSEMBLE_SPLIT: "assemble",
    SUBMIT_FINETUNING: "finetune",
    POLL_FINETUNING: "finetune",
    WRITE_REPORT: "report",
}


@pytest.mark.parametrize("activity", STAGES)
def test_a_failed_run_shows_the_stage_in_which_it_failed(activity: str) -> None:
    run = Distillation(instead={activity: lambda _: failed("no such luck")})
    run.run()
    assert (run.shown["outcome"], run.shown["stage"]) == ("failed", STAGES[activity])


def test_a_run_whose_report_cannot_be_written_shows_where_it_failed_before() -> None:
    broken = failed("no such luck")
    run = Distillation(instead={PREFLIGHT: lambda _: broken, WRITE_REPORT: lambda _: broken})
    run.run()
    assert run.shown["stage"] == "preflight"


@pytest.mark.parametrize("how", ["fails", "raises"])
def test_a_look_at_the_progress_that_fails_ends_no_run(how: str) -> None:
    run = Distillation(
        instead={READ_PROGRESS: raises if how == "raises" else lambda _: failed("no list")}
    )
    assert run.run().status is Status.COMPLETED


def raises(_: dict[str, Any]) -> Any:
    raise ConnectionError("the storage account is gone")


@pytest.mark.parametrize("activity", LATER)
def test_a_permanent_failure_ends_the_run_at_once_with_our_error_and_a_report(
    activity: str,
) -> None:
    run = Distillation(
        instead={activity: lambda _: failed("no such luck", "first", "second", code="luck")}
    )
    root = run.run()
    assert (root.status, root.output) == (Status.FAILED, "no such luck")
    assert (run.shown["outcome"], run.shown["stopping"]) == ("failed", True)
    assert (run.shown["error"]["code"], run.shown["error"]["message"]) == ("luck", "no such luck")
    assert [problem["problem"] for problem in run.shown["error"]["details"]] == ["first", "second"]
    assert (run.reported["outcome"], run.reported["status"]["error"]) == (
        "failed",
        run.shown["error"],
    )
    assert run.shown["outputs"] == {"report": f"runs/{RUN_ID}/report.json"}
    assert not {*LATER[activity]} & {*run.hub.names()}


@pytest.mark.parametrize("activity", LATER)
def test_an_activity_that_keeps_raising_is_given_up_after_six_attempts_and_named(
    activity: str,
) -> None:
    run = Distillation({"train": 1}, instead={activity: raises})
    root = run.run()
    assert root.status is Status.FAILED
    assert run.shown["error"]["code"] == "activity_failed"
    assert f"{activity} kept failing" in run.shown["error"]["message"]
    assert "the storage account is gone" in run.shown["error"]["message"]
    assert len(run.hub.called(activity)) == 6
    assert run.reported["outcome"] == "failed"


def test_a_run_that_cannot_be_prepared_ends_without_a_report() -> None:
    run = Distillation(
        instead={PREPARE_RUN: lambda _: failed("the run specification has 2 problem(s)", "a", "b")}
    )
    root = run.run()
    assert (root.status, run.hub.names()) == (Status.FAILED, [PREPARE_RUN, ANNOUNCE_END])
    assert (run.shown["stage"], run.shown["outcome"]) == ("prepare", "failed")
    assert [problem["problem"] for problem in run.shown["error"]["details"]] == ["a", "b"]


def test_the_gate_stops_a_useless_dataset_before_anybody_is_asked_with_every_reason() -> None:
    few = {**Distillation.scanned(1), "valid": 4, "samples": ["line 2: invalid_json: column 1"]}
    none = {**Distillation.scanned(1), "valid": 0}
    run = Distillation(
        instead={SCAN_DATASET: lambda _: ok(splits={"train": few, "validation": none})}
    )
    run.run()
    assert run.hub.names() == [PREPARE_RUN, SCAN_DATASET, WRITE_REPORT]
    problems = [problem["problem"] for problem in run.shown["error"]["details"]]
    assert len(problems) == 2
    assert "4 usable rows, but at least 10" in problems[0]
    assert "line 2: invalid_json" in problems[0]
    assert "no usable row" in problems[1]


def test_too_few_accepted_rows_are_not_trained_on_and_the_datasets_stay() -> None:
    poor = counters(30, accepted=5, rejected={"truncated": 25})
    report = ok(outputs={}, counters={"train": poor})
    run = Distillation(
        {"train": 3},
        instead={ASSEMBLE_SPLIT: lambda _: ok(counters=poor), WRITE_REPORT: lambda _: report},
    )
    run.run()
    assert SUBMIT_FINETUNING not in run.hub.names()
    assert run.shown["error"]["code"] == "too_few_accepted"
    assert any("25 truncated" in problem["problem"] for problem in run.shown["error"]["details"])
    assert run.shown["splits"]["train"]["accepted"] == 5


def test_one_failed_split_stops_the_other_and_its_own_error_is_the_runs() -> None:
    run = Distillation({"train": 40, "validation": 1})

    def answer(payload: dict[str, Any]) -> Any:
        if payload["split"] == "validation":
            return failed("the teacher refuses every request")
        return After(1, lambda: {"status": "stopped"} if run.shown["stopping"] else ok())

    run.hub.activities[GENERATE_SHARD] = answer
    run.run()
    assert run.shown["error"]["message"] == "the teacher refuses every request"
    assert len(run.hub.called(GENERATE_SHARD)) < 15


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_ends_badly_by_itself_is_in_the_report(status: str) -> None:
    run = Distillation(statuses=["running", status])
    root = run.run()
    assert run.reported["outcome"] == status
    assert run.reported["status"]["finetune"]["status"] == status
    assert root.status is (Status.FAILED if status == "failed" else Status.COMPLETED)


def test_a_failed_job_fails_the_run_in_the_services_words() -> None:
    reason = job(
        "failed", message="line 3 of the training data has no messages", service_status="Failed"
    )
    run = Distillation(instead={POLL_FINETUNING: lambda _: ok(job=reason)})
    root = run.run()
    assert "line 3 of the training data has no messages" in root.output
    assert "https://studio/job" in run.shown["error"]["message"]
    assert run.shown["finetune"] == reason


def test_a_report_that_cannot_be_written_fails_a_run_that_was_fine() -> None:
    run = Distillation(
        instead={
            WRITE_REPORT: lambda _: failed("29 lines, 30 rows were accepted", code="conservation")
        }
    )
    root = run.run()
    assert (root.status, run.shown["error"]["code"]) == (Status.FAILED, "conservation")


def test_a_report_that_cannot_be_written_does_not_hide_why_the_run_failed() -> None:
    run = Distillation(instead={PREFLIGHT: lambda _: failed("wrong key"), WRITE_REPORT: raises})
    root = run.run()
    assert (root.output, run.shown["error"]["message"]) == ("wrong key", "wrong key")
