"""What a resource's words about a model mean for a run: a problem, a warning, or nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from openai.types import Model

from shared.finetuning.azure_openai.model_checks import model_problems, model_warnings
from shared.finetuning.azure_openai.models import ModelSearch, ServiceModel
from tests.support.azure_openai import MODEL
from tests.support.openai_resource import student

TODAY = date(2026, 11, 27)
APRIL_2027 = 1_807_660_800  # 2027-04-14


def search(**changes: Any) -> ModelSearch:
    answer: dict[str, Any] = {
        "id": MODEL,
        "object": "model",
        "created": 0,
        "owned_by": "x",
        "capabilities": {"fine_tune": True},
        "lifecycle_status": "generally-available",
        **changes,
    }
    return ModelSearch(ServiceModel.read(Model.model_validate(answer)))


@pytest.mark.parametrize("capabilities", [{"fine_tune": True}, {"fine_tune": None}, {}, None, "?"])
def test_a_model_that_is_not_said_to_be_untrainable_has_no_problem(capabilities: Any) -> None:
    assert model_problems(student(), search(capabilities=capabilities)) == []


def test_a_flag_that_no_document_defines_is_never_a_problem() -> None:
    flags = {"fine_tune": False, "global_fine_tune": False, "devtier_fine_tune": False}
    for training_type in ("global", "developer"):
        chosen = student(training_type=training_type)
        assert model_problems(chosen, search(capabilities=flags)) == []
        (warning,) = _without_schedule(model_warnings(chosen, search(capabilities=flags), TODAY))
        assert f"does not list {training_type} training" in warning


def test_dates_of_the_service_replace_those_of_the_catalogue() -> None:
    deprecation = {"fine_tune": APRIL_2027, "inference": APRIL_2027}
    assert model_warnings(student(), search(deprecation=deprecation), TODAY) == [
        f"the service ends fine-tuning of {MODEL} on 2027-04-14",
        f"the service retires {MODEL} on 2027-04-14",
    ]


def test_without_dates_of_the_service_those_of_the_catalogue_are_told() -> None:
    for deprecation in ({}, {"fine_tune": None}, {"fine_tune": "soon"}, None):
        (warning,) = model_warnings(student(), search(deprecation=deprecation), TODAY)
        assert "closes to new fine-tuning customers on 2027-04-14" in warning


def test_an_end_that_has_passed_is_a_warning_because_earlier_customers_may_go_on() -> None:
    past = search(deprecation={"fine_tune": APRIL_2027, "inference": 4_000_000_000})
    assert model_problems(student(), past) == []
    (warning,) = model_warnings(student(), past, date(2027, 4, 14))
    assert "ended on 2027-04-14" in warning


def test_an_end_far_away_is_no_news() -> None:
    far = search(deprecation={"fine_tune": APRIL_2027, "inference": APRIL_2027})
    assert model_warnings(student(), far, date(2025, 1, 1)) == []


@pytest.mark.parametrize("status", ["preview", "deprecated", "Legacy"])
def test_a_model_that_is_not_generally_available_is_told(status: str) -> None:
    warnings = model_warnings(student(), search(lifecycle_status=status), TODAY)
    assert f"the service lists {MODEL} as {status}" in warnings


def test_other_ids_of_the_student_are_suggested_first() -> None:
    others = [ServiceModel(id=name, fine_tune=True) for name in ("a", "b", "Qwen-3-32B")]
    (problem,) = model_problems(student(model="Qwen-32B"), ModelSearch(others=others))
    assert problem.endswith("set student.model to one that it can fine-tune (Qwen-3-32B, a, b)")


def _without_schedule(warnings: list[str]) -> list[str]:
    return [warning for warning in warnings if "fine-tuning customers" not in warning]
