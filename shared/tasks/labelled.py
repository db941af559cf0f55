"""Tasks whose answer is short and checkable: a label, a choice, a number. With or without chain of thought they read alike."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from shared.rows import Row
from shared.tasks.base import Answer, SingleTurnTask, Unreadable
from shared.tasks.reading import answer_candidates, is_refusal, plain_text, reasoned_answer

if TYPE_CHECKING:
    from shared.spec import PromptSpec


class ShortAnswerTask(SingleTurnTask):
    """Reads a reply by reducing it to one value of a known kind."""

    prompt_settings = frozenset({"chain_of_thought", "student_learns"})

    has_values = True
    plain_tokens = 4  # of a reply that is the answer alone
    reasoned_tokens = 180  # of one that reasons first

    @abstractmethod
    def value(self, row: Row, text: str) -> str | Unreadable:
        """The one value that the text gives, in its canonical form."""

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        return self.reasoned_tokens if prompt.chain_of_thought else self.plain_tokens

    def reference_value(self, row: Row) -> str | Unreadable | None:
        return None if row.reference is None else self._first_value(row, plain_text(row.reference))

    def read(self, row: Row, prompt: PromptSpec, reply: str) -> Answer | Unreadable:
        if prompt.chain_of_thought:
            return self._read_reasoned(row, reply)
        text = plain_text(reply)
        if not text:
            return Unreadable("empty", "the reply is empty")
        if is_refusal(text):
            return Unreadable("refused", "the reply declines to answer")
        value = self._first_value(row, text)
        return value if isinstance(value, Unreadable) else Answer(value)

    def _read_reasoned(self, row: Row, reply: str) -> Answer | Unreadable:
        text = plain_text(reply)
        if not text:
            return Unreadable("empty", "the reply is empty")
        if is_refusal(text):
            return Unreadable("refused", "the reply declines to answer")
        answer = reasoned_answer(reply)
        if isinstance(answer, Unreadable):
            return answer
        value = self._first_value(row, answer.text)
        return value if isinstance(value, Unreadable) else Answer(value, answer.reasoning)

    def _first_value(self, row: Row, text: str) -> str | Unreadable:
        problem: Unreadable | None = None
        for candidate in answer_candidates(text):
            value = self.value(row, candidate)
            if isinstance(value, str):
                return value
            problem = value
        return problem or Unreadable("unreadable", "the reply holds no answer")
