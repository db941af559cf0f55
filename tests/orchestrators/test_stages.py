"""The course of a run that goes well."""

from __future__ import annotations

from typing import Any

from local.functions_host.durable.events import Status
from shared.runs.contracts import (
    ABANDON_SHARD,
    ANNOUNCE_END,
    ASSEMBLE_SPLIT,
    CANCEL_FINETUNING,
    CONCLUDE_FINETUNING,
    GENERATE_SHARD,
    POLL_FINETUNING,
    PREFLIGHT,
    PREPARE_RUN,
    READ_FIRST_WAVE,
    READ_PROGRESS,
    SCAN_DATASET,
    SUBMIT_FINETUNING,
    WRITE_REPORT,
)
from shared.runs.requests import RunRequest
from tests.support.orchestrator_simulation import Activity, After
from tests.support.scripted import REQUEST, RUN_ID, Distillation, counters, ok


def test_stages_follow_each_other_and_each_works_on_what_the_one_before_has_made() -> None:
    run = Distillation()
    root = run.run()
    assert (root.status, root.output["status"]) == (Status.COMPLETED, "completed")
    stages = ["prepare", "scan", "preflight", "generate", "assemble", "finetune", "report", "done"]
    assert run.stages() == stages
    names = [name for name in dict.fromkeys(run.hub.names()) if name != READ_PROGRESS]
    assert names == [
        PREPARE_RUN,
        SCAN_DATASET,
        PREFLIGHT,
        GENERATE_SHARD,
        READ_FIRST_WAVE,
        ASSEMBLE_SPLIT,
        SUBMIT_FINETUNING,
        POLL_FINETUNING,
        CONCLUDE_FINETUNING,
        WRITE_REPORT,
    ]


def test_fields_that_the_run_does_not_use_are_named_once_for_all_splits() -> None:
    scans = {
        "train": {**Distillation.scanned(1), "unused_fields": ["tools"]},
        "validation": {**Distillation.scanned(1), "unused_fields": ["messages[].name", "tools"]},
    }
    run = Distillation(
        {"train": 1, "validation": 1}, instead={SCAN_DATASET: lambda _: ok(splits=scans)}
    )
    run.run()
    [warning] = [text for text in run.shown["warnings"] if "tools" in text]
    assert warning.endswith(": messages[].name, tools")


def test_questions_with_different_references_are_counted_and_warned_of() -> None:
    sample = "line 7 of train: 5, but 4 on line 2 of train"
    conflicts = {"rows": 1, "samples": [sample]}
    scans = {"train": {**Distillation.scanned(1), "conflicts": conflicts}}
    run = Distillation(instead={SCAN_DATASET: lambda _: ok(splits=scans)})
    run.run()
    [warning] = [text for text in run.shown["warnings"] if "reference" in text]
    assert sample in warning
    assert run.shown["splits"]["train"]["conflicts"] == 1


def test_train_and_validation_are_answered_side_by_side() -> None:
    run = Distillation({"train": 3, "validation": 2})
    run.run()
    after_first_wave = run.hub.called(GENERATE_SHARD)[1:]
    spans = {
        split: [
            (call.started, call.ended) for call in after_first_wave if call.input["split"] == split
        ]
        for split in run.shards
    }
    assert spans["train"] == spans["validation"]


def test_a_run_without_validation_is_trained_on_the_training_set_alone() -> None:
    run = Distillation({"train": 3})
    assert run.run().output["status"] == "completed"
    assert [call.input["split"] for call in run.hub.called(ASSEMBLE_SPLIT)] == ["train"]
    (submitted,) = run.hub.called(SUBMIT_FINETUNING)
    assert submitted.input["splits"] == ["train"]


def test_a_run_without_a_student_ends_with_its_datasets() -> None:
    run = Distillation({"train": 1}, spec={"student": None, "quality": {}})
    assert run.run().output["status"] == "completed"
    stages = ["prepare", "scan", "preflight", "generate", "assemble", "report", "done"]
    assert run.stages() == stages
    assert SUBMIT_FINETUNING not in run.hub.names()
    assert run.shown["datasets_only"]
    assert (run.shown["finetune"], run.shown["students"]) == (None, [])


def test_a_test_set_is_scanned_and_reported_and_nothing_else() -> None:
    run = Distillation({"train": 1, "validation": 1, "test": 1})
    assert run.run().output["status"] == "completed"
    (scanned,) = run.hub.called(SCAN_DATASET)
    assert scanned.input["splits"] == ["train", "validation", "test"]
    for activity in (GENERATE_SHARD, ASSEMBLE_SPLIT):
        splits = [call.input["split"] for call in run.hub.called(activity)]
        assert splits == ["train", "validation"]
    (submitted,) = run.hub.called(SUBMIT_FINETUNING)
    assert submitted.input["splits"] == ["train", "validation"]
    assert all("test" not in call.input["splits"] for call in run.hub.called(READ_PROGRESS))
    assert run.reported["splits"] == ["train", "validation", "test"]


def test_the_rows_that_may_be_lost_are_those_that_the_success_ratio_leaves() -> None:
    run = Distillation(
        {"train": 10, "validation": 1},
        spec={"quality": {"min_rows": 10, "min_success_ratio": 0.75}},
    )
    run.run()
    allowed = {
        call.input["split"]: call.input["max_rejected"] for call in run.hub.called(GENERATE_SHARD)
    }
    assert allowed == {"train": 25, "validation": 2}


