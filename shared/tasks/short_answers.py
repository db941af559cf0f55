"""Tasks whose answer is short and checkable: a label, a choice, a number. With or without chain of thought they read alike."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Answer, SingleTurnTask, Unreadable
from shared.tasks.parsing import (
    AFTERWORD,
    boxed,
    hashed,
    is_refusal,
    json_answer,
    lines,
    marked_answers,
    plain_text,
    reasoned_answer,
    undressed,
)

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec


@dataclass(frozen=True, slots=True)
class Hedged(Unreadable):
    """The text names several values, or denies or doubts one: what it says elsewhere would be a guess."""


class ShortAnswerTask(SingleTurnTask):
    """Reads a reply by reducing it to one value of a known kind."""

    prompt_settings = frozenset({"chain_of_thought", "student_learns"})

    has_values = True
    plain_tokens = 4  # of a reply that is the answer alone
    reasoned_tokens = 180  # of one that reasons first

    @abstractmethod
    def value(self, row: Row, text: str) -> str | Unreadable:
        """The one value that the text gives, in its canonical form; Hedged where it gives it with doubt."""

    @abstractmethod
    def alone(self, row: Row, line: str) -> str | None:
        """The value of a line that holds a value and nothing else."""

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        return self.reasoned_tokens if prompt.chain_of_thought else self.plain_tokens

    def reference_value(self, row: Row) -> str | Unreadable | None:
        return None if row.reference is None else self._first_value(row, plain_text(row.reference))

    def read(self, row: Row, prompt: PromptSpec, reply: str) -> Answer | Unreadable:
        if prompt.chain_of_thought:
            return self._read_reasoned(row, reply)
        text = plain_text(reply)
        if not text:
            return Unreadable(RejectionReason.EMPTY, "the reply is empty")
        if is_refusal(text):
            return Unreadable(RejectionReason.REFUSED, "the reply declines to answer")
        value = self._first_value(row, text)
        return value if isinstance(value, Unreadable) else Answer(value)

    def _read_reasoned(self, row: Row, reply: str) -> Answer | Unreadable:
        text = plain_text(reply)
        if not text:
            return Unreadable(RejectionReason.EMPTY, "the reply is empty")
        if is_refusal(text):
            return Unreadable(RejectionReason.REFUSED, "the reply declines to answer")
        answer = reasoned_answer(reply)
        if isinstance(answer, Unreadable):
            return answer
        value = self._first_value(row, answer.text)
        return value if isinstance(value, Unreadable) else Answer(value, answer.reasoning)

    def _first_value(self, row: Row, text: str) -> str | Unreadable:
        """The value at the strongest mark that has one: JSON, a box or hashes, "final answer", "answer", a line of its own."""
        text = json_answer(text) or text
        if text.isascii() and text.isalnum():  # one word has no marks to look for
            return self.alone(row, text) or self.value(row, text)
        plain = undressed(text)
        hashes = [line for line in hashed(text) if self.alone(row, undressed(line)) is not None]
        for marked in (boxed(text), hashes):
            if value := self._agreed(row, ([undressed(content)] for content in marked)):
                return value
        own_line = self._own_line(row, plain)
        for marks in marked_answers(plain):
            if value := self._agreed(row, marks):
                if isinstance(own_line, str) and isinstance(value, str) and own_line != value:
                    return _several({own_line, value})
                return value
        return own_line or self.value(row, plain)

    def _agreed(self, row: Row, marks: Iterable[Iterable[str]]) -> str | Hedged | None:
        """What all marks say that say anything. Each is given as readings of it, the likeliest first."""
        values: set[str] = set()
        for readings in marks:
            for value in (self.value(row, reading) for reading in readings):
                if isinstance(value, Hedged):
                    return value
                if isinstance(value, str):
                    values.add(value)
                    break
        return _several(values) if len(values) > 1 else next(iter(values), None)

    def _own_line(self, row: Row, text: str) -> str | Hedged | None:
        """The value that stands on a line of its own, unless what follows speaks of another."""
        every = lines(text)
        found = {
            place: value
            for place, line in enumerate(every)
            if (value := self.alone(row, line)) is not None
        }
        if len(set(found.values())) != 1:
            return _several(found.values()) if found else None
        value, rest = next(iter(found.values())), every[max(found) + 1 :]
        if not rest or AFTERWORD.match(rest[0]):
            return value
        later = self.value(row, "\n".join(rest))
        return value if later == value or type(later) is Unreadable else _several([value])


def _several(values: Iterable[str]) -> Hedged:
    said = ", ".join(sorted(set(values))[:5])
    return Hedged(
        RejectionReason.UNREADABLE,
        f"the reply gives {said} and speaks of other answers; it must give one",
    )
