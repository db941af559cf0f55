"""Several students of one run, at two services, through the whole app."""

from __future__ import annotations

from tests.support.app import App, requests_of_rows, sums

MINISTRAL = "azureml://registries/azureml-mistral/models/Ministral-3B/versions/1"
PHI_4_MINI = "azureml://registries/azureml/models/Phi-4-mini-instruct/versions/1"


def test_students_of_both_services_are_trained_from_the_same_datasets_and_reported(
    app: App,
) -> None:
    run_id = app.start(
        "school",
        sums(45, 300_000),
        student=[{"model": MINISTRAL}, {"model": "gpt-4.1-mini", "seed": 7}],
    )
    view = app.ended(run_id)
    assert view["status"] == "completed", view["error"]
    assert [(one["student"], one["status"]) for one in view["students"]] == [
        (MINISTRAL, "completed"),
        ("gpt-4.1-mini", "completed"),
    ]
    assert view["finetune"]["model"] == f"{run_id}:1"
    first, second = view["report"]["training"]
    assert (first["backend"], second["backend"]) == ("azureml", "azure_openai")
    for trained in (first, second):
        losses = [point["loss"] for point in trained["course"]["curve"]]
        assert losses[0] > losses[-1]
        assert trained["job"]["metrics"]["loss"] == losses[-1]
    assert "gpt-4.1-mini" in app.read(run_id, "README.md").decode()


def test_a_student_that_is_added_to_a_finished_run_is_trained_and_the_first_one_is_not_again(
    app: App,
) -> None:
    run_id = app.start("late", sums(45, 301_000), student={"model": MINISTRAL})
    before = app.ended(run_id)
    app.resume(run_id, student=[{"model": MINISTRAL}, {"model": PHI_4_MINI}])
    view = app.ended(run_id)
    assert view["status"] == "completed"
    assert requests_of_rows(view) == requests_of_rows(before)
    assert [one["job"] for one in view["students"]] == [before["finetune"]["job"], f"{run_id}-s2"]
    assert view["report"]["training"][0]["earlier_jobs"] == []
