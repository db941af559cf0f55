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

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Answer, SingleTurnTask, Unreadable
from shared.tasks.replies.dress import bare, undressed
from shared.tasks.replies.json_replies import (
    answer_object,
    behind_objects,
    is_other_object,
    other_texts,
    reasoned_object,
)
from shared.tasks.replies.marks import (
    Mark,
    Rank,
    before_next_turn,
    framed_lines,
    is_afterword,
    is_correction,
    marks_in,
    readings,
    sentences_in,
    without_conclusion,
)
from shared.tasks.replies.reply import Reply, split_reply
from shared.tasks.texts.text_checks import is_refusal

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec

MAX_SENTENCES = 60  # behind an answer, in which it could be taken back
MAX_LINES = 40
# Also behind a letter, where no sentence ends: "B. Hold on".
PART_END = re.compile(r"[.!?]\s+")
MAX_LEAD_WORDS = 2  # "So the", "Therefore, the" before a mark
REASONING_HEAD = re.compile(
    r"\A[\s*_#>\"'-]*(?:reasoning|rationale|explanation|analysis|begründung|raisonnement|"
    r"razonamiento|推理|推論)[*_\"' ]{0,4}(?:[:：][*_]{0,3}(?:[ ]*[|>]-?(?=\n))?|(?=\n))\s*",
    re.IGNORECASE,
)

GOES_ON = (
    "or ",
    "oder ",
    "ou ",
    "o ",
    "not certain",
    "not sure",
    "possibly",
    "perhaps",
    "maybe ",
    "cannot",
    "can't",
)

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
    # Whether the values are a closed set that the row offers. Then a first sentence that states one
    # is the answer, and the others explain it; of an open set it may be a step on the way.
    is_closed: ClassVar[bool] = True

    @abstractmethod
    def alone(self, row: Row, text: str) -> str | None:
        """Return the value that the text is, None if it isn't a value and nothing else."""

    @abstractmethod
    def sentence(self, row: Row, sentence: str) -> str | Unreadable | None:
        """Return the value that a sentence states in a closed form.

        Unreadable if it denies or doubts one or states several; None if it speaks of none.
        """

    def answer_sentence(self, row: Row, sentence: str) -> str | Unreadable | None:
        """Return the value that a sentence states which is the whole answer."""
        return self.sentence(row, sentence)

    def is_step(self, line: str) -> bool:
        """Return whether a line is one of the reasoning, though it is a value."""
        return False

    @abstractmethod
    def unreadable(self, row: Row, problem: Problem) -> Unreadable:
        """Return why a reply is unreadable, with what the teacher should answer instead."""

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        return self.reasoned_tokens if prompt.chain_of_thought else self.plain_tokens

    def reference_value(self, row: Row) -> str | Unreadable | None:
        if row.reference is None or not row.reference.strip():
            return None
        value = self.alone(row, final_part(row.reference))
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
        if answer is not None:
            return self._of_object(row, text, answer)
        if self.is_closed and is_other_object(text):
            return self.unreadable(row, Problem.NONE)
        plain = undressed(before_next_turn(text))
        value = self.dressed(row, plain)
        return value if value is not None else _Reading(self, row, plain).value()

    def dressed(self, row: Row, text: str) -> str | None:
        """Return the value that the text is, in quotation marks, brackets and the like or not."""
        value = self.alone(row, text)
        return value if value is not None else self.alone(row, bare(text))

    def _of_object(self, row: Row, text: str, answer: str) -> str | Unreadable:
        """Return the value of a JSON object's answer, unless the text contradicts it."""
        reading = _Reading(self, row, undressed(answer))
        value = self.dressed(row, reading.text)
        if value is None:
            return reading.value()
        if self.is_closed:
            for other in other_texts(text):
                if self.alone(row, other) not in (None, value):
                    return self.unreadable(row, Problem.SEVERAL)
        behind = _Reading(self, row, undressed(behind_objects(text)))
        is_other = behind.conclusion() not in (None, value)
        is_taken_back = is_other or reading.is_taken_back(value, behind.text)
        return self.unreadable(row, Problem.SEVERAL) if is_taken_back else value

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
        conclusion = _Reading(self, row, undressed(reasoning)).conclusion()
        if conclusion not in (None, value):
            detail = f"the reasoning concludes {conclusion}, but the answer is {value}"
            return Unreadable(RejectionReason.UNREADABLE, detail)
        return Answer(value, reasoning)


