"""Tasks whose answer is short and checkable: a label, a choice, a number.

A reply is read by contract, never searched. A value is taken from

1. the `answer` of a JSON object,
2. a reply that is the value once its dress is removed (`dress.py`),
3. an explicit mark: `\\boxed{}`, `####`, "Answer: …", "The answer is …" (`marks.py`),
4. a first or last line that is the value and nothing else,
5. a first or last sentence that states the value in a closed form which the task lists.

Two values that differ, a denial, a doubt or a correction make the reply unreadable, and it is
asked for again: strictness costs a request, not a row.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Answer, SingleTurnTask, Unreadable
from shared.tasks.replies.dress import undressed
from shared.tasks.replies.framing import (
    before_next_turn,
    framed_lines,
    is_afterword,
    without_reasoning_heading,
)
from shared.tasks.replies.json_replies import (
    answer_object,
    behind_objects,
    is_other_object,
    other_texts,
    reasoned_object,
)
from shared.tasks.replies.marks import Mark, Rank, marks_in
from shared.tasks.replies.reply import Reply, split_reply
from shared.tasks.replies.sentences import (
    Statement,
    ValueReader,
    is_correction,
    sentences_in,
    statement,
    without_conclusion,
)
from shared.tasks.texts.text_checks import is_refusal

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec

MAX_SENTENCES = 60  # behind an answer, in which it could be taken back
MAX_LINES = 40
MAX_LEAD_WORDS = 2  # "So the", "Therefore, the" before a mark

NOT_REASONED = Unreadable(
    RejectionReason.UNREADABLE,
    "the reply holds no JSON object with the texts `reasoning` and `answer`",
)


class Problem(StrEnum):
    """Why a short answer can't be read, as the teacher is told."""

    NONE = "no answer"
    SEVERAL = "several answers"
    DOUBT = "an answer with doubt"


class ShortAnswerTask(SingleTurnTask):
    """Reads a reply by reducing it to one value of a closed kind."""

    prompt_settings = frozenset({"chain_of_thought", "student_learns"})
    has_values = True
    plain_tokens = 4  # of a reply that is the answer alone
    reasoned_tokens = 180  # of a reply that reasons first

    @abstractmethod
    def reader(self, row: Row) -> ValueReader:
        """Return the reader of the values that may be the row's answer."""

    @abstractmethod
    def unreadable(self, row: Row, problem: Problem) -> Unreadable:
        """Return why a reply is unreadable, with what the teacher should answer instead."""

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        return self.reasoned_tokens if prompt.chain_of_thought else self.plain_tokens

    def reference_value(self, row: Row) -> str | Unreadable | None:
        if row.reference is None or not row.reference.strip():
            return None
        value = self.reader(row).alone(final_part(row.reference))
        return value or self.stated_value(row, split_reply(row.reference).text)

    def read(self, row: Row, prompt: PromptSpec, reply: Reply) -> Answer | Unreadable:
        if not reply.text:
            return Unreadable(RejectionReason.EMPTY, "the reply is empty")
        if prompt.chain_of_thought:
            answer = self._reasoned(row, reply)
        else:
            value = self.stated_value(row, reply.text)
            answer = value if isinstance(value, Unreadable) else Answer(value)
        if isinstance(answer, Unreadable) and is_refusal(reply.text):
            return Unreadable(RejectionReason.REFUSED, "the reply declines to answer")
        return answer

    def stated_value(self, row: Row, text: str) -> str | Unreadable:
        """Return the one value that a text states as its answer."""
        answer = answer_object(text)
        if isinstance(answer, Unreadable):
            return answer
        reader = self.reader(row)
        if answer is not None:
            value = _of_object(reader, text, answer)
        elif reader.is_closed and is_other_object(text):
            value = Problem.NONE
        else:
            value = _Reading(reader, undressed(before_next_turn(text))).value()
        return self.unreadable(row, value) if isinstance(value, Problem) else value

    def _reasoned(self, row: Row, reply: Reply) -> Answer | Unreadable:
        """Return answer and reasoning of a chain of thought.

        The reasoning stands in the JSON object that was asked for, apart from the reply (as
        reasoning models give it), or before the answer's mark.
        """
        reasoned = reasoned_object(reply.text)
        reasoning = reasoned.reasoning if reasoned else reply.reasoning
        value = self.stated_value(row, reply.text)
        if isinstance(value, Unreadable):
            return value
        reasoning = reasoning or _before_last_mark(reply.text)
        if not reasoning:
            return NOT_REASONED
        conclusion = _Reading(self.reader(row), undressed(reasoning)).conclusion()
        if conclusion not in (None, value):
            detail = f"the reasoning concludes {conclusion}, but the answer is {value}"
            return Unreadable(RejectionReason.UNREADABLE, detail)
        return Answer(value, reasoning)


