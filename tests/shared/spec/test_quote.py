"""Quotes: every price has a source, and what has none is unknown instead of free."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.core.errors import InvalidInput
from shared.core.settings import STORAGE, Settings, load
from shared.spec.budget import Usage
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.spec.price_list import PRICE_LIST, listed_teacher
from shared.spec.quote import Quote, QuotedItem, quote
from shared.spec.resolution import resolve
from shared.students.catalogue import STUDENTS

USED = Usage(requests=9, prompt_tokens=2_000_000, completion_tokens=500_000)
EXAMPLES = 3_000_000  # tokens
MINISTRAL: dict[str, Any] = {"model": "Ministral-3B", "hyperparameters": {"n_epochs": 2}}


def settings_of(**values: str) -> Settings:
    complete = {
        STORAGE: "AccountName=a",
        "TEACHER_BASE_URL": "https://teacher/v1",
        "TEACHER_MODEL": "gpt-4.1",
        "AZURE_OPENAI_BASE_URL": "https://r.openai.azure.com/openai/v1",
    }
    return load({**complete, **values})


def quoted(settings: Settings | None = None, **fields: Any) -> Quote:
    spec = {"task": "math", "train": "datasets/math/x/train.jsonl", "student": MINISTRAL, **fields}
    settings = settings or settings_of()
    return quote(resolved(spec, settings), settings, USED, EXAMPLES)


def resolved(spec: dict[str, Any], settings: Settings) -> RunSpec:
    return resolve(parse_spec(spec), settings, "math-x-0123456789ab")


def item(whole: Quote, name: str) -> QuotedItem:
    [item] = [item for item in whole.items if item.item == name]
    return item


def bases(whole: Quote) -> dict[str, str]:
    return {item.item: item.basis for item in whole.items}


def test_teacher_training_and_a_month_of_hosting_are_quoted() -> None:
    whole = quoted()
    costs = {item.item: item.cost for item in whole.items}
    assert costs == {
        "teacher prompts": 2 * 2.00,
        "teacher answers": 0.5 * 8.00,
        "training": 3 * 2 * 1.00,
        "hosting": 720 * 0.65,
    }
    assert whole.at_least == sum(cost for cost in costs.values() if cost)
    assert whole.is_complete
    assert (whole.currency, whole.as_of) == (PRICE_LIST.currency, PRICE_LIST.as_of)


def test_a_teachers_list_price_is_an_assumption_and_a_students_is_not() -> None:
    whole = quoted()
    assert bases(whole) == {
        "teacher prompts": "assumed",
        "teacher answers": "assumed",
        "training": "list",
        "hosting": "list",
    }
    assert "gpt-4.1 is the model of this name" in item(whole, "teacher prompts").note


def test_a_price_that_nothing_gives_is_unknown_and_names_what_would_give_it() -> None:
    whole = quoted(teacher={"model": "my-deployment"}, student={"model": "gpt-4.1-mini"})
    assert item(whole, "teacher prompts").cost is None
    note = item(whole, "teacher prompts").note
    assert "budget.prompt_price" in note
    assert "TEACHER_PROMPT_PRICE" in note
    training = item(whole, "training")  # in a region, of which no price is published
    assert (training.price, training.basis) == (None, "unknown")
    assert "standard training" in training.note
    assert whole.at_least == 720 * 1.70
    assert not whole.is_complete


def test_training_is_quoted_for_where_the_student_is_trained() -> None:
    prices: dict[str, float | None] = {}
    for training_type in ("global", "developer", "data_zone"):
        student = {"model": "gpt-4.1-mini", "training_type": training_type}
        prices[training_type] = item(quoted(student=student), "training").price
    assert prices == {"global": 5.00, "developer": 2.50, "data_zone": None}


def test_the_specification_goes_over_the_settings_and_both_over_the_list() -> None:
    settings = settings_of(
        TEACHER_PROMPT_PRICE="1",
        TEACHER_COMPLETION_PRICE="0",
        STUDENT_MODEL="Ministral-3B",
        STUDENT_TRAINING_PRICE="5",
        STUDENT_HOSTING_PRICE="6",
    )
    student = {**MINISTRAL, "hosting_price": 0.5}
    whole = quoted(settings, budget={"prompt_price": 3}, student=student)
    assert bases(whole) == {
        "teacher prompts": "specification",
        "teacher answers": "setting",
        "training": "setting",
        "hosting": "specification",
    }
    prices = [item.price for item in whole.items]
    assert prices == [3, 0, 5, 0.5]


def test_prices_of_settings_are_for_the_models_of_settings() -> None:
    settings = settings_of(
        TEACHER_PROMPT_PRICE="1", STUDENT_MODEL="gpt-4o", STUDENT_HOSTING_PRICE="6"
    )
    whole = quoted(settings, teacher={"model": "gpt-4.1-nano"})
    assert item(whole, "teacher prompts").price == 0.10
    assert item(whole, "hosting").price == 0.65


def test_one_epoch_is_quoted_where_the_service_decides_how_many_there_are() -> None:
    whole = quoted(student={"model": "Ministral-3B"})
    assert item(whole, "training").amount == EXAMPLES
    assert not whole.is_complete
    assert "one epoch" in whole.notes[0]


def test_held_out_rows_are_not_trained_on() -> None:
    whole = quoted(holdout={"fraction": 0.25})
    assert item(whole, "training").amount == 2 * 0.75 * EXAMPLES


def test_what_a_run_does_not_do_is_not_quoted() -> None:
    assert list(bases(quoted(student=None))) == ["teacher prompts", "teacher answers"]
    assert list(bases(quoted(answers={"source": "provided"}))) == ["training", "hosting"]


def test_several_students_have_items_of_their_own() -> None:
    whole = quoted(student=[MINISTRAL, {"model": "gpt-oss-20b"}])
    models = [item.model for item in whole.items if item.item == "training"]
    assert models == ["Ministral-3B", "gpt-oss-20b"]


def test_training_on_ones_own_compute_has_no_price_by_tokens() -> None:
    student = {"backend": "azureml_command", "model": "a/b"}
    settings = settings_of(
        AZUREML_SUBSCRIPTION_ID="s", AZUREML_RESOURCE_GROUP="g", AZUREML_WORKSPACE="w"
    )
    whole = quoted(settings, student=student)
    assert "billed by the hour" in item(whole, "training").note
    assert "hosting" not in bases(whole)
    with pytest.raises(InvalidInput, match="1 problem"):
        quoted(settings, student={**student, "training_price": 1})


@pytest.mark.parametrize("price", ["Infinity", "1e999", "NaN", "-1"])
@pytest.mark.parametrize(
    "place", ["budget.prompt_price", "budget.completion_price", "student.hosting_price"]
)
def test_no_price_makes_a_cost_that_is_no_number(place: str, price: str) -> None:
    section, _, field = place.partition(".")
    data = json.loads(f'{{"{section}": {{"{field}": {price}}}}}')
    with pytest.raises(InvalidInput) as error:
        parse_spec({"task": "math", "train": "datasets/math/x/train.jsonl", **data})
    assert place in {problem["where"] for problem in error.value.details}


def test_a_quote_is_json_with_its_costs() -> None:
    document = json.loads(quoted(teacher={"model": "x"}).model_dump_json())
    assert [item["cost"] for item in document["items"]][:2] == [None, None]


def test_listed_prices_are_of_students_that_the_catalogue_has() -> None:
    names = {student.name for student in STUDENTS if student.foundry}
    assert set(PRICE_LIST.students.models) == names


def test_a_teacher_is_known_by_its_whole_name() -> None:
    assert listed_teacher("GPT-4.1") == listed_teacher("gpt-4.1-2025-04-14")
    assert listed_teacher("gpt-4.1-ours") is None
