"""The models of the resource: every student in the app's own table that the fine-tuning API offers, and one that it does not."""

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
    found = {EMBEDDING: BaseModel(EMBEDDING, fine_tune=False, global_training=False)}
    for student in STUDENTS:
        if student.foundry:
            found[student.foundry.lower()] = BaseModel(
                student.foundry, True, student.global_training
            )
    return found


MODELS = _models()


def find_model(name: str) -> BaseModel | None:
    """By id, or by an id without its date, as `gpt-4.1-mini` for `gpt-4.1-mini-2025-04-14`."""
    asked = name.lower()
    if asked in MODELS:
        return MODELS[asked]
    dated = [model for known, model in MODELS.items() if known.startswith(f"{asked}-20")]
    return dated[0] if dated else None
