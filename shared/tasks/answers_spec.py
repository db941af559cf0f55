"""The `answers` section of the run specification: the values that answers may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.core.section import Section
from shared.tasks import tasks_declaring

MIN_LABELS = 2
MAX_LABELS = 50
Spelling = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]


class AnswersSpec(Section):
    """The values that answers may take. Without them, each row or its own prompt names them."""

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
