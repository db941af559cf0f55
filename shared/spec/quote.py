"""What a run costs: the teacher's tokens, the training, and a month of hosting.

A price is taken from the specification, from the app settings, or from the list, in this order. One
that none of them has is unknown, and so is the cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field, computed_field

from shared.core.settings import Settings
from shared.spec.budget import MILLION, Usage
from shared.spec.models import RunSpec, StudentSpec
from shared.spec.price_list import (
    PRICE_LIST,
    StudentPrice,
    listed_student,
    listed_teacher,
)
from shared.students.backends import AZURE_OPENAI, AZUREML_COMMAND
from shared.students.catalogue import DEFAULT_STUDENT, find_student

HOURS_A_MONTH = 720
Basis = Literal["specification", "setting", "list", "assumed", "unknown"]


class QuotedItem(BaseModel):
    """A number of tokens or hours, and what they cost."""

    item: Literal["teacher prompts", "teacher answers", "training", "hosting"]
    model: str
    amount: float = Field(description="tokens, or hours of hosting")
    unit: Literal["million tokens", "hour"] = Field(
        default="million tokens", description="what the price is for"
    )
    price: float | None = Field(default=None, description="null if it is unknown")
    basis: Basis = Field(default="unknown", description="where the price is from")
    note: str = Field(default="", description="what is assumed, or what would give the price")

    @computed_field(description="null if the price is unknown")
    @property
    def cost(self) -> float | None:
        if self.price is None:
            return None
        units = self.amount / MILLION if self.unit == "million tokens" else self.amount
        return round(self.price * units, 6)


class _Sources(NamedTuple):
    """The prices that may be used for an item, and the places that set the first two."""

    field: str
    specified: float | None
    setting: str
    configured: float | None
    listed: float | None


class Quote(BaseModel):
    """What a run is expected to cost."""

    currency: str = Field(description="of the list prices, and of all others")
    as_of: date = Field(description="when the list prices were read")
    items: list[QuotedItem]
    at_least: float = Field(description="sum of the items whose price isn't unknown")
    is_complete: bool = Field(description="whether the sum is of all items and all epochs")
    notes: list[str] = Field(default_factory=list[str], description="what the amounts assume")


def quote(spec: RunSpec, settings: Settings, usage: Usage, example_tokens: int) -> Quote:
    """Return the quote of a run that is expected to use so much of the teacher.

    `example_tokens` are those of the training set, with one example for each row.
    """
    items: list[QuotedItem] = []
    if not spec.answers.are_provided:
        items += _teacher_items(spec, settings, usage)
    trained_tokens = round(example_tokens * (1 - spec.holdout.fraction))
    for student in spec.students:
        items += _student_items(student, settings, trained_tokens * (_epochs(student) or 1))
    costs = [item.cost for item in items]
    has_all_epochs = all(_epochs(student) for student in spec.students)
    return Quote(
        currency=PRICE_LIST.currency,
        as_of=PRICE_LIST.as_of,
        items=items,
        at_least=round(sum(cost for cost in costs if cost is not None), 6),
        is_complete=has_all_epochs and None not in costs,
        notes=_notes(spec),
    )


def _notes(spec: RunSpec) -> list[str]:
    """Return what the amounts leave out."""
    notes = [
        f"the training of {student.model} is quoted for one epoch: the number isn't set in its "
        "hyperparameters, so the service decides it"
        for student in spec.students
        if _epochs(student) is None
    ]
    if spec.students and spec.quality.keep > 1:
        notes.append(
            f"training is quoted for one example a row, but quality.keep allows {spec.quality.keep}"
        )
    return list(dict.fromkeys(notes))


def _teacher_items(spec: RunSpec, settings: Settings, usage: Usage) -> Iterator[QuotedItem]:
    model = spec.teacher.model or ""
    listed = listed_teacher(model)
    is_default = model == settings.teacher_model
    yield _priced(
        QuotedItem(item="teacher prompts", model=model, amount=usage.prompt_tokens),
        _Sources(
            field="budget.prompt_price",
            specified=spec.budget.prompt_price,
            setting="TEACHER_PROMPT_PRICE",
            configured=settings.teacher_prompt_price if is_default else None,
            listed=listed.prompt if listed else None,
        ),
    )
    yield _priced(
        QuotedItem(item="teacher answers", model=model, amount=usage.completion_tokens),
        _Sources(
            field="budget.completion_price",
            specified=spec.budget.completion_price,
            setting="TEACHER_COMPLETION_PRICE",
            configured=settings.teacher_completion_price if is_default else None,
            listed=listed.completion if listed else None,
        ),
    )


def _student_items(
    student: StudentSpec, settings: Settings, trained_tokens: int
) -> Iterator[QuotedItem]:
    model = student.model or ""
    training = QuotedItem(item="training", model=model, amount=trained_tokens)
    if student.backend == AZUREML_COMMAND:
        note = "training/train.py runs on your compute, which is billed by the hour"
        yield training.model_copy(update={"note": note})
        return
    listed = _listed_student(student)
    is_listed_service = student.backend == AZURE_OPENAI
    is_default = model == (settings.student_model or DEFAULT_STUDENT)
    yield _priced(
        training,
        _Sources(
            field="student.training_price",
            specified=student.training_price,
            setting="STUDENT_TRAINING_PRICE",
            configured=settings.student_training_price if is_default else None,
            listed=listed.training.get(student.trained_in) if listed else None,
        ),
        f"{student.trained_in} training" if is_listed_service else "training by another service",
    )
    yield _priced(
        QuotedItem(item="hosting", model=model, amount=HOURS_A_MONTH, unit="hour"),
        _Sources(
            field="student.hosting_price",
            specified=student.hosting_price,
            setting="STUDENT_HOSTING_PRICE",
            configured=settings.student_hosting_price if is_default else None,
            listed=listed.hosting if listed else None,
        ),
        "a deployment; tokens at inference are billed besides",
    )


def _priced(item: QuotedItem, sources: _Sources, note: str = "") -> QuotedItem:
    """Return the item with the first price that its sources have."""
    if sources.specified is not None:
        update = {"price": sources.specified, "basis": "specification", "note": note}
    elif sources.configured is not None:
        update = {"price": sources.configured, "basis": "setting", "note": note}
    elif sources.listed is None:
        remedy = f"set {sources.field}, or {sources.setting} for the app"
        update = {"note": f"{note}: not in the price list; {remedy}".removeprefix(": ")}
    elif note:
        update = {"price": sources.listed, "basis": "list", "note": note}
    else:
        note = (
            f"assumes that {item.model} is the model of this name, in a Global Standard deployment"
        )
        update = {"price": sources.listed, "basis": "assumed", "note": note}
    return item.model_copy(update=update)


def _listed_student(student: StudentSpec) -> StudentPrice | None:
    """Return list prices, which are those of Azure OpenAI and Foundry."""
    if student.backend != AZURE_OPENAI:
        return None
    return listed_student(find_student(student.model or "").name)


def _epochs(student: StudentSpec) -> int | None:
    """Return the epochs that are set, None if the service decides."""
    for name in ("n_epochs", "num_train_epochs"):
        epochs = student.hyperparameters.get(name)
        if isinstance(epochs, int):
            return epochs
    return None
