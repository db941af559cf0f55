"""The status of a run: counters that users can trust, in a size that Durable takes, and one view of
every ending.
"""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.counters import Counters, LabelCounts
from shared.finetuning.base import JobState, JobStatus
from shared.runs.status import (
    MAX_DETAILS,
    MAX_STATUS_BYTES,
    TERMINAL,
    RunState,
    RunStatus,
)
from shared.runs.view import RUN_STATES, InstanceStatus, run_view
from shared.scan.findings import Findings
from shared.scan.plan import SplitScan
from shared.spec.models import MAX_STUDENTS, StudentSpec

LINKS = {"self": "https://app/api/runs/nli-x-1"}


def durable(runtime: str = "Running", **fields: Any) -> InstanceStatus:
    usual = {
        "name": "distillation_run",
        "instanceId": "nli-x-1",
        "createdTime": "c",
        "lastUpdatedTime": "u",
    }
    return cast(InstanceStatus, {**usual, "runtimeStatus": runtime, **fields})


def running() -> RunStatus:
    status = RunStatus(task="nli", name="x")
    status.plan("train", 100, 4)
    return status


def test_counts_are_taken_over_and_what_was_planned_stays() -> None:
    status = running()
    counters = Counters(
        rows=50, done=40, accepted=30, rejected={"empty": 10}, prompt_tokens=7, completion_tokens=3
    )
    status.count({"train": counters.model_copy(update={"shards": 2, "shards_done": 1})})
    assert status.splits["train"] == {
        "rows": 100,
        "done": 40,
        "accepted": 30,
        "rejected": 10,
        "shards": 4,
        "shards_done": 1,
    }
    assert status.tokens == {"prompt": 7, "completion": 3}
    assert status.agreement == {}


def test_the_view_shows_how_many_answers_agree_with_their_references() -> None:
    status = running()
    counters = Counters(with_reference=100, matching=50, unreadable_references=2)
    counters.labels = {"open": LabelCounts(rows=100, matching=50)}
    status.count({"train": counters})
    shown = run_view(durable(customStatus=status.custom_status()), LINKS).agreement["train"]
    assert (shown.rows, shown.agreeing, shown.share, shown.unreadable) == (100, 50, 0.5, 2)
    assert (shown.low, shown.high) == (0.4038, 0.5962)
    assert shown.labels == {}  # they are in the report: the status must stay small


def test_rows_that_an_earlier_run_answered_are_shown_where_there_are_any() -> None:
    status = running()
    status.count({"train": Counters(rows=5, done=5, accepted=5, reused=3)})
    assert status.splits["train"]["reused"] == 3


def test_examples_are_shown_where_rows_make_several() -> None:
    status = running()
    status.count({"train": Counters(rows=5, done=5, accepted=5, examples=5)})
    assert "examples" not in status.splits["train"]
    status.count({"train": Counters(rows=5, done=5, accepted=5, examples=9)})
    assert (status.splits["train"]["accepted"], status.splits["train"]["examples"]) == (5, 9)


def test_rationalised_rows_are_shown_where_there_are_any() -> None:
    status = running()
    status.count({"train": Counters(rows=5, done=5, accepted=5, rationalised=2)})
    assert status.splits["train"]["rationalised"] == 2


def test_a_failure_is_noted_and_stops_the_work() -> None:
    status = running()
    problem: Any = {"where": "teacher", "problem": "HTTP 401"}
    status.fail(
        {"code": "teacher", "message": "wrong key", "details": [problem] * (MAX_DETAILS + 5)}
    )
    assert (status.outcome, status.stopping) == ("failed", True)
    assert status.error is not None
    assert (status.error["message"], status.error["details"]) == (
        "wrong key",
        [problem] * MAX_DETAILS,
    )


def test_rows_with_conflicting_references_are_counted_once_the_scan_has_found_them() -> None:
    status = RunStatus(task="math", name="x")
    status.show_scan("train", SplitScan(rows=9, shards=1, conflicts=Findings(rows=2)))
    near = Findings(rows=1)
    status.show_scan("validation", SplitScan(rows=3, shards=1, near_duplicates=near))
    status.count({"train": Counters(rows=9, done=4, accepted=4)})
    assert status.splits["train"]["conflicts"] == 2
    assert "conflicts" not in status.splits["validation"]
    assert status.splits["validation"]["near_duplicates"] == 1


def test_the_rows_of_a_test_set_are_decided_by_the_scan() -> None:
    status = RunStatus(task="math", name="x")
    status.show_scan("test", SplitScan(rows=9, valid=7, rejected={"overlap": 2}, shards=1))
    shown = status.splits["test"]
    assert (shown["done"], shown["rejected"], shown["shards"]) == (2, 2, 0)
    assert status.reasons["test"] == {"overlap": 2}
    status.count_not_asked()
    assert shown["not_asked"] == 7


texts = st.text(max_size=40) | st.sampled_from(["x" * 9000, '\u0001"\\😀' * 2000, "\ud800" * 100])


