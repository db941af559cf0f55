"""The interface of a task type.

A task says which rows it accepts, what the teacher is asked, how a reply is read, and what the
student learns. To add one, write a module with a subclass of `Task` and register it in
`shared/tasks/__init__.py`; nothing else in the app names a task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Message, Row
from shared.tasks.prompts import (
    CHAIN_OF_THOUGHT,
    JSON_ANSWER,
    LAST_LINE,
    REASONED_LAST_LINE,
    ask_again,
)
from shared.tasks.replies.reply import Reply

if TYPE_CHECKING:
    from shared.tasks.answers_spec import AnswersSpec
    from shared.tasks.prompt_spec import PromptSpec

Schema = dict[str, Any]  # JSON Schema, in the strict form of structured outputs


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer read from one teacher reply. `reasoning` is None if none was requested."""

    text: str
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a reply has no usable answer. The next request quotes `detail` to the teacher."""

    reason: RejectionReason
    detail: str
    reply: str | None = None  # of the answers that a row brings, the one at fault


@dataclass(frozen=True, slots=True)
class TeacherRequest:
    """One request for one turn.

    `unformatted` are sent instead of `messages` where the endpoint accepts no response format.
    """

    messages: list[Message]
    schema: Schema | None = None
    unformatted: list[Message] | None = None


class Task(ABC):
    """One task type. Stateless: every method is a pure function of its arguments."""

    name: ClassVar[str]
    # Training rows that must be accepted, unless the run says otherwise.
    min_rows: ClassVar[int]
    # The fields of PromptSpec that this task accepts.
    prompt_settings: ClassVar[frozenset[str]]
    # The fields of AnswersSpec that this task accepts.
    answer_settings: ClassVar[frozenset[str]] = frozenset()
    # Whether answers are values that can be compared, which `quality.select` needs.
    has_values: ClassVar[bool] = False
    # Whether these values are numbers, which `quality.tolerance` needs.
    has_numbers: ClassVar[bool] = False
    # The checks of its texts, which `quality.skip_checks` may name.
    text_checks: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def check(self, row: Row, declared: AnswersSpec | None = None) -> Row | Rejection:
        """Return the row as this task uses it, or why it cannot be used.

        `declared` is what the run specification says of answers.
        """

    @abstractmethod
    def read(self, row: Row, prompt: PromptSpec, reply: Reply) -> Answer | Unreadable:
        """Return the answer in the teacher's reply. Never raises."""

    def checked(
        self,
        row: Row,
        prompt: PromptSpec,
        answers: Sequence[Answer],
        answer: Answer,
        skip_checks: Collection[str],
    ) -> Answer | Unreadable:
        """Return the answer, or what a check finds wrong with it. `answers` are the turns before.

        Short answers need no check: only a value of the row is read at all.
        """
        return answer

    @abstractmethod
    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        """Return the expected number of tokens of a reply, for estimates."""

    def turns(self, row: Row) -> int:
        """Return how many replies of the teacher this row needs."""
        return 1

    def instructions(self, row: Row, prompt: PromptSpec) -> str | None:
        """Return the text that is added to the row's system prompt for the teacher."""
        return CHAIN_OF_THOUGHT if prompt.chain_of_thought else None

    def schema(self, row: Row, prompt: PromptSpec) -> Schema | None:
        """Return the JSON schema of the reply, if the teacher is to answer in JSON."""
        if not prompt.chain_of_thought:
            return None
        return object_schema(reasoning={"type": "string"}, answer=self.answer_schema(row))

    def answer_schema(self, row: Row) -> Schema:
        """Return the schema of the answer within a reasoned reply."""
        return {"type": "string"}

    def reference_value(self, row: Row) -> str | Unreadable | None:
        """Return the reference answer as a value comparable with answers, or None without one."""
        return None

    def same_value(self, first: str, second: str, tolerance: float | None) -> bool:
        """Return whether two values are the same answer.

        `tolerance` is the relative difference that numbers may have.
        """
        return first == second

    def exactness(self, value: str) -> int:
        """Return a number that is higher for the more exact of two values that are the same."""
        return 0

    def teacher_messages(
        self, row: Row, prompt: PromptSpec, answers: Sequence[Answer], complaint: str | None = None
    ) -> list[Message]:
        """Return the conversation to complete. `answers` are the teacher's own earlier turns.

        `complaint` says why the last reply to this turn could not be used.
        """
        parts = [self.instructions(row, prompt)]
        if complaint:
            parts.append(ask_again(complaint))
        return _conversation(row, prompt, answers, parts)

    def last_request(
        self, row: Row, prompt: PromptSpec, answers: Sequence[Answer], complaint: str
    ) -> TeacherRequest:
        """Return the last request for a turn whose replies have been unreadable.

        If the answer is a value, the teacher is held to its form: by a JSON schema with the values
        that it may have, or by the last line.
        """
        schema = self.schema(row, prompt)
        if not self.has_values:
            messages = self.teacher_messages(row, prompt, answers, complaint)
            return TeacherRequest(messages, schema)
        complaint = ask_again(complaint)
        if prompt.chain_of_thought:
            in_json = [self.instructions(row, prompt), complaint]
            on_last_line = [REASONED_LAST_LINE, complaint, LAST_LINE]
        else:
            schema = object_schema(answer=self.answer_schema(row))
            in_json = [self.instructions(row, prompt), complaint, JSON_ANSWER]
            on_last_line = [self.instructions(row, prompt), complaint, LAST_LINE]
        return TeacherRequest(
            _conversation(row, prompt, answers, in_json),
            schema,
            _conversation(row, prompt, answers, on_last_line),
        )

    def student_messages(
        self, row: Row, prompt: PromptSpec, answers: Sequence[Answer], *, system_role: bool
    ) -> list[Message]:
        """Return the training example: the row's prompts and the teacher's answers.

        Its system prompt is the one to use at inference.
        """
        with_reasoning = prompt.student_learns == "reasoning"
        turns = _dialogue(row, [_taught_text(answer, with_reasoning) for answer in answers])
        system = prompt.student_prompt(row.system)
        if system is None:
            return turns
        if system_role:
            return [*_system(system), *turns]
        merged: Message = {"role": "user", "content": f"{system}\n\n{turns[0]['content']}"}
        return [merged, *turns[1:]]


