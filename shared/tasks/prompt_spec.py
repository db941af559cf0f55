"""The `prompt` section of the run specification, which the tasks themselves read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.core.section import Section
from shared.tasks import tasks_taking
from shared.tasks.prompts import STUDENT_REASONING

MAX_SYSTEM_CHARACTERS = 20_000
SystemText = Annotated[str, Field(min_length=1, max_length=MAX_SYSTEM_CHARACTERS, pattern=r"\S")]
SystemMode = Literal["append", "replace"]
# what every task takes
COMMON_SETTINGS = frozenset(
    {"teacher_system", "teacher_system_mode", "student_system", "student_system_mode"}
)


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
    max_summary_words: int | None = Field(
        default=None,
        ge=5,
        le=2000,
        description=f"{tasks_taking('max_summary_words')}: limit for rows whose own "
        "prompt sets none; longer summaries are not accepted",
    )
    student_learns: Literal["answer", "reasoning"] = Field(
        default="answer",
        description="with chain of thought: the answer alone, or the reasoning before it",
    )
    teacher_system: SystemText | None = Field(
        default=None,
        description="text for the teacher's system prompt; default: the row's own system prompt",
    )
    teacher_system_mode: SystemMode = Field(
        default="append",
        description="whether `teacher_system` follows the row's own system prompt or replaces it",
    )
    student_system: SystemText | None = Field(
        default=None,
        description="text for the student's system prompt; default: the row's own system prompt, "
        "followed by a sentence about the reasoning if the student learns it",
    )
    student_system_mode: SystemMode = Field(
        default="append",
        description="whether `student_system` follows the row's own system prompt or replaces all "
        "of it, the sentence about the reasoning included",
    )

    def teacher_prompt(self, system: str | None) -> str | None:
        """Return the teacher's system prompt for a row's own, before the task's instructions."""
        if self.replaces_for_teacher:
            return self.teacher_system
        return _joined(system, self.teacher_system)

    def student_prompt(self, system: str | None) -> str | None:
        """Return the student's system prompt for a row's own."""
        if self.replaces_for_student:
            return self.student_system
        return _joined(system, self.student_addition)

    def with_hint(self, text: str) -> PromptSpec:
        """Return these settings with a text that the teacher alone is told."""
        return self.model_copy(update={"teacher_system": _joined(self.teacher_system, text)})

    @property
    def replaces_for_teacher(self) -> bool:
        return self.teacher_system is not None and self.teacher_system_mode == "replace"

    @property
    def replaces_for_student(self) -> bool:
        return self.student_system is not None and self.student_system_mode == "replace"

    @property
    def student_addition(self) -> str | None:
        """What follows the rows' own system prompts, or replaces them."""
        if self.replaces_for_student or self.student_learns == "answer":
            return self.student_system
        return _joined(self.student_system, STUDENT_REASONING)


def _joined(*texts: str | None) -> str | None:
    """Return the texts that there are as paragraphs, None without any."""
    return "\n\n".join(text for text in texts if text) or None
