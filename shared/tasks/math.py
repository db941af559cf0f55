"""Math word problems: the answer is a number in canonical form.

That form has no separators, no needless zeros, and no unit.
"""

from __future__ import annotations

import re

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Unreadable
from shared.tasks.number_sentences import number_stated
from shared.tasks.numbers import read_number
from shared.tasks.short_answers import Hedged, ShortAnswerTask

DIGIT = re.compile(r"\d")


class Math(ShortAnswerTask):
    name = "math"
    min_rows = 40
    has_numbers = True

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
