"""Students are found by asset id or name; hyperparameters have one spelling."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.students.backends import AZURE_OPENAI, AZUREML
from shared.students.catalogue import (
    ASSET_ID,
    DEFAULT_STUDENT,
    STUDENTS,
    Student,
    find_student,
)
from shared.students.hyperparameters import check_hyperparameters

MINISTRAL = find_student(DEFAULT_STUDENT)


def test_the_default_student_is_in_the_table_and_carries_no_warning() -> None:
    assert ASSET_ID.fullmatch(DEFAULT_STUDENT)
    assert (MINISTRAL.name, MINISTRAL.system_role, MINISTRAL.warnings) == ("Ministral 3B", True, ())


@pytest.mark.parametrize(
    "student", [student for student in STUDENTS if student.asset], ids=lambda each: each.name
)
def test_every_student_is_found_by_its_own_asset_id(student: Student) -> None:
    assert find_student(student.asset or "") is student


@pytest.mark.parametrize(
    "model", ["Ministral-3B", "ministral-3b", DEFAULT_STUDENT, DEFAULT_STUDENT[:-1] + "9"]
)
def test_a_student_is_found_by_name_in_any_case_and_by_any_version(model: str) -> None:
    assert replace(find_student(model), backend=AZUREML) == MINISTRAL


@pytest.mark.parametrize(
    "student", [student for student in STUDENTS if student.foundry], ids=lambda each: each.name
)
def test_a_bare_name_that_foundry_offers_means_foundry(student: Student) -> None:
    for model_id in student.foundry:
        assert find_student(model_id) == replace(student, backend=AZURE_OPENAI)
    if student.asset:
        assert find_student(student.asset).backend == AZUREML


@pytest.mark.parametrize(
    "model", ["gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-4o", "gpt-4o-mini"]
)
def test_students_of_azure_openai_are_known_with_and_without_their_date(model: str) -> None:
    student = find_student(model)
    assert student.backend == AZURE_OPENAI
    assert student.context_tokens == (32_768 if model == "gpt-4.1-nano" else 65_536)
    assert [find_student(model_id) for model_id in student.foundry] == [student]
    assert "fine-tuned it before" in (student.schedule or "")
    given = {"epochs": 3, "batch_size": 4, "learning_rate_multiplier": "0.5"}
    assert check_hyperparameters(student, given) == (
        {"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 0.5},
        [],
    )


@pytest.mark.parametrize("size", ["4k", "128k"])
def test_phi_3_medium_is_known_to_have_no_system_role(size: str) -> None:
    assert not find_student(
        f"azureml://registries/azureml/models/Phi-3-medium-{size}-instruct/versions/1"
    ).system_role


@pytest.mark.parametrize("size", ["8B", "405B"])
def test_a_retired_student_comes_with_a_warning_that_says_so(size: str) -> None:
    asset = f"azureml://registries/azureml-meta/models/Meta-Llama-3.1-{size}-Instruct/versions/1"
    (warning,) = find_student(asset).warnings
    assert "Llama 3.1 was retired on 2026" in warning


@pytest.mark.parametrize(
    "model", ["azureml://registries/r/models/Novel-7B/versions/2", "Novel-7B", "", "a/b/", "[("]
)
def test_an_unknown_student_gets_cautious_assumptions_and_a_warning(model: str) -> None:
    student = find_student(model)
    assert student.system_role
    assert student.context_tokens == 4096
    assert "not in the table" in student.warnings[0]


def test_either_spelling_and_numbers_as_text_become_azuremls() -> None:
    given = {"n_epochs": "3", "batch_size": 8.0, "learning_rate": "2e-5"}
    normalised, problems = check_hyperparameters(MINISTRAL, given)
    assert normalised == {
        "num_train_epochs": 3,
        "per_device_train_batch_size": 8,
        "learning_rate": 2e-5,
    }
    assert problems == []


def test_checking_what_was_checked_changes_nothing() -> None:
    normalised, _ = check_hyperparameters(MINISTRAL, {"n_epochs": 2, "learning_rate": "0.0001"})
    assert check_hyperparameters(MINISTRAL, normalised) == (normalised, [])


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"n_epochs": 0}, "whole number from 1 to 50"),
        ({"n_epochs": 2.5}, "whole number"),
        ({"n_epochs": True}, "whole number"),
        ({"learning_rate": "fast"}, "must be a number"),
        ({"learning_rate": float("nan")}, "must be a number"),
        ({"learning_rate": [1]}, "not list"),
        ({"learning_rate_multiplier": 2}, "takes learning_rate"),
        ({"lora_rank": 8}, "it takes num_train_epochs, per_device_train_batch_size, learning_rate"),
        ({"n_epochs": 2, "num_train_epochs": 3}, "remove one"),
    ],
)
def test_a_wrong_hyperparameter_is_a_sentence_with_the_remedy(
    given: dict[str, object], remedy: str
) -> None:
    _, problems = check_hyperparameters(MINISTRAL, given)
    assert len(problems) == 1
    assert remedy in problems[0]


def test_all_problems_are_told_at_once() -> None:
    _, problems = check_hyperparameters(MINISTRAL, {"n_epochs": 0, "batch_size": -1, "typo": 1})
    assert len(problems) == 3


def test_hyperparameters_of_an_unknown_student_pass_as_given() -> None:
    assert check_hyperparameters(find_student("Novel-7B"), {"lora_rank": 8}) == (
        {"lora_rank": 8},
        [],
    )