@given(texts, st.lists(st.tuples(texts, texts), max_size=30), st.lists(texts, max_size=4), texts)
def test_any_texts_fit_into_a_custom_status(
    message: str, details: Any, warnings: list[str], said: str
) -> None:
    status = RunStatus(task="nli", name=message[:1000], warnings=warnings)
    for split in ("train", "validation"):
        status.plan(split, 10**9, 10**6)
    problems: Any = [{"where": where, "problem": problem} for where, problem in details]
    status.fail({"code": "c", "message": message, "details": problems})
    status.finetune = JobState(
        job="j" * 100,
        status=JobStatus.FAILED,
        service_status="Failed",
        url="u" * 400,
        message=said,
    )
    shown = status.custom_status()
    size = len(json.dumps(shown, ensure_ascii=False).encode("utf-16-le", "surrogatepass"))
    assert size <= MAX_STATUS_BYTES
    assert (shown["finetune"]["job"], shown["finetune"]["url"]) == ("j" * 100, "u" * 400)
    assert shown["error"]["message"][:19] == message[:19]


def test_a_job_of_any_size_fits_into_a_custom_status() -> None:
    status = running()
    many = [f"{number:04}{'w' * 200}" for number in range(500)]
    long = "x" * 20_000
    job = JobState(
        job=long,
        status=JobStatus.RUNNING,
        service_status=long,
        url=long,
        model=long,
        metrics=dict.fromkeys(many, 1.0),
        warnings=many,
    )
    status.expect_students([StudentSpec(model="m")] * MAX_STUDENTS)
    for student in range(MAX_STUDENTS):
        status.show_job(job, student)
    shown = json.dumps(status.custom_status(), ensure_ascii=False)
    assert len(shown.encode("utf-16-le")) <= MAX_STATUS_BYTES


def test_a_status_that_fits_is_shown_as_it_is() -> None:
    status = running()
    status.fail({"code": "c", "message": "m" * 1500, "details": []})
    assert status.custom_status() == status.model_dump(mode="json")


def test_every_runtime_status_of_durable_has_a_word_of_ours() -> None:
    for runtime, word in RUN_STATES.items():
        view = run_view(durable(runtime, customStatus=running().model_dump()), LINKS)
        assert (view.status, view.id, view.task, view.links) == (
            word,
            "nli-x-1",
            "nli",
            LINKS,
        )
    of_ours_alone = {RunState.QUEUED, RunState.DELETING}
    assert {*RUN_STATES.values(), *of_ours_alone} == set(RunState) > TERMINAL


@pytest.mark.parametrize("outcome", ["completed", "cancelled"])
def test_a_run_that_durable_calls_completed_is_what_it_says_itself(outcome: str) -> None:
    custom = {**running().model_dump(), "outcome": outcome}
    assert run_view(durable("Completed", customStatus=custom), LINKS).status == outcome


def test_a_run_that_has_decided_to_fail_but_still_writes_its_report_is_running() -> None:
    custom = {**running().model_dump(), "outcome": "failed", "stage": "report"}
    assert run_view(durable("Running", customStatus=custom), LINKS).status == "running"


def test_a_run_that_waits_for_its_turn_is_queued_unless_it_is_paused_or_has_ended() -> None:
    custom = RunStatus(task="math", name="x", stage="queue").custom_status()
    states = {
        runtime: run_view(durable(runtime, customStatus=custom), LINKS).status
        for runtime in ("Running", "Suspended", "Terminated")
    }
    assert states == {"Running": "queued", "Suspended": "suspended", "Terminated": "terminated"}


def test_an_orchestration_that_broke_shows_what_it_said() -> None:
    view = run_view(
        durable("Failed", output="Non-Deterministic workflow detected", customStatus=None), LINKS
    )
    assert view.error is not None
    assert view.error["message"] == "Non-Deterministic workflow detected"


def test_our_own_error_goes_before_the_orchestrations() -> None:
    status = running()
    status.fail({"code": "teacher", "message": "wrong key", "details": []})
    view = run_view(durable("Failed", output="wrapped", customStatus=status.model_dump()), LINKS)
    assert view.error is not None
    assert view.error["message"] == "wrong key"


@pytest.mark.parametrize(
    "given_input", [{"task": "math", "name": "sums"}, '{"task": "math", "name": "sums"}']
)
def test_a_run_that_has_not_begun_is_described_by_its_request(given_input: Any) -> None:
    view = run_view(durable("Pending", input=given_input, customStatus=None), LINKS)
    assert (view.status, view.task, view.name, view.stage) == (
        "pending",
        "math",
        "sums",
        "prepare",
    )


@pytest.mark.parametrize("given_input", [None, "no JSON", "[1]", 7])
def test_an_input_that_cannot_be_read_hides_no_run(given_input: Any) -> None:
    assert run_view(durable("Pending", input=given_input), LINKS).task == "nli"


def test_the_views_of_several_students_have_their_jobs_and_what_still_waits() -> None:
    status = running()
    models = [StudentSpec(model=name) for name in ("a", "b")]
    status.expect_students(models)
    job = JobState(job="j", status=JobStatus.RUNNING, service_status="Running")
    status.show_job(job, 0)
    view = run_view(durable(customStatus=status.custom_status()), LINKS)
    shown = view.model_dump(mode="json")
    assert shown["finetune"] == {
        "job": "j",
        "status": "running",
        "service_status": "Running",
        "url": None,
        "model": None,
        "message": None,
        "metrics": {},
    }
    assert shown["students"] == [
        {"student": "a", **shown["finetune"]},
        {"student": "b", "status": "queued"},
    ]


def test_warnings_about_a_job_are_the_runs_too_and_told_once() -> None:
    status = RunStatus(task="math", name="x", warnings=["earlier"])
    job = JobState(job="j", status=JobStatus.RUNNING, service_status="running", warnings=["w"])
    for _ in range(2):
        status.show_job(job, 0)
    assert status.warnings == ["earlier", "w"]
