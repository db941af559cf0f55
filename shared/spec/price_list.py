"""List prices of teachers, of training and of hosting, read from `price_list.toml`."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import Field

from shared.core.tables import Table, read_table
from shared.students.training_types import TrainingType

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TeacherPrice(Table):
    """Prices of a million tokens of the models whose whole name matches `pattern`."""

    pattern: str
    prompt: Price
    completion: Price


class StudentPrice(Table):
    """The price of a million trained tokens by training type, and of an hour of hosting."""

    training: dict[TrainingType, Price]
    hosting: Price


class _Teachers(Table):
    as_of: date
    source: str
    models: list[TeacherPrice]


class _Students(Table):
    as_of: date
    source: str
    models: dict[str, StudentPrice]


class _PriceList(Table):
    as_of: date
    currency: str
    teachers: _Teachers
    students: _Students


PRICE_LIST = read_table(_PriceList, __file__)


def listed_teacher(model: str) -> TeacherPrice | None:
    """Return the prices of the teacher of this name, None without a sourced price."""
    for entry in PRICE_LIST.teachers.models:
        if re.fullmatch(entry.pattern, model, re.IGNORECASE):
            return entry
    return None


def listed_student(name: str) -> StudentPrice | None:
    """Return the prices of a student by its name in the catalogue, None without sourced ones."""
    return PRICE_LIST.students.models.get(name)
