"""Tasks whose answer is one of the values that the row offers: a label, a choice."""

from __future__ import annotations

from typing import ClassVar

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Schema, Unreadable
from shared.tasks.labels.declared import offered
from shared.tasks.short_answers import Problem, ShortAnswerTask

NO_REFERENCE = ("-1", "-1.0")  # in datasets without answers


class OfferedValueTask(ShortAnswerTask):
    """Reads one of the row's own values."""

    # Why a reply that gives none of them is rejected.
    invalid: ClassVar[RejectionReason]
    # What a reference stands for where it isn't a value itself and just one of these is.
    booleans: ClassVar[dict[str, tuple[str, ...]]] = {
        "true": ("yes",),
        "false": ("no",),
        "yes": ("true",),
        "no": ("false",),
    }

    def reference_value(self, row: Row) -> str | Unreadable | None:
        reference = (row.reference or "").strip().casefold()
        space = offered(row)
        if reference in NO_REFERENCE and space.value_of(reference) is None:
            return None
        value = super().reference_value(row)
        values = {space.value_of(word) for word in self.booleans.get(reference, ())} - {None}
        return values.pop() if isinstance(value, Unreadable) and len(values) == 1 else value

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": list(offered(row).values)}

    def unreadable(self, row: Row, problem: Problem) -> Unreadable:
        detail = f"the reply gives {problem}; it must be one of: {offered(row).listed()}"
        return Unreadable(self.invalid, detail)