def final_part(reference: str) -> str:
    """Return what a reference ends in behind `####`, as GSM8K writes it, or all of it."""
    return reference.rpartition("####")[2].strip()


@dataclass(slots=True)
class _Reading:
    """One undressed text that is no JSON, read for a row."""

    task: ShortAnswerTask
    row: Row
    text: str

    def value(self) -> str | Unreadable:
        """Return the value that the text states."""
        repeated = self._repeated()
        if repeated is not None:
            return repeated
        marks = [mark for mark in marks_in(self.text) if self._is_mark(mark)]
        if marks:
            return self._at_marks(marks)
        value = self._on_outer_line()
        return value if value is not None else self._in_sentence()

    def conclusion(self) -> str | None:
        """Return the value at the last clear mark of a reasoning, None if it has none."""
        marks = [mark for mark in marks_in(self.text) if mark.rank >= Rank.FINAL]
        for mark in reversed(marks):
            if not mark.is_denied:
                value, _ = self._at(mark)
                return value
        return None

    def is_taken_back(self, value: str, rest: str) -> bool:
        """Return whether the text behind a value corrects it, or gives another.

        Of an open set, the last value counts: those before may be steps that explain it.
        """
        sentences = sentences_in(rest)[:MAX_SENTENCES]
        is_objection = not self.task.is_closed and rest.lstrip().lower().startswith("but ")
        is_alternative = any(sentence.lower().startswith("or ") for sentence in sentences)
        if is_objection or is_alternative or any(map(is_correction, sentences)):
            return True
        values = [other for other in map(self._said, sentences) if isinstance(other, str)]
        if not self.task.is_closed:
            values = values[-1:]
        return any(other != value for other in values)

    def _alone(self, text: str) -> str | None:
        return self.task.dressed(self.row, text)

    def _problem(self, problem: Problem) -> Unreadable:
        return self.task.unreadable(self.row, problem)

    def _is_mark(self, mark: Mark) -> bool:
        """Return whether it is a mark: four hashes and weak nouns have other uses, too."""
        is_certain = mark.rank != Rank.WEAK and not mark.is_hashes
        return is_certain or mark.is_denied or self._at(mark)[0] is not None

    def _repeated(self) -> str | None:
        """Return the value of a reply that says the same thing again and again."""
        for parts in (self.text.splitlines(), self.text.split()):
            texts = {part.strip() for part in parts if part.strip()}
            value = self._alone(texts.pop()) if len(texts) == 1 else None
            if value is not None:
                return value
        return None

    def _at_marks(self, marks: Sequence[Mark]) -> str | Unreadable:
        """Return the value at the clearest marks, if all of them and later ones agree."""
        rank = max(mark.rank for mark in marks)
        clearest = [mark for mark in marks if mark.rank == rank]
        last = clearest[-1]
        if last.is_denied or any(mark.is_denied for mark in clearest if rank == Rank.BOX):
            return self._problem(Problem.DOUBT)
        value, rest = self._at(last)
        if value is None:
            return self._problem(Problem.NONE)
        others = [mark for mark in marks if mark in clearest or mark.position > last.position]
        if any(self._is_other(mark, value, last) for mark in others if not mark.is_denied):
            return self._problem(Problem.SEVERAL)
        if rank <= Rank.PLAIN and self._first_line() not in (None, value):
            return self._problem(Problem.SEVERAL)
        return self._problem(Problem.SEVERAL) if self.is_taken_back(value, rest) else value

    def _is_other(self, mark: Mark, value: str, last: Mark) -> bool:
        """Return whether a mark gives another value, or one of two in a sentence can't be read."""
        other, _ = self._at(mark)
        if other is None and self.task.is_closed:  # "The answer is B. The answer is C."
            other = self._alone(PART_END.split(mark.content)[0])
        has_last = 0 < last.position - mark.position <= len(mark.content)
        is_unread = other is None and has_last and not self.task.is_closed
        return is_unread or other not in (None, value)

    def _at(self, mark: Mark) -> tuple[str | None, str]:
        """Return the value of a mark's content, None without one, and the text behind it."""
        for answer, behind in readings(mark.content):
            value = self._alone(answer)
            if value is not None and not _goes_on(behind):
                return value, f"{behind.lstrip(' .,;:(')}\n{mark.rest}"
        said = self._said(mark.content, is_answer=True)
        parts = PART_END.split(mark.content)[1:]
        if not isinstance(said, str) or any(map(is_correction, parts)):
            return None, mark.rest
        return said, mark.rest

    def _first_line(self) -> str | None:
        """Return the value that the first line is, unless it is an equation."""
        lines = framed_lines(self.text)
        return None if not lines or "=" in lines[0] else self._alone(lines[0])

    def _on_outer_line(self) -> str | Unreadable | None:
        """Return the value that the first or the last line is, None if neither is one."""
        framed = framed_lines(self.text)
        lines = [line for line in framed if not self.task.is_step(line)]
        is_result = framed[-1:] != lines[-1:]
        if is_result and all(self._alone(line) is None for line in (*lines[:1], *lines[-1:])):
            lines = framed
        first = self._alone(lines[0]) if lines else None
        last = self._alone(lines[-1]) if lines else None
        value = first if first is not None else last
        if value is None:
            return None
        inner_values = {self._alone(line) for line in lines[-MAX_LINES:]}
        if inner_values - {None, value}:
            return self._problem(Problem.SEVERAL)
        behind = self.text.partition(lines[0])[2] if first is not None else ""
        return self._problem(Problem.SEVERAL) if self.is_taken_back(value, behind) else value

    def _in_sentence(self) -> str | Unreadable:
        """Return the value that the first or the last sentence states."""
        sentences = sentences_in(self.text)
        while not self.task.is_closed and len(sentences) > 1 and is_afterword(sentences[-1]):
            sentences.pop()
        if not sentences:
            return self._problem(Problem.NONE)
        is_whole = len(sentences) == 1
        first = self._said(sentences[0], is_answer=is_whole)
        if isinstance(first, str) and (is_whole or self.task.is_closed):
            rest = "\n".join(sentences[1:])
            return self._problem(Problem.SEVERAL) if self.is_taken_back(first, rest) else first
        if is_whole:
            return first or self._problem(Problem.NONE)
        last = sentences[-1]
        if self.task.is_closed or without_conclusion(last) is not None:
            said = self._said(last)
            if isinstance(said, str):
                return said
        return first if isinstance(first, Unreadable) else self._problem(Problem.NONE)

    def _said(self, sentence: str, *, is_answer: bool = False) -> str | Unreadable | None:
        """Return the value of a sentence, with or without "Therefore, "."""
        stated = self.task.answer_sentence if is_answer else self.task.sentence
        for text in (sentence, without_conclusion(sentence)):
            if text:
                value = self._explained(text)
                value = stated(self.row, text) if value is None else value
                if value is not None:
                    return value
        return None

    def _explained(self, text: str) -> str | None:
        """Return the value that the text is, up to its full stop or its explanation."""
        for answer, behind in readings(text):
            value = self._alone(answer)
            if value is not None and not _goes_on(behind):
                return value
        return None


def _goes_on(behind: str) -> bool:
    """Return whether the text behind a value makes it one of several ("7 (or 8)"), or denies it."""
    if is_correction(behind):
        return True
    behind = behind.lstrip(" ,;:(（—–-").lower()
    return behind.startswith(GOES_ON) or behind.rstrip(" .!)") == "not"


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
    reasoning = REASONING_HEAD.sub("", before).strip()
    return reasoning if any(map(str.isalnum, reasoning)) else None
