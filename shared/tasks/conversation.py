"""Conversations: every assistant turn is regenerated in order, each with the true history: the teacher's own earlier turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.rows import Row
from shared.dataset.token_estimates import text_tokens
from shared.tasks.base import Answer, Task, Unreadable
from shared.tasks.parsing import plain_text

if TYPE_CHECKING:
    from shared.tasks.prompt_spec import PromptSpec


USUAL_TOKENS = 120  # of a reply, where the row does not say


class Conversation(Task):
    name = "conversation"
    min_rows = 65
    prompt_settings = frozenset[str]()

    def check(self, row: Row) -> Row | Rejection:
        return row  # every order that `parse_row` lets through is a conversation

    def turns(self, row: Row) -> int:
        return sum(message["role"] == "user" for message in row.turns)

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        """Of one turn: as long as the row's own assistant turns are, where it has any."""
        own = [
            text_tokens(message["content"])
            for message in row.turns
            if message["role"] == "assistant"
        ]
        return max(own, default=USUAL_TOKENS)

    def read(self, row: Row, prompt: PromptSpec, reply: str) -> Answer | Unreadable:
        text = plain_text(reply)
        return Answer(text) if text else Unreadable(RejectionReason.EMPTY, "the reply is empty")
