"""prepare_run: the specification is resolved once, and the inputs are copied."""

from __future__ import annotations

from typing import Any

from shared.spec.parse import parse_spec
from shared.students.catalogue import DEFAULT_STUDENT
from tests.activities.conftest import Configure, NewRun
from tests.support.activity_runs import sums


async def test_a_dataset_alone_becomes_a_whole_specification(new_run: NewRun) -> None:
    run = new_run()
    await run.arrive(sums(3))
    prepared = await run.prepare()
    assert (prepared["status"], list(prepared["etags"]), prepared["warnings"]) == (
        "ok",
        ["train"],
        [],
    )
    spec = prepared["spec"]
    assert (spec["task"], spec["train"]) == ("math", run.train)
    assert (spec["teacher"]["model"], spec["student"]["model"]) == (
        "local-teacher",
        DEFAULT_STUDENT,
    )
    assert spec["student"]["registered_model_name"] == run.paths.run_id
    document = await run.storage.read_json(run.paths.specification)
    assert parse_spec(document) == parse_spec(spec)


async def test_a_file_beside_the_dataset_whose_name_keeps_it_from_being_used_is_a_warning(
    new_run: NewRun,
) -> None:
    run = new_run()
    await run.upload("val.jsonl", sums(2, first=10))
    await run.upload("notes.txt", b"")
    await run.arrive(sums(3))
    (warning,) = (await run.prepare())["warnings"]
    assert warning.startswith('file "val.jsonl" isn\'t used: ')
    assert "`validation.jsonl`" in warning


async def test_inputs_are_copied_so_that_later_uploads_do_not_reach_the_run(
    new_run: NewRun,
) -> None:
    run = new_run()
    await run.arrive(sums(3), sums(2, first=10))
    await run.prepare()
    await run.upload("train.jsonl", sums(9, first=50))
    await run.upload("validation.jsonl", b"")
    assert await run.storage.read(run.paths.input("train")) == sums(3)
    assert await run.storage.read(run.paths.input("validation")) == sums(2, first=10)


async def test_a_second_execution_changes_nothing_though_the_folder_has_changed(
    new_run: NewRun,
) -> None:
    run = new_run(teacher={"max_tokens": 99})
    await run.arrive(sums(3))
    first, before = await run.prepare(), await run.contents()
    await run.upload("run.json", b'{"teacher": {"max_tokens": 7}}')
    await run.upload("train.jsonl", sums(9))
    assert await run.prepare() == first
    assert await run.contents() == before


async def test_a_dataset_overwritten_before_the_run_began_is_not_used_under_the_old_versions_name(
    new_run: NewRun,
) -> None:
    run = new_run()
    await run.arrive(sums(3))
    await run.upload("train.jsonl", sums(4))
    prepared = await run.prepare()
    assert (prepared["status"], prepared["error"]["code"]) == ("failed", "dataset_changed")
    assert run.train in prepared["error"]["message"]
    assert await run.names() == set()


async def test_a_dataset_that_was_deleted_is_named(new_run: NewRun) -> None:
    run = new_run()
    await run.arrive(sums(3))
    run.request["train"] = run.train.replace("train.jsonl", "gone/train.jsonl")
    prepared = await run.prepare()
    assert (prepared["status"], prepared["error"]["code"]) == ("failed", "not_found")
    assert "gone/train.jsonl" in prepared["error"]["message"]


async def test_a_validation_set_that_does_not_exist_is_named(new_run: NewRun) -> None:
    run = new_run(validation="datasets/math/nowhere/validation.jsonl")
    await run.arrive(sums(3))
    prepared = await run.prepare()
    assert prepared["error"]["code"] == "not_found"
    assert "datasets/math/nowhere/validation.jsonl" in prepared["error"]["message"]


async def test_settings_that_were_mended_are_read_again(
    new_run: NewRun, configure: Configure
) -> None:
    run = new_run()
    await run.arrive(sums(3))
    configure(TEACHER_MODEL=None)
    assert (await run.prepare())["status"] == "failed"
    configure(TEACHER_MODEL="m")
    assert (await run.prepare())["spec"]["teacher"]["model"] == "m"


async def test_a_runs_own_models_go_before_those_of_the_settings(
    new_run: NewRun, configure: Configure
) -> None:
    configure(STUDENT_MODEL="azureml://registries/r/models/From-Settings/versions/1")
    model = "azureml://registries/azureml/models/Phi-4-mini-instruct/versions/1"
    run, other = new_run(teacher={"model": "gpt-x"}, student={"model": model}), new_run()
    for each in (run, other):
        await each.arrive(sums(3))
    spec = (await run.prepare())["spec"]
    assert (spec["teacher"]["model"], spec["student"]["model"]) == ("gpt-x", model)
    assert "From-Settings" in (await other.prepare())["spec"]["student"]["model"]


async def test_an_unknown_student_is_taken_with_a_warning(new_run: NewRun) -> None:
    run = new_run(student={"model": "azureml://registries/r/models/Novel-7B/versions/1"})
    await run.arrive(sums(3))
    (warning,) = (await run.prepare())["warnings"]
    assert "Novel-7B" in warning


async def test_a_key_too_short_to_be_looked_for_is_a_warning_without_it(
    new_run: NewRun, app: Configure
) -> None:
    app(TEACHER_API_KEY="sk-sesame")
    run = new_run()
    await run.arrive(sums(3))
    (warning,) = (await run.prepare())["warnings"]
    assert warning.startswith("TEACHER_API_KEY has fewer than 12 characters")
    assert "sk-sesame" not in warning


async def test_hyperparameters_get_the_names_of_the_service(new_run: NewRun) -> None:
    run = new_run(student={"hyperparameters": {"n_epochs": "2", "batch_size": 8}})
    await run.arrive(sums(3))
    assert (await run.prepare())["spec"]["student"]["hyperparameters"] == {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
    }


async def test_hyperparameters_are_checked_against_a_student_that_only_the_settings_name(
    new_run: NewRun,
) -> None:
    hyperparameters: dict[str, Any] = {"lora_rank": 8, "n_epochs": 0}
    run = new_run(student={"hyperparameters": hyperparameters})
    await run.arrive(sums(3))
    prepared = await run.prepare()
    assert prepared["error"]["code"] == "invalid_input"
    assert len(prepared["error"]["details"]) == 2


async def test_no_secret_is_written_into_the_runs_folder(new_run: NewRun, azurite: str) -> None:
    run = new_run()
    await run.arrive(sums(3))
    await run.prepare()
    key = azurite.partition("AccountKey=")[2].partition(";")[0]
    written = await run.text(run.paths.specification)
    assert key not in written
    assert "sesame" not in written


async def test_a_connection_string_that_is_none_is_named(
    new_run: NewRun, configure: Configure
) -> None:
    run = new_run()
    await run.arrive(sums(3))
    configure(DISTILLATION_STORAGE="AccountName")
    prepared = await run.prepare()
    assert (prepared["status"], prepared["error"]["code"]) == ("failed", "settings")
    assert "isn't a connection string" in prepared["error"]["message"]
