"""Runs with several students: each is trained by a job of its own, and what becomes of one does not stop another."""

from __future__ import annotations

from typing import Any

from local.functions_host.durable.events import Status
from shared.core.ids import finetuning_id
from shared.runs.contracts import CANCEL_FINETUNING, POLL_FINETUNING, SUBMIT_FINETUNING, Event
from tests.support.orchestrator_simulation import Activity, After
from tests.support.scripted import RUN_ID, Distillation, failed, job, ok

MODELS = [f"azureml://registries/r/models/m{number}/versions/1" for number in range(3)]
SEVERAL: dict[str, Any] = {"student": [{"model": model} for model in MODELS]}


def training(ends: list[str], seconds: float = 20) -> dict[str, Activity]:
    """Jobs by student, which take so long and end as told."""

    def shown(number: int, status: str) -> Any:
        model = f"student-{number}:1" if status == "completed" else None
        return ok(job=job(status, job=f"{RUN_ID}-s{number + 1}", model=model))

    def poll(work: dict[str, Any]) -> Any:
        number: int = work["student"]
        return After(seconds, shown(number, ends[number]))

    return {
        SUBMIT_FINETUNING: lambda work: shown(work["student"], "queued"),
        POLL_FINETUNING: poll,
        CANCEL_FINETUNING: lambda work: shown(work["student"], "cancelled"),
    }


def test_each_student_is_trained_at_the_same_time_and_shown_with_its_model() -> None:
    run = Distillation(spec=SEVERAL, instead=training(["completed"] * 3))
    assert run.run().output["status"] == "completed"
    assert [call.input["student"] for call in run.hub.called(SUBMIT_FINETUNING)] == [0, 1, 2]
    polls = run.hub.called(POLL_FINETUNING)
    assert max(call.started for call in polls) < min(call.ended or 0 for call in polls)
    shown = [(one["student"], one["status"], one["model"]) for one in run.shown["students"]]
    assert shown == [
        (model, "completed", f"student-{number}:1") for number, model in enumerate(MODELS)
    ]
    assert run.shown["finetune"]["job"] == f"{RUN_ID}-s1"


def test_one_that_fails_does_not_stop_the_others_and_the_run_says_which_failed() -> None:
    run = Distillation(spec=SEVERAL, instead=training(["completed", "failed", "completed"]))
    root = run.run()
    assert root.status is Status.FAILED
    assert [one["status"] for one in run.shown["students"]] == ["completed", "failed", "completed"]
    assert "1 of 3 students failed" in run.shown["error"]["message"]
    assert f"{RUN_ID}-s2" in run.shown["error"]["details"][0]["problem"]
    assert run.reported["status"]["students"] == run.shown["students"]


def test_one_whose_job_cannot_be_submitted_does_not_stop_the_others() -> None:
    instead = training(["completed"] * 3)
    usual = instead[SUBMIT_FINETUNING]
    instead[SUBMIT_FINETUNING] = lambda work: (
        failed("no quota") if work["student"] == 0 else usual(work)
    )
    run = Distillation(spec=SEVERAL, instead=instead)
    run.run()
    assert [one["status"] for one in run.shown["students"]][1:] == ["completed", "completed"]
    assert run.shown["error"]["details"] == [{"where": "student", "problem": "no quota"}]


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
    assert [one["status"] for one in run.shown["students"]] == [
        "cancelled",
        "cancelled",
        "completed",
    ]