class SingleTurnTask(Task):
    """A task of one question and one answer. A final assistant message is the reference answer."""

    def check(self, row: Row, declared: AnswersSpec | None = None) -> Row | Rejection:
        turns = row.turns
        if len(turns) > 2:
            detail = f"task {self.name} takes one user message, not {len(turns)} turns"
            return Rejection(RejectionReason.WRONG_TURNS, detail, row.id)
        if len(turns) == 2:
            reference = row.reference or turns[1]["content"]
            row = replace(row, messages=row.messages[:-1], reference=reference)
        return self.check_question(row, declared)

    def check_question(self, row: Row, declared: AnswersSpec | None) -> Row | Rejection:
        """Return the row, or why this task cannot use its question."""
        return row


def object_schema(**properties: Schema) -> Schema:
    """Return the schema of an object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _conversation(
    row: Row, prompt: PromptSpec, answers: Sequence[Answer], instructions: Sequence[str | None]
) -> list[Message]:
    """Return the row's turns, with instructions added to the teacher's system prompt."""
    parts = [prompt.teacher_prompt(row.system), *instructions]
    system = "\n\n".join(part for part in parts if part)
    return [*_system(system), *_dialogue(row, [answer.text for answer in answers])]


def _system(text: str) -> list[Message]:
    return [{"role": "system", "content": text}] if text else []


def _dialogue(row: Row, answers: Sequence[str]) -> list[Message]:
    """Return the row's user turns with these answers between them, up to the next question."""
    questions = row.turns[::2]
    messages: list[Message] = []
    for position, question in enumerate(questions[: len(answers) + 1]):
        messages.append(question)
        if position < len(answers):
            messages.append({"role": "assistant", "content": answers[position]})
    return messages


def _taught_text(answer: Answer, with_reasoning: bool) -> str:
    if with_reasoning and answer.reasoning:
        return f"{answer.reasoning}\n\nAnswer: {answer.text}"
    return answer.text
