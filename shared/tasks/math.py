"""Math word problems: the answer is a number in canonical form.

That form has no separators, no needless zeros, and no unit.
"""

from __future__ import annotations

import re
from fractions import Fraction

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Unreadable
from shared.tasks.numbers.number_sentences import number_stated
from shared.tasks.numbers.numbers import read_number, same_number, without_float_error
from shared.tasks.replies.sentences import ValueReader
from shared.tasks.short_answers import Problem, ShortAnswerTask

REASONS = {Problem.SEVERAL: RejectionReason.SEVERAL_NUMBERS}
NUMBERS = {
    Problem.NONE: "states no number as its answer",
    Problem.SEVERAL: "gives several numbers",
    Problem.DOUBT: "gives a number with doubt",
}
CALCULATION = re.compile(r"\d *(?:[-+*/×÷·x−]|\\times|\\div|\\cdot) *\$?\d[^=]{0,80}=")
EXACT = 1000  # more decimal places than an answer has


class NumberReader(ValueReader):
    """Reads numbers, which are an open set."""

    is_closed = False

    def alone(self, text: str) -> str | None:
        return read_number(text)

    def clause(self, text: str, *, is_answer: bool = False) -> str | None:
        return number_stated(text, is_answer=is_answer)

    def is_step(self, line: str) -> bool:
        return CALCULATION.search(line) is not None


NUMBER_READER = NumberReader()


class Math(ShortAnswerTask):
    name = "math"
    min_rows = 40
    has_numbers = True

    def reference_value(self, row: Row) -> str | Unreadable | None:
        value = super().reference_value(row)
        return without_float_error(value) if isinstance(value, str) else value

    def same_value(self, first: str, second: str, tolerance: float | None) -> bool:
        limit = None if tolerance is None else Fraction(str(tolerance))
        return same_number(first, second, limit)

    def exactness(self, value: str) -> int:
        """Return the decimal places; of a fraction that no decimal equals, more than any has."""
        return EXACT if "/" in value else len(value.partition(".")[2])

    def reader(self, row: Row) -> ValueReader:
        return NUMBER_READER

    def unreadable(self, row: Row, problem: Problem) -> Unreadable:
        reason = REASONS.get(problem, RejectionReason.NO_NUMBER)
        return Unreadable(reason, f"the reply {NUMBERS[problem]}; it must be the number alone")
