"""The students that can be fine-tuned, read from `catalogue.toml`, and assumptions about others."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from shared.core.tables import Table, read_table
from shared.students.backends import AZURE_OPENAI, AZUREML

ASSET_ID = re.compile(
    r"azureml://registries/(?P<registry>[A-Za-z0-9][\w.-]*)/models/(?P<model>[A-Za-z0-9][\w.-]*)"
    r"/(?:versions/(?P<version>[\w.-]+)|labels/(?P<label>[\w.-]+))"
)
CAUTIOUS_CONTEXT_TOKENS = 4096
# of datasets that no student learns from yet
UNLIMITED_TOKENS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Student:
    """A model that can be fine-tuned."""

    name: str
    context_tokens: int
    # Whether the chat template has a system role. If not, system messages go into the first user
    # turn, because the template would drop them.
    system_role: bool = True
    # The newest asset id that we know in an AzureML registry.
    asset: str | None = None
    # The ids in the fine-tuning API of Azure OpenAI and Foundry, which are tried in this order.
    foundry: tuple[str, ...] = ()
    # Whether that API trains it only in Azure's global capacity, not in a region.
    global_training: bool = False
    # Where its service fine-tunes it; empty if not published.
    regions: tuple[str, ...] = ()
    # Where it is fine-tuned unless a run says otherwise.
    backend: str = AZUREML
    # Whether the catalogue lists it. Hyperparameters of other students aren't checked.
    is_listed: bool = True
    warnings: tuple[str, ...] = ()
    # When the service stops training it, for lack of dates in the service's own list of models.
    schedule: str | None = None


class _Entry(Table):
    """One student in the file. `pattern` matches the whole model name, in any case."""

    name: str
    pattern: str
    context_tokens: Annotated[int, Field(gt=0)]
    system_role: bool = True
    asset: Annotated[str | None, Field(pattern=f"^{ASSET_ID.pattern}$")] = None
    foundry: tuple[str, ...] = ()
    global_training: bool = False
    regions: str | None = None  # a key of the file's `regions`
    backend: str = AZUREML
    warning: str | None = None  # a key of the file's `warnings`
    schedule: str | None = None  # another


class _Catalogue(Table):
    default: str
    regions: dict[str, tuple[str, ...]]
    warnings: dict[str, str]
    students: list[_Entry]

    def student(self, entry: _Entry) -> Student:
        """Return the student of an entry. Raises KeyError if it names unknown regions or texts."""
        return Student(
            name=entry.name,
            context_tokens=entry.context_tokens,
            system_role=entry.system_role,
            asset=entry.asset,
            foundry=entry.foundry,
            global_training=entry.global_training,
            regions=self.regions[entry.regions] if entry.regions else (),
            backend=entry.backend,
            warnings=(self._text(entry, entry.warning),) if entry.warning else (),
            schedule=self._text(entry, entry.schedule) if entry.schedule else None,
        )

    def _text(self, entry: _Entry, key: str) -> str:
        return f"{entry.name} {self.warnings[key]}"


_CATALOGUE = read_table(_Catalogue, __file__)
_PATTERNS = [re.compile(entry.pattern, re.IGNORECASE) for entry in _CATALOGUE.students]
DEFAULT_STUDENT = _CATALOGUE.default
STUDENTS = tuple(_CATALOGUE.student(entry) for entry in _CATALOGUE.students)


@lru_cache(maxsize=64)  # called for every row
def find_student(model: str) -> Student:
    """Return the student with this asset id or name, or cautious assumptions with a warning.

    A bare name of a model that Foundry offers means Foundry's: AzureML models have asset ids.
    """
    match = ASSET_ID.fullmatch(model)
    name = match["model"] if match else model.strip("/").rsplit("/", 1)[-1]
    for pattern, student in zip(_PATTERNS, STUDENTS, strict=True):
        if pattern.fullmatch(name):
            is_foundrys = bool(student.foundry) and "/" not in model
            return replace(student, backend=AZURE_OPENAI) if is_foundrys else student
    return _unlisted(name)


@lru_cache(maxsize=64)  # called for every row
def common(models: tuple[str, ...]) -> Student:
    """Return what suits all these students, which learn from the same dataset.

    That is the shortest context, and a system role only if every student has one. Without any
    student, there are no limits.
    """
    students = [find_student(model) for model in models]
    contexts = [student.context_tokens for student in students]
    return Student(
        name=" and ".join(student.name for student in students),
        context_tokens=min(contexts, default=UNLIMITED_TOKENS),
        system_role=all(student.system_role for student in students),
    )


def _unlisted(name: str) -> Student:
    warning = (
        f"{name or 'the student'} is not in the table of known students: it is assumed to have a"
        f" system role and a context of {CAUTIOUS_CONTEXT_TOKENS} tokens, and its hyperparameters"
        " are not checked"
    )
    return Student(
        name=name or "unnamed",
        context_tokens=CAUTIOUS_CONTEXT_TOKENS,
        is_listed=False,
        warnings=(warning,),
    )
