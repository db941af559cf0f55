"""Math word problems: the answer is a number, kept in one canonical form (no separators, no needless zeros, no unit)."""

from __future__ import annotations

import re
from itertools import islice

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Unreadable
from shared.tasks.numbers import normalised, numbers_in
from shared.tasks.parsing import is_doubtful
from shared.tasks.short_answers import Hedged, ShortAnswerTask

# a bound is no value
BOUND = re.compile(
    r"[<>≤≥≠≮≯]|!=|\\[lg]e|\b(?:at (?:least|most)|(?:more|less|fewer|greater) than|up to|between)\b",
    re.IGNORECASE,
)
SEVERAL_EQUATIONS = re.compile(r"=[^=]*?(?:[,;.]\s|\n|\band\b)", re.IGNORECASE)
# "$12", "x = 12 apples", "12.": at most three words of unit, and no item of a list ("1. Add …")
ALONE = re.compile(
    r"(?:[A-Za-z]\w{0,9} ?= ?)?[^\w\n.]{0,6}\.?[0-9][0-9.,/eE^×* +-]{0,60}?(?:(?<!\d\.) ?[A-Za-z°µ/²³]{1,20}){0,3}[^\w\n]{0,6}"
)


PLAIN_DIGITS = 15  # of a whole number that needs no reading


class Math(ShortAnswerTask):
    name = "math"
    min_rows = 40

    def value(self, row: Row, text: str) -> str | Unreadable:
        text = normalised(text.replace("=>", "="))
        if is_doubtful(text) or BOUND.search(text):
            return Hedged(
                RejectionReason.NO_NUMBER,
                "the reply gives no number for certain; it must be the number alone",
            )
        answer, several = _after_equals(text)
        numbers = _first_two(answer)
        if len(numbers) == 1 and numbers[0] is not None and not several:
            return numbers[0]
        if not numbers:
            return Unreadable(
                RejectionReason.NO_NUMBER, "the reply holds no number; it must be the number alone"
            )
        if len(numbers) == 1 and not several:
            return Hedged(
                RejectionReason.NO_NUMBER,
                "the number can be read in two ways; write it like -1234.5",
            )
        return Hedged(
            RejectionReason.SEVERAL_NUMBERS,
            "the reply holds several numbers; it must be the answer alone",
        )

    def alone(self, row: Row, line: str) -> str | None:
        if line.isascii() and line.isdigit() and len(line) <= PLAIN_DIGITS:
            return str(int(line))
        if not ALONE.fullmatch(line):
            return None
        value = self.value(row, line)
        return value if isinstance(value, str) else None


def _after_equals(text: str) -> tuple[str, bool]:
    """Of a calculation its result; and whether there are several, of which none is the answer for sure."""
    working, equals, result = text.rpartition("=")
    if not equals or not _first_two(result):
        return text, False
    return result, SEVERAL_EQUATIONS.search(working) is not None


def _first_two(text: str) -> list[str | None]:
    return list(islice(numbers_in(text), 2))