def test_an_unreachable_success_ratio_ends_the_run_while_shards_still_run() -> None:
    counts = {
        "train": counters(100, 20, failed={0: 26}, rejected={"timeout": 26}, accepted=0),
        "validation": counters(10, 0),
    }
    run = Distillation(
        {"train": 10, "validation": 1},
        spec={"quality": {"min_rows": 10, "min_success_ratio": 0.75}},
        instead={
            GENERATE_SHARD: lambda shard: (
                After(30, {"status": "stopped"}) if run.hub.called(READ_FIRST_WAVE) else ok()
            ),
            READ_PROGRESS: lambda _: (
                ok(splits=counts) if len(run.hub.called(GENERATE_SHARD)) > 1 else ok(splits={})
            ),
        },
    )
    root = run.run()
    assert (root.status, run.shown["error"]["code"]) == (Status.FAILED, "success_ratio")
    assert "26 timeout" in run.shown["error"]["details"][0]["problem"]
    announced = next(moment for moment, status in root.custom_statuses if status["stopping"])
    assert announced < 15  # seconds: shards see it there and stop
    assert (
        len(run.hub.called(GENERATE_SHARD)) == 4
    )  # the first wave, and those that had begun: two of train and the one of validation


def test_the_report_is_written_last_with_all_that_was_counted() -> None:
    run = Distillation()
    run.run()
    assert run.hub.names()[-1] == WRITE_REPORT
    assert (run.reported["outcome"], run.reported["splits"]) == (
        "completed",
        ["train", "validation"],
    )
    status = run.reported["status"]
    assert {split: counts["accepted"] for split, counts in status["splits"].items()} == {
        "train": 30,
        "validation": 20,
    }
    assert (status["finetune"]["status"], status["finetune"]["model"]) == ("completed", "student:1")
    assert status["warnings"] == ["mind"]


def test_the_status_names_the_outputs_that_were_written() -> None:
    run = Distillation()
    root = run.run()
    assert root.output == {
        "run_id": RUN_ID,
        "status": "completed",
        "outputs": {"report": f"runs/{RUN_ID}/report.json"},
    }
    assert run.shown["outputs"] == root.output["outputs"]


def test_progress_is_shown_while_shards_are_answered() -> None:
    run = Distillation(
        {"train": 6}, instead={GENERATE_SHARD: lambda _: After(10, {"status": "ok"})}
    )
    run.run()
    shown = [
        status["splits"]["train"]["done"]
        for _, status in run.root.custom_statuses
        if status["splits"]
    ]
    assert sorted(set(shown)) == [0, 10, 30, 50, 60]
    assert shown == sorted(shown)


def unlucky(usual: Activity) -> Activity:
    """The activity, which fails the first two times."""
    failures = [ConnectionError("the storage account throttles"), TimeoutError("no reply")]

    def act(payload: dict[str, Any]) -> Any:
        if failures:
            raise failures.pop()
        return usual(payload)

    return act


def test_a_raised_failure_of_any_stage_is_tried_again() -> None:
    run = Distillation({"train": 1})
    unused = (CANCEL_FINETUNING, ABANDON_SHARD, ANNOUNCE_END)
    names = [name for name in run.hub.activities if name not in unused]
    for name in names:
        run.hub.activities[name] = unlucky(run.hub.activities[name])
    assert run.run().output["status"] == "completed"
    assert [name for name in names if len(run.hub.called(name)) < 3] == []


def test_the_request_reaches_the_first_activity_unchanged() -> None:
    run = Distillation()
    run.run()
    (prepared,) = run.hub.called(PREPARE_RUN)
    assert prepared.input == RunRequest.model_validate(REQUEST).model_dump(mode="json")


def test_what_preflight_warns_of_is_in_the_status() -> None:
    run = Distillation(instead={PREFLIGHT: lambda _: ok(warnings=["the workspace lies elsewhere"])})
    assert run.run().output["status"] == "completed"
    assert "the workspace lies elsewhere" in run.shown["warnings"]


def test_a_deployment_that_is_left_out_is_in_the_status_once() -> None:
    warning = "TEACHER_ENDPOINTS.1 was left out"
    run = Distillation(
        {"train": 3},
        instead={
            PREFLIGHT: lambda _: ok(warnings=[warning]),
            READ_PROGRESS: lambda _: ok(splits={}, warnings=[warning]),
        },
    )
    assert run.run().output["status"] == "completed"
    assert run.shown["warnings"].count(warning) == 1


def test_a_run_that_has_exceeded_its_budget_completes_with_a_warning() -> None:
    used = {**counters(30), "requests": 46}
    run = Distillation(
        {"train": 3},
        spec={"budget": {"max_requests": 30}},
        instead={ASSEMBLE_SPLIT: lambda _: ok(counters=used)},
    )
    assert run.run().output["status"] == "completed"
    (warning,) = (text for text in run.shown["warnings"] if "budget" in text)
    assert warning.startswith("budget.max_requests is 30, but 46 were used")


def test_low_agreement_with_the_references_is_warned_of_in_status_and_report() -> None:
    counts = {**counters(100, 100), "with_reference": 100, "matching": 40}
    run = Distillation({"train": 10}, instead={ASSEMBLE_SPLIT: lambda _: ok(counters=counts)})
    assert run.run().output["status"] == "completed"
    [warning] = [text for text in run.shown["warnings"] if "references" in text]
    assert warning.startswith("40 of 100 answers of train agree")
    assert run.reported["status"]["warnings"] == run.shown["warnings"]
    assert run.shown["agreement"]["train"]["agreeing"] == 40
