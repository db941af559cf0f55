"""References of equal questions: whether they differ in the task's own sense.

A scan keeps 16 bytes of each, because the rows of a question may stand in different ranges: the
value itself, a shorter decimal, or the hash of a longer one. Reading a reference takes 1 to 30 µs
where it is the answer alone.
"""

from __future__ import annotations

import hashlib

from shared.dataset.rows import Row
from shared.spec.models import RunSpec
from shared.tasks import TASKS
from shared.tasks.numbers.numbers import shortened

PACKED_BYTES = 16
NO_REFERENCE = b""
HASHED = b"\0"  # the first byte of a hash


class References:
    """Packs and compares the references of one run."""

    def __init__(self, spec: RunSpec) -> None:
        self._task = TASKS[spec.task]
        self._tolerance = spec.quality.tolerance

    def packed(self, row: Row) -> bytes:
        """Return the row's reference in at most 16 bytes, none if there is no readable one.

        Texts have many right answers, so the references of such tasks can't differ.
        """
        if row.reference is None or not self._task.has_values:
            return NO_REFERENCE
        value = self._task.reference_value(row)
        if not isinstance(value, str):
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
