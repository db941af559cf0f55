"""Runs with several students: each has a job of its own, and one that fails stops no other."""

from __future__ import annotations

from local.functions_host.durable.events import Status
from shared.core.ids import finetuning_id
from shared.runs.contracts import POLL_FINETUNING, SUBMIT_FINETUNING, Event
from tests.support.scripted import MODELS, RUN_ID, SEVERAL, Distillation, failed, training


def test_each_student_is_trained_at_the_same_time_and_shown_with_its_model() -> None:
    run = Distillation(spec=SEVERAL, instead=training(["completed"] * 3))
    assert run.run().output["status"] == "completed"
    assert [call.input["student"] for call in run.hub.called(SUBMIT_FINETUNING)] == [0, 1, 2]
    polls = run.hub.called(POLL_FINETUNING)
    assert max(call.started for call in polls) < min(call.ended or 0 for call in polls)
    shown = [
        (student["student"], student["status"], student["model"])
        for student in run.shown["students"]
    ]
    assert shown == [
        (model, "completed", f"student-{number}:1") for number, model in enumerate(MODELS)
    ]
    assert run.shown["finetune"]["job"] == f"{RUN_ID}-s1"


def test_one_that_fails_does_not_stop_the_others_and_the_run_says_which_failed() -> None:
    run = Distillation(spec=SEVERAL, instead=training(["completed", "failed", "completed"]))
    root = run.run()
    assert root.status is Status.FAILED
    assert [student["status"] for student in run.shown["students"]] == [
        "completed",
        "failed",
        "completed",
    ]
    assert "1 of 3 students failed" in run.shown["error"]["message"]
    [detail] = run.shown["error"]["details"]
    assert (detail["where"], f"{RUN_ID}-s2" in detail["problem"]) == ("student.1", True)
    assert run.reported["status"]["students"] == run.shown["students"]


def test_one_whose_job_cannot_be_submitted_does_not_stop_the_others() -> None:
    instead = training(["completed"] * 3)
    usual = instead[SUBMIT_FINETUNING]
    instead[SUBMIT_FINETUNING] = lambda payload: (
        failed("no quota") if payload["student"] == 0 else usual(payload)
    )
    run = Distillation(spec=SEVERAL, instead=instead)
    run.run()
    assert [student["status"] for student in run.shown["students"]][1:] == [
        "completed",
        "completed",
    ]
    assert run.shown["error"]["details"] == [{"where": "student.0", "problem": "no quota"}]


def test_a_user_who_cancels_stops_all_of_them() -> None:
    ends = ["running", "running", "completed"]
    run = Distillation(spec=SEVERAL, instead=training(ends, seconds=1))

    def cancel() -> None:
        run.hub.raise_event(RUN_ID, Event.CANCEL, "user")
        ends[:2] = ["cancelled", "cancelled"]
        for student in range(2):
            run.hub.raise_event(finetuning_id(RUN_ID, student), Event.CANCEL, "user")

    run.hub.at(200, cancel)
    assert run.run().output["status"] == "cancelled"
    assert [student["status"] for student in run.shown["students"]] == [
        "cancelled",
        "cancelled",
        "completed",
    ]
