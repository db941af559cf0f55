"""The models of the resource: the app's students that it offers, and one that is not trainable."""

from __future__ import annotations

from dataclasses import dataclass

from shared.students.catalogue import STUDENTS

EMBEDDING = "text-embedding-3-small"  # there to be refused: it cannot be fine-tuned


@dataclass(frozen=True, slots=True)
class BaseModel:
    id: str
    fine_tune: bool
    global_training: bool


def _models() -> dict[str, BaseModel]:
    models = {EMBEDDING: BaseModel(EMBEDDING, fine_tune=False, global_training=False)}
    for student in STUDENTS:
        name = student.foundry
        if name:
            models[name.lower()] = BaseModel(name, True, student.global_training)
    return models


MODELS = _models()


def find_model(name: str) -> BaseModel | None:
    """Find by id, or by id without its date: `gpt-4.1-mini` for `gpt-4.1-mini-2025-04-14`."""
    if name.lower() in MODELS:
        return MODELS[name.lower()]
    dated = [
        model for model_id, model in MODELS.items() if model_id.startswith(f"{name.lower()}-20")
    ]
    return dated[0] if dated else None
