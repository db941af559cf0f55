"""Conversations: every assistant turn is regenerated in order, after the teacher's own turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.dataset.token_estimates import text_tokens
from shared.tasks.base import Answer, Unreadable
from shared.tasks.free_text import FreeTextTask
from shared.tasks.replies.reply import Reply
from shared.tasks.texts.text_checks import CHECK_NAMES

if TYPE_CHECKING:
    from shared.tasks.answers_spec import AnswersSpec
    from shared.tasks.prompt_spec import PromptSpec

USUAL_TOKENS = 120  # of a reply, if the row has no assistant turns to go by


class Conversation(FreeTextTask):
    name = "conversation"
    min_rows = 65
    prompt_settings = frozenset[str]()
    text_checks = frozenset(CHECK_NAMES) - {"length"}

    def check(self, row: Row, declared: AnswersSpec | None = None) -> Row:
        return row  # `parse_row` accepts no other order than a conversation's

    def turns(self, row: Row) -> int:
        return sum(message["role"] == "user" for message in row.turns)

    def answer_tokens(self, row: Row, prompt: PromptSpec) -> int:
        """Return the tokens of one turn: as many as the row's longest assistant turn has."""
        answers = [turn["content"] for turn in row.turns if turn["role"] == "assistant"]
        return max(map(text_tokens, answers), default=USUAL_TOKENS)

    def read(self, row: Row, prompt: PromptSpec, reply: Reply) -> Answer | Unreadable:
        if not reply.text:
            return Unreadable(RejectionReason.EMPTY, "the reply is empty")
        return Answer(reply.text)