def final_part(reference: str) -> str:
    """Return what a reference ends in behind `####`, as GSM8K writes it, or all of it."""
    return reference.rpartition("####")[2].strip()


@dataclass(slots=True)
class _Reading:
    """One undressed text that is no JSON, and the reader of its values."""

    reader: ValueReader
    text: str

    def value(self) -> str | Problem:
        """Return the value that the text states, or why it states none."""
        value = self._whole()
        if value is not None:
            return value
        marks = [mark for mark in marks_in(self.text) if self._is_mark(mark)]
        stated = self._at_marks(marks) if marks else self._on_outer_line() or self._in_sentence()
        if stated is None:
            named = len(self.reader.mentioned(self.text))
            return (Problem.NONE, Problem.DOUBT, Problem.SEVERAL)[min(named, 2)]
        if isinstance(stated, Problem):
            return stated
        return Problem.SEVERAL if self.is_taken_back(stated) else stated.value

    def conclusion(self) -> str | None:
        """Return the value that a reasoning concludes, None if it has no clear conclusion.

        That is the value at its last clear mark, or else the value that its last sentence states.
        A value alone states nothing. Of an open set, only "the answer is …" is clear: other values
        may be steps.
        """
        for mark in reversed(marks_in(self.text)):
            if mark.rank >= Rank.FINAL and not mark.is_denied:
                stated = self._at(mark)
                return stated.value if stated else None
        last = "".join(sentences_in(self.text)[-1:])
        if not last or self.reader.dressed(last) is not None:
            return None
        if not self.reader.is_closed and all(mark.rank < Rank.PLAIN for mark in marks_in(last)):
            return None
        stated = statement(last, self.reader)
        return stated.value if stated else None

    def is_taken_back(self, stated: Statement) -> bool:
        """Return whether the text behind a value corrects it, or gives another.

        Of an open set, the last value counts: those before may be steps that explain it.
        """
        sentences = sentences_in(stated.rest)[:MAX_SENTENCES]
        is_closed = self.reader.is_closed
        is_objection = not is_closed and stated.rest.lstrip().lower().startswith("but ")
        is_alternative = any(sentence.lower().startswith("or ") for sentence in sentences)
        if is_objection or is_alternative or any(map(is_correction, sentences)):
            return True
        statements = [statement(sentence, self.reader) for sentence in sentences]
        values = [later.value for later in statements if later]
        return any(value != stated.value for value in (values if is_closed else values[-1:]))

    def _whole(self) -> str | None:
        """Return the value that the text is, said once or again and again."""
        value = self.reader.dressed(self.text)
        for parts in (self.text.splitlines(), self.text.split()):
            texts = {part.strip() for part in parts if part.strip()}
            if value is None and len(texts) == 1:
                value = self.reader.dressed(texts.pop())
        return value

    def _is_mark(self, mark: Mark) -> bool:
        """Return whether it is a mark: four hashes and weak nouns have other uses, too."""
        is_certain = mark.rank != Rank.WEAK and not mark.is_hashes
        return is_certain or mark.is_denied or self._at(mark) is not None

    def _at_marks(self, marks: Sequence[Mark]) -> Statement | Problem | None:
        """Return what stands at the clearest marks, if all of them and later ones agree."""
        rank = max(mark.rank for mark in marks)
        clearest = [mark for mark in marks if mark.rank == rank]
        last = clearest[-1]
        if last.is_denied or any(mark.is_denied for mark in clearest if rank == Rank.BOX):
            return Problem.DOUBT
        stated = self._at(last)
        if stated is None:
            return None
        others = [mark for mark in marks if mark in clearest or mark.position > last.position]
        if any(self._is_other(mark, stated, last) for mark in others if not mark.is_denied):
            return Problem.SEVERAL
        if rank <= Rank.PLAIN and self._first_line() not in (None, stated.value):
            return Problem.SEVERAL
        return stated

    def _is_other(self, mark: Mark, stated: Statement, last: Mark) -> bool:
        """Return whether a mark gives another value, or one of two in a sentence can't be read."""
        other = self._at(mark)
        if other is None:
            return 0 < last.position - mark.position <= len(mark.content)
        return other.value != stated.value

    def _at(self, mark: Mark) -> Statement | None:
        """Return the value of a mark's content, and the text behind it."""
        stated = statement(mark.content, self.reader, is_answer=True)
        if stated is None:
            return None
        return Statement(stated.value, f"{stated.rest.lstrip(' .,;:(')}\n{mark.rest}")

    def _first_line(self) -> str | None:
        """Return the value that the first line is, unless it is an equation."""
        lines = framed_lines(self.text)
        return None if not lines or "=" in lines[0] else self.reader.dressed(lines[0])

    def _on_outer_line(self) -> Statement | Problem | None:
        """Return the value that the first or the last line is, None if neither is one."""
        framed = framed_lines(self.text)
        lines = [line for line in framed if not self.reader.is_step(line)]
        is_result = framed[-1:] != lines[-1:]
        if is_result and all(self.reader.dressed(line) is None for line in lines[:1] + lines[-1:]):
            lines = framed
        values = [self.reader.dressed(line) for line in lines]
        value = next((value for value in (*values[:1], *values[-1:]) if value is not None), None)
        if value is None:
            return None
        if set(values[-MAX_LINES:]) - {None, value}:
            return Problem.SEVERAL
        behind = self.text.partition(lines[0])[2] if values[0] is not None else ""
        return Statement(value, behind)

    def _in_sentence(self) -> Statement | None:
        """Return what the first or the last sentence states."""
        sentences = sentences_in(self.text)
        is_closed = self.reader.is_closed
        while not is_closed and len(sentences) > 1 and is_afterword(sentences[-1]):
            sentences.pop()
        if not sentences:
            return None
        is_whole = len(sentences) == 1
        if is_whole or is_closed:
            stated = statement(sentences[0], self.reader, is_answer=is_whole)
            if stated or is_whole:
                rest = "\n".join(sentences[1:])
                return Statement(stated.value, rest) if stated else None
        is_conclusion = without_conclusion(sentences[-1]) is not None
        return statement(sentences[-1], self.reader) if is_closed or is_conclusion else None


