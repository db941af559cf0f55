"""Tasks whose answer is one of the values that the row offers: a label, a choice."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Protocol

from shared.dataset.answer_space import AnswerSpace
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Schema, Unreadable
from shared.tasks.labels.declared import offered
from shared.tasks.short_answers import Problem, ShortAnswerTask


class ValueReader(Protocol):
    """Reads the values of one answer space."""

    def alone(self, text: str) -> str | None:
        """Return the value that the text is, None if it isn't one and nothing else."""
        ...

    def stated(self, text: str) -> str | None:
        """Return the value that a sentence states without doubting or denying one, or None."""
        ...

    def contested(self, text: str) -> set[str]:
        """Return the values that a sentence denies, doubts or weighs, if it states none."""
        ...


class OfferedValueTask(ShortAnswerTask):
    """Reads one of the row's own values."""

    # Why a reply that gives none of them is rejected.
    invalid: ClassVar[RejectionReason]

    @abstractmethod
    def reader(self, space: AnswerSpace) -> ValueReader:
        """Return the reader of these values."""

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": list(offered(row).values)}

    def alone(self, row: Row, text: str) -> str | None:
        return self.reader(offered(row)).alone(text)

    def sentence(self, row: Row, sentence: str) -> str | Unreadable | None:
        """Return the value that a sentence states in one of the closed forms.

        Unreadable if it names values in another form: it denies or doubts them, or they are
        several.
        """
        reader = self.reader(offered(row))
        value = reader.stated(sentence)
        contested = set[str]() if value else reader.contested(sentence)
        if not contested:
            return value
        return self.unreadable(row, Problem.SEVERAL if len(contested) > 1 else Problem.DOUBT)

    def unreadable(self, row: Row, problem: Problem) -> Unreadable:
        detail = f"the reply gives {problem}; it must be one of: {offered(row).listed()}"
        return Unreadable(self.invalid, detail)
