"""The `answers` section of the run specification: where answers come from, and their values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.core.section import Section
from shared.tasks import tasks_declaring

MIN_LABELS = 2
MAX_LABELS = 50
# what every task takes
COMMON_SETTINGS = frozenset({"source"})
Spelling = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]


class AnswersSpec(Section):
    """Where answers come from, and the values that they may take.

    Without `labels`, each row or its own prompt names the values.
    """

    source: Literal["teacher", "provided"] = Field(
        default="teacher",
        description=(
            "`provided`: each row's last message, from the assistant, is read and checked as the "
            "teacher's answer, and no teacher is asked"
        ),
    )
    labels: list[Spelling] | None = Field(
        default=None,
        min_length=MIN_LABELS,
        max_length=MAX_LABELS,
        description=(
            f"{tasks_declaring('labels')}: the labels, as the prompts write them; default: those "
            "of the row, or of its prompt"
        ),
    )
    aliases: dict[Spelling, Spelling] = Field(
        default_factory=dict[str, str],
        description=(
            f"{tasks_declaring('aliases')}: other spellings in references and replies, each with "
            'its label or choice, such as {"0": "entailment"}'
        ),
    )

    @property
    def are_provided(self) -> bool:
        return self.source == "provided"
