"""References of equal questions: whether they differ in the task's own sense.

A scan keeps 16 bytes of each, because the rows of a question may stand in different ranges: the
value itself, a shorter decimal, or the hash of a longer one. Reading a reference takes 1 to 30 µs
where it is the answer alone.
"""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, Field

from shared.dataset.rows import Row
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Unreadable
from shared.tasks.numbers.numbers import shortened

PACKED_BYTES = 16
NO_REFERENCE = b""
HASHED = b"\0"  # the first byte of a hash
MAX_LINES = 3  # of rows whose reference can't be read


class ReferenceCounts(BaseModel):
    """How many rows of a split have a reference answer, and whether it can be read."""

    rows: int = Field(default=0, description="well-formed rows with a reference, duplicates too")
    unreadable: int = Field(default=0, description="those of them whose reference can't be read")
    lines: list[int] = Field(default_factory=list[int], description="the first of the unreadable")

    def count(self, value: str | Unreadable | None, line: int) -> None:
        """Count the reference of the row of one line."""
        if value is None:
            return
        self.rows += 1
        if isinstance(value, Unreadable):
            self.add(ReferenceCounts(unreadable=1, lines=[line]))

    def add(self, later: ReferenceCounts) -> None:
        """Add the counts of the next range."""
        self.rows += later.rows
        self.unreadable += later.unreadable
        self.lines = [*self.lines, *later.lines][:MAX_LINES]

    def moved(self, lines: int) -> ReferenceCounts:
        """Return the counts with their lines numbered so many lines later."""
        return self.model_copy(update={"lines": [line + lines for line in self.lines]})


class References:
    """Packs and compares the references of one run."""

    def __init__(self, spec: RunSpec) -> None:
        self._task = TASKS[spec.task]
        self._tolerance = spec.quality.tolerance

    def value(self, row: Row) -> str | Unreadable | None:
        """Return the row's reference as a value if the task has such, and as its text if not."""
        if row.reference is None:
            return None
        if not self._task.has_values:
            return row.reference.strip() or None
        return self._task.reference_value(row)

    def packed(self, value: str | Unreadable | None) -> bytes:
        """Return a reference in at most 16 bytes, none if there is no readable one.

        Texts have many right answers, so the references of such tasks can't differ.
        """
        if not isinstance(value, str) or not self._task.has_values:
            return NO_REFERENCE
        if self._task.has_numbers and len(value) > PACKED_BYTES:
            value = shortened(value, PACKED_BYTES) or value
        content = value.encode("utf-8", "surrogatepass")
        if len(content) <= PACKED_BYTES:
            return content
        return HASHED + hashlib.sha256(content).digest()[: PACKED_BYTES - 1]

    def differ(self, first: bytes, second: bytes) -> bool:
        """Return whether two packed references are different answers."""
        if first == second or NO_REFERENCE in (first, second):
            return False
        if first.startswith(HASHED) or second.startswith(HASHED):
            return True
        return not self._task.same_value(first.decode(), second.decode(), self._tolerance)


def shown(packed: bytes) -> str:
    """Return a packed reference in words."""
    return "another reference" if packed.startswith(HASHED) else packed.decode()
