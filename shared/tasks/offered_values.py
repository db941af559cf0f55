"""Tasks whose answer is one of the values that the row offers: a label, a choice."""

from __future__ import annotations

from typing import ClassVar

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Schema, Unreadable
from shared.tasks.labels.declared import offered
from shared.tasks.short_answers import Problem, ShortAnswerTask


class OfferedValueTask(ShortAnswerTask):
    """Reads one of the row's own values."""

    # Why a reply that gives none of them is rejected.
    invalid: ClassVar[RejectionReason]

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": list(offered(row).values)}

    def unreadable(self, row: Row, problem: Problem) -> Unreadable:
        detail = f"the reply gives {problem}; it must be one of: {offered(row).listed()}"
        return Unreadable(self.invalid, detail)
