"""A task as somebody would add one: this module, and its entry in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Answer, Schema, SingleTurnTask, Unreadable
from shared.tasks.replies.reply import Reply

if TYPE_CHECKING:  # they describe their settings by the registry, which imports this module
    from shared.tasks.answers_spec import AnswersSpec
    from shared.tasks.prompt_spec import PromptSpec

COMPLAINT = "it must be one of: yes, no"


class YesNo(SingleTurnTask):
    name = "yes_no"
    min_rows = 12
    prompt_settings = frozenset({"chain_of_thought"})
    has_values = True

    def check_question(self, row: Row, declared: AnswersSpec | None) -> Row | Rejection:
        if row.turns[0]["content"].endswith("?"):
            return row
        return Rejection(RejectionReason.NO_CHOICES, "the message is no question", row.id)

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": ["yes", "no"]}

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        return 1

    def read(self, row: Row, prompt: PromptSpec, reply: Reply) -> Answer | Unreadable:
        word = reply.text.lower().strip(".")
        if word in ("yes", "no"):
            return Answer(word)
        return Unreadable(RejectionReason.INVALID_CHOICE, COMPLAINT)
