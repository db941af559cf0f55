"""Math word problems: the answer is a number in canonical form.

That form has no separators, no needless zeros, and no unit.
"""

from __future__ import annotations

import re
from fractions import Fraction

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Unreadable
from shared.tasks.number_sentences import number_stated
from shared.tasks.numbers import read_number, same_number
from shared.tasks.short_answers import Hedged, ShortAnswerTask

DIGIT = re.compile(r"\d")
EXACT = 1000  # more decimal places than an answer has


class Math(ShortAnswerTask):
    name = "math"
    min_rows = 40
    has_numbers = True

    def same_value(self, first: str, second: str, tolerance: float | None) -> bool:
        limit = None if tolerance is None else Fraction(str(tolerance))
        return same_number(first, second, limit)

    def exactness(self, value: str) -> int:
        """Return the decimal places; of a fraction that no decimal equals, more than any has."""
        return EXACT if "/" in value else len(value.partition(".")[2])

    def value(self, row: Row, text: str) -> str | Unreadable:
        number = self.alone(row, text) or number_stated(text)
        if number is not None:
            return number
        if DIGIT.search(text):
            detail = "the reply gives no number for certain; it must be the number alone"
            return Hedged(RejectionReason.NO_NUMBER, detail)
        detail = "the reply holds no number; it must be the number alone"
        return Unreadable(RejectionReason.NO_NUMBER, detail)

    def alone(self, row: Row, line: str) -> str | None:
        return read_number(line)
