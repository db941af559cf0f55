"""Math word problems: the answer is a number in canonical form.

That form has no separators, no needless zeros, and no unit.
"""

from __future__ import annotations

import re
from itertools import islice

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.answer_marks import is_doubtful
from shared.tasks.base import Unreadable
from shared.tasks.numbers import normalised, numbers_in
from shared.tasks.short_answers import Hedged, ShortAnswerTask

# A bound is not a value.
BOUND = re.compile(
    r"[<>≤≥≠≮≯]|!=|\\[lg]e"
    r"|\b(?:at (?:least|most)|(?:more|less|fewer|greater) than|up to|between)\b",
    re.IGNORECASE,
)
SEVERAL_EQUATIONS = re.compile(r"=[^=]*?(?:[,;.]\s|\n|\band\b)", re.IGNORECASE)
# "$12", "x = 12 apples", "12.": at most three words of unit, and no list item ("1. Add …").
ALONE = re.compile(
    r"(?:[A-Za-z]\w{0,9} ?= ?)?[^\w\n.]{0,6}\.?[0-9][0-9.,/eE^×* +-]{0,60}?"
    r"(?:(?<!\d\.) ?[A-Za-z°µ/²³]{1,20}){0,3}[^\w\n]{0,6}"
)
PLAIN_DIGITS = 15  # of a whole number that can be taken as it is


class Math(ShortAnswerTask):
    name = "math"
    min_rows = 40
    has_numbers = True

    def value(self, row: Row, text: str) -> str | Unreadable:
        text = normalised(text.replace("=>", "="))
        if is_doubtful(text) or BOUND.search(text):
            detail = "the reply gives no number for certain; it must be the number alone"
            return Hedged(RejectionReason.NO_NUMBER, detail)
        answer, has_several = _after_equals(text)
        numbers = _first_two(answer)
        if not numbers:
            detail = "the reply holds no number; it must be the number alone"
            return Unreadable(RejectionReason.NO_NUMBER, detail)
        if len(numbers) > 1 or has_several:
            detail = "the reply holds several numbers; it must be the answer alone"
            return Hedged(RejectionReason.SEVERAL_NUMBERS, detail)
        number = numbers[0]
        if number is None:
            detail = "the number can be read in two ways; write it like -1234.5"
            return Hedged(RejectionReason.NO_NUMBER, detail)
        return number

    def alone(self, row: Row, line: str) -> str | None:
        if line.isascii() and line.isdigit() and len(line) <= PLAIN_DIGITS:
            return str(int(line))
        if not ALONE.fullmatch(line):
            return None
        value = self.value(row, line)
        return value if isinstance(value, str) else None


def _after_equals(text: str) -> tuple[str, bool]:
    """Return the result of a calculation, and whether the text has several calculations."""
    working, equals, result = text.rpartition("=")
    if not equals or not _first_two(result):
        return text, False
    return result, SEVERAL_EQUATIONS.search(working) is not None


def _first_two(text: str) -> list[str | None]:
    return list(islice(numbers_in(text), 2))
