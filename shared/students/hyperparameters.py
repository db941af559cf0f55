"""Checks the hyperparameters of a student, and spells them as its fine-tuning backend does."""

from __future__ import annotations

import math
from collections.abc import Mapping

from shared.students.backends import BACKENDS, BackendDescriptor, Hyperparameter
from shared.students.catalogue import Student

Value = str | int | float | bool


def check_hyperparameters(
    student: Student, settings: Mapping[str, object], backend: str | None = None
) -> tuple[dict[str, Value], list[str]]:
    """Return the settings under the backend's names and as numbers, and every problem with them.

    Checking the returned settings again changes nothing.
    """
    descriptor = BACKENDS.get(backend or "", BACKENDS[student.backend])
    entries = _by_spelling(descriptor)
    normalised: dict[str, Value] = {}
    problems: list[str] = []
    for key, value in settings.items():
        entry = entries.get(key)
        name = entry.name if entry else key
        if name in normalised:
            problems.append(f"{key} means the same as {name}, which is also set: remove one")
            continue
        try:
            normalised[name] = _checked(student, descriptor, entry, key, value)
        except _Problem as problem:
            problems.append(str(problem))
    return normalised, problems


class _Problem(Exception):
    """A hyperparameter that cannot be used; its text names the remedy."""


def _by_spelling(descriptor: BackendDescriptor) -> dict[str, Hyperparameter]:
    entries: dict[str, Hyperparameter] = {}
    for entry in descriptor.hyperparameters:
        entries |= dict.fromkeys((entry.name, *entry.aliases), entry)
    return entries


def _checked(
    student: Student,
    descriptor: BackendDescriptor,
    entry: Hyperparameter | None,
    key: str,
    value: object,
) -> Value:
    if not isinstance(value, str | int | float):
        raise _Problem(f"{key} must be a number or a text, not {type(value).__name__}")
    if entry:
        return _number(entry, key, value)
    for similar in descriptor.hyperparameters:
        if similar.unlike == key:
            remedy = f"{student.name} takes {similar.name}, for example {similar.example}"
            raise _Problem(f"{key} belongs to students of another backend: {remedy}")
    if descriptor.takes_other_hyperparameters and not student.is_listed:
        return value
    names = ", ".join(each.name for each in descriptor.hyperparameters)
    raise _Problem(f"{key} is not a hyperparameter of {student.name}: it takes {names}")


def _number(entry: Hyperparameter, key: str, value: Value) -> Value:
    """Return the value as a number. It may be text, as in Azure's own samples."""
    kind = "a whole number" if entry.kind is int else "a number"
    problem = f"{key} must be {kind} from {entry.low:g} to {entry.high:g}, not {value!r}"
    if isinstance(value, bool):
        raise _Problem(problem)
    try:
        number = float(value)
    except ValueError:
        raise _Problem(problem) from None
    if not math.isfinite(number) or not entry.low <= number <= entry.high:
        raise _Problem(problem)
    if entry.kind is float:
        return number
    if not number.is_integer():
        raise _Problem(problem)
    return int(number)