def _of_object(reader: ValueReader, text: str, answer: str) -> str | Problem:
    """Return the value of a JSON object's answer, unless the text contradicts it."""
    reading = _Reading(reader, undressed(answer))
    value = reader.dressed(reading.text)
    if value is None:
        return reading.value()
    if reader.is_closed:
        others = {reader.alone(other) for other in other_texts(text)}
        if others - {None, value}:
            return Problem.SEVERAL
    behind = _Reading(reader, undressed(behind_objects(text)))
    is_other = behind.conclusion() not in (None, value)
    is_taken_back = is_other or reading.is_taken_back(Statement(value, behind.text))
    return Problem.SEVERAL if is_taken_back else value


def _before_last_mark(text: str) -> str | None:
    """Return the reasoning of a reply in prose that ends in a mark or a conclusion.

    A mark on a line with more before it belongs to the reasoning, up to the end of that line.
    """
    if answer_object(text) is not None:
        return None
    marks = marks_in(text)
    *steps, last = sentences_in(text)
    if not steps or (not marks and without_conclusion(last) is None):
        return None
    position = marks[-1].position if marks else text.rindex(last)
    line_start = text.rfind("\n", 0, position) + 1
    before = text[:position]
    if marks and len(text[line_start:position].split()) <= MAX_LEAD_WORDS:
        before = text[:line_start]
    elif marks:
        before = text[:line_start] + text[line_start:].partition("\n")[0]
    reasoning = without_reasoning_heading(before)
    return reasoning if any(map(str.isalnum, reasoning)) else None
