"""Tasks whose answer is a text: whatever the teacher wrote, if its checks find nothing wrong."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from shared.dataset.rows import Row
from shared.tasks.base import Answer, Task, Unreadable
from shared.tasks.texts.text_checks import Exchange, first_problem
from shared.tasks.texts.word_counts import Length

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec


class FreeTextTask(Task):
    """A task whose replies are taken as they are, without their dress."""

    is_summary = False

    def length(self, row: Row, prompt: PromptSpec) -> Length | None:
        """Return the length that a text must have, None if any will do."""
        return None

    def checked(
        self,
        row: Row,
        prompt: PromptSpec,
        answers: Sequence[Answer],
        answer: Answer,
        skip_checks: Collection[str],
    ) -> Answer | Unreadable:
        users = [turn["content"] for turn in row.turns if turn["role"] == "user"]
        users = users[: len(answers) + 1]
        exchange = Exchange(
            text=answer.text,
            question=users[-1],
            prompts=tuple(filter(None, (row.system, prompt.teacher_system, *users))),
            length=self.length(row, prompt),
            is_summary=self.is_summary,
        )
        return first_problem(exchange, self.text_checks - frozenset(skip_checks)) or answer
