"""The `prompt` section of the run specification, which the tasks themselves read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.core.section import Section
from shared.tasks import tasks_taking


class PromptSpec(Section):
    """What is added to the rows' own prompts, and what the student learns from the answers."""

    chain_of_thought: bool = Field(
        default=False,
        description=f"{tasks_taking('chain_of_thought')}: the teacher reasons before it answers",
    )
    chain_of_density: bool = Field(
        default=False,
        description=f"{tasks_taking('chain_of_density')}: the teacher makes its summary denser in"
        " steps",
    )
    max_summary_words: int = Field(
        default=80,
        ge=5,
        le=2000,
        description=f"{tasks_taking('max_summary_words')}: longer summaries are not accepted",
    )
    student_learns: Literal["answer", "reasoning"] = Field(
        default="answer",
        description="with chain of thought: the answer alone, or the reasoning before it",
    )
