"""What a resource says of a model: whether and where it trains it, and until when.

`capabilities.fine_tune`, `lifecycle_status` and `deprecation` are documented (OpenAIAuthoring
2024-10-21). `fine_tune` is about training in the resource's region. It is false for open models,
although they are trained (Microsoft's fine-tuning skill, references/platform-gotchas.md). The
service also answers `global_fine_tune` and `devtier_fine_tune`, which no document defines: they
may explain a refusal, but never are one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from shared.core.json_values import JsonObject, json_object
from shared.finetuning.azure_openai.errors import usable
from shared.students.catalogue import Student, find_student

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Model


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """A model as the service describes it. None stands for what it doesn't say."""

    id: str
    fine_tune: bool | None = None
    global_fine_tune: bool | None = None
    devtier_fine_tune: bool | None = None
    lifecycle_status: str | None = None
    training_ends: date | None = None
    inference_ends: date | None = None

    @classmethod
    def read(cls, model: Model) -> ServiceModel:
        """Return the model of an answer, to which Azure adds fields that the SDK doesn't know."""
        capabilities = json_object(getattr(model, "capabilities", None)) or {}
        deprecation = json_object(getattr(model, "deprecation", None)) or {}
        status: object = getattr(model, "lifecycle_status", None)
        return cls(
            id=model.id,
            fine_tune=_flag(capabilities, "fine_tune"),
            global_fine_tune=_flag(capabilities, "global_fine_tune"),
            devtier_fine_tune=_flag(capabilities, "devtier_fine_tune"),
            lifecycle_status=status if isinstance(status, str) else None,
            training_ends=_day(deprecation, "fine_tune"),
            inference_ends=_day(deprecation, "inference"),
        )

    @property
    def student(self) -> Student:
        """Return what our catalogue says of the model."""
        return find_student(self.id)

    @property
    def is_trainable(self) -> bool:
        """Whether the service or our catalogue says that it is trained somewhere."""
        says_so = self.fine_tune or self.global_fine_tune or self.devtier_fine_tune
        return bool(says_so) or self.student.global_training


@dataclass(frozen=True, slots=True)
class ModelSearch:
    """What looking for a model gave."""

    model: ServiceModel | None = None
    others: list[ServiceModel] = field(default_factory=list["ServiceModel"])
    """The resource's models, if it has none of the id."""
    is_listed: bool = True
    """False at an address that lists no models, as that of a Foundry project."""


def find_model(client: OpenAI, ids: tuple[str, ...]) -> ModelSearch:
    """Look for the first model with one of these ids.

    Raises the SDK's errors, NotFoundError if the address isn't that of the API.
    """
    from openai import NotFoundError

    for model_id in ids:
        try:
            return ModelSearch(ServiceModel.read(usable(client.models.retrieve(model_id))))
        except NotFoundError:
            continue
    try:
        listed = list(client.models.list())
    except NotFoundError:
        usable(client.fine_tuning.jobs.list(limit=1))
        return ModelSearch(is_listed=False)
    return ModelSearch(others=[ServiceModel.read(model) for model in listed])


def _flag(capabilities: JsonObject, name: str) -> bool | None:
    value = capabilities.get(name)
    return value if isinstance(value, bool) else None


def _day(deprecation: JsonObject, name: str) -> date | None:
    """Return the day of a Unix time, None for anything else."""
    seconds = deprecation.get(name)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).date()
    except (OverflowError, OSError, ValueError):
        return None
