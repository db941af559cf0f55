"""What a task type has to say: which rows it takes, what the teacher is asked, how an answer is read, what the student learns.

Adding a task type is one module with a subclass of Task and one line in the registry (`shared/tasks/__init__.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Message, Row
from shared.tasks.prompts import CHAIN_OF_THOUGHT, PROMPT_VERSION, ask_again

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec

Schema = dict[str, Any]  # JSON Schema, in the strict form of structured outputs


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read from one teacher reply. `reasoning` is None where none was asked for."""

    text: str
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why no answer could be read. `detail` is told to the teacher when it is asked again."""

    reason: RejectionReason
    detail: str


class Task(ABC):
    """One task type. Stateless; everything is a pure function of its arguments."""

    name: ClassVar[str]
    min_rows: ClassVar[int]  # accepted training rows, by default
    prompt_settings: ClassVar[frozenset[str]]  # the PromptSpec fields that mean something here
    has_values: ClassVar[bool] = (
        False  # whether answers are values, so that one can be the same as another
    )

    @abstractmethod
    def check(self, row: Row) -> Row | Rejection:
        """The row as this task uses it, or why it cannot."""

    @abstractmethod
    def read(self, row: Row, prompt: PromptSpec, reply: str) -> Answer | Unreadable:
        """The answer in the teacher's reply (never raises)."""

    def turns(self, row: Row) -> int:
        """How many times the teacher is asked for this row."""
        return 1

    def instructions(self, prompt: PromptSpec) -> str | None:
        """What is added to the row's own system prompt for the teacher."""
        return CHAIN_OF_THOUGHT if prompt.chain_of_thought else None

    def schema(self, row: Row, prompt: PromptSpec) -> Schema | None:
        """The form of the reply, where one is asked for; the endpoint is held to it if it can be."""
        if not prompt.chain_of_thought:
            return None
        return object_schema(reasoning={"type": "string"}, answer=self.answer_schema(row))

    def answer_schema(self, row: Row) -> Schema:
        """The form of the answer within a reasoned reply."""
        return {"type": "string"}

    @abstractmethod
    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        """Tokens that a reply is expected to have, for estimates."""

    def reference_value(self, row: Row) -> str | Unreadable | None:
        """The row's reference answer as a value that answers can be compared with; None where there is none."""
        return None

    def teacher_messages(
        self, row: Row, prompt: PromptSpec, answers: Sequence[Answer], complaint: str | None = None
    ) -> list[Message]:
        """The conversation to complete, `answers` being the teacher's own earlier turns.

        `complaint` says why the last reply could not be used, when the teacher is asked again.
        """
        parts = [row.system, self.instructions(prompt)]
        if complaint:
            parts.append(ask_again(complaint))
        system = "\n\n".join(part for part in parts if part)
        return [*_system(system), *_dialogue(row, answers)]

    def student_messages(
        self, row: Row, prompt: PromptSpec, answers: Sequence[Answer], *, system_role: bool
    ) -> list[Message]:
        """The training example: the row's own prompts and the teacher's answers."""
        turns = _dialogue(row, answers, reasoning=prompt.student_learns == "reasoning")
        if row.system is None:
            return turns
        if system_role:
            return [*_system(row.system), *turns]
        merged: Message = {"role": "user", "content": f"{row.system}\n\n{turns[0]['content']}"}
        return [merged, *turns[1:]]


class SingleTurnTask(Task):
    """A task of one question and one answer; a final assistant message is the user's reference answer."""

    def check(self, row: Row) -> Row | Rejection:
        turns = row.turns
        if len(turns) > 2:
            return Rejection(
                RejectionReason.WRONG_TURNS,
                f"task {self.name} takes one user message, not {len(turns)} turns",
                row.id,
            )
        if len(turns) == 2:
            row = Row(row.messages[:-1], row.id, row.reference or turns[1]["content"])
        return self.check_question(row)

    def check_question(self, row: Row) -> Row | Rejection:
        """What the task demands of the question itself."""
        return row


def object_schema(**properties: Schema) -> Schema:
    """An object with exactly these properties, as strict structured output wants it."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _system(text: str) -> list[Message]:
    return [{"role": "system", "content": text}] if text else []


def _dialogue(row: Row, answers: Sequence[Answer], *, reasoning: bool = False) -> list[Message]:
    """User turns of the row with the given answers between them, as far as the answers reach and one question on."""
    users = row.turns[::2]
    messages: list[Message] = []
    for position, user in enumerate(users[: len(answers) + 1]):
        messages.append(user)
        if position < len(answers):
            messages.append(
                {"role": "assistant", "content": _assistant_text(answers[position], reasoning)}
            )
    return messages


def _assistant_text(answer: Answer, reasoning: bool) -> str:
    return (
        f"{answer.reasoning}\n\nAnswer: {answer.text}"
        if reasoning and answer.reasoning
        else answer.text
    )


__all__ = [
    "PROMPT_VERSION",
    "Answer",
    "Schema",
    "SingleTurnTask",
    "Task",
    "Unreadable",
    "object_schema",
]
