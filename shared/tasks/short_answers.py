"""Tasks whose answer is short and checkable: a label, a choice, a number.

Replies are read alike with and without chain of thought.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.answer_marks import (
    AFTERWORD,
    boxed,
    hashed,
    marked_answers,
    outer_lines,
    undressed,
)
from shared.tasks.base import Answer, SingleTurnTask, Unreadable
from shared.tasks.json_replies import answer_object, reasoned_object
from shared.tasks.reply import Reply, split_reply
from shared.tasks.text_checks import text_problem

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec


NOT_REASONED = Unreadable(
    RejectionReason.UNREADABLE,
    "the reply holds no JSON object with the texts `reasoning` and `answer`",
)


@dataclass(frozen=True, slots=True)
class Hedged(Unreadable):
    """The text gives several values, or denies or doubts one: reading on would be a guess."""


class ShortAnswerTask(SingleTurnTask):
    """Reads a reply by reducing it to one value of a known kind."""

    prompt_settings = frozenset({"chain_of_thought", "student_learns"})
    has_values = True
    plain_tokens = 4  # of a reply that is the answer alone
    reasoned_tokens = 180  # of a reply that reasons first

    @abstractmethod
    def value(self, row: Row, text: str) -> str | Unreadable:
        """Return the one value of the text in canonical form; Hedged if the text doubts it."""

    @abstractmethod
    def alone(self, row: Row, line: str) -> str | None:
        """Return the value of a line that holds a value and nothing else."""

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        return self.reasoned_tokens if prompt.chain_of_thought else self.plain_tokens

    def reference_value(self, row: Row) -> str | Unreadable | None:
        if row.reference is None:
            return None
        return self._read_value(row, split_reply(row.reference).text)

    def read(self, row: Row, prompt: PromptSpec, reply: Reply) -> Answer | Unreadable:
        problem = text_problem(reply.text)
        if problem:
            return problem
        text = reply.text
        reasoning: str | None = None
        if prompt.chain_of_thought:
            reasoned = reasoned_object(text)
            if reasoned is None:
                return NOT_REASONED
            text = reasoned.answer
            reasoning = reasoned.reasoning
        value = self._read_value(row, text)
        return value if isinstance(value, Unreadable) else Answer(value, reasoning)

    def _read_value(self, row: Row, text: str) -> str | Unreadable:
        """Return the value at the strongest mark that has one.

        From strong to weak: JSON, a box, hashes, "final answer", "answer", a line of its own, and
        then anywhere in the text.
        """
        answer = answer_object(text)
        if isinstance(answer, Unreadable):
            return answer
        text = answer or text
        if text.isascii() and text.isalnum():  # a single word has no marks to look for
            return self.alone(row, text) or self.value(row, text)
        plain = undressed(text)
        return (
            self._agreed(row, ([undressed(content)] for content in boxed(text)))
            or self._agreed(row, ([line] for line in self._hashed_values(row, text)))
            or self._marked_value(row, plain)
            or self.value(row, plain)
        )

    def _hashed_values(self, row: Row, text: str) -> list[str]:
        lines = [undressed(line) for line in hashed(text)]
        return [line for line in lines if self.alone(row, line) is not None]

    def _marked_value(self, row: Row, text: str) -> str | Hedged | None:
        """Return the value behind a mark, or else the one on a line of its own."""
        own_line_value = self._own_line_value(row, text)
        answers = marked_answers(text)
        value = self._agreed(row, answers.final) or self._agreed(row, answers.plain)
        if not value:
            return own_line_value
        if isinstance(own_line_value, str) and isinstance(value, str) and own_line_value != value:
            return _several({own_line_value, value})
        return value

    def _agreed(self, row: Row, marks: Iterable[Iterable[str]]) -> str | Hedged | None:
        """Return the value at the marks, if those with a value agree.

        Each mark is given as its readings; the first that has a value counts.
        """
        values: set[str] = set()
        for readings in marks:
            for reading in readings:
                value = self.value(row, reading)
                if isinstance(value, Hedged):
                    return value
                if isinstance(value, str):
                    values.add(value)
                    break
        return _several(values) if len(values) > 1 else next(iter(values), None)

    def _own_line_value(self, row: Row, text: str) -> str | Hedged | None:
        """Return the value on a line of its own, unless the lines below give another."""
        lines = outer_lines(text)
        values_by_line: dict[int, str] = {}
        for number, line in enumerate(lines):
            value = self.alone(row, line)
            if value is not None:
                values_by_line[number] = value
        if not values_by_line:
            return None
        last_line = max(values_by_line)
        value = values_by_line[last_line]
        if set(values_by_line.values()) != {value}:
            return _several(values_by_line.values())
        below = lines[last_line + 1 :]
        if not below or AFTERWORD.match(below[0]):
            return value
        value_below = self.value(row, "\n".join(below))
        is_contradicted = value_below != value and type(value_below) is not Unreadable
        return _several([value]) if is_contradicted else value


def _several(values: Iterable[str]) -> Hedged:
    listed = ", ".join(sorted(set(values))[:5])
    return Hedged(
        RejectionReason.UNREADABLE,
        f"the reply gives {listed} and speaks of other answers; it must give one",
    )
