"""Math word problems: the answer is a number, kept in one canonical form (no separators, no needless zeros, no unit)."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from shared.rows import Row
from shared.tasks.base import Unreadable
from shared.tasks.labelled import ShortAnswerTask

BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
HASHES = re.compile(r"####\s*([^\n]+)")
NUMBER = re.compile(
    r"(?<![\w.,])([-+−]?)\s?(?:[$€£¥]\s?)?([-+−]?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?:\s*/\s*(\d+))?(?![\d]|[.,]\d)"
)
MAX_DIGITS = 40  # more is no answer to a word problem


class Math(ShortAnswerTask):
    name = "math"
    min_rows = 40

    def value(self, row: Row, text: str) -> str | Unreadable:
        marked = [*BOXED.findall(text), *HASHES.findall(text)]
        numbers = dict.fromkeys(_numbers(marked[-1] if marked else text))
        if len(numbers) == 1:
            return next(iter(numbers))
        if not numbers:
            return Unreadable("no_number", "the reply holds no number; it must be the number alone")
        return Unreadable("several_numbers", f"the reply holds {len(numbers)} numbers; it must be the answer alone")


def _numbers(text: str) -> list[str]:
    """Canonical forms of the numbers in the text; of an equation, what stands after its last equals sign."""
    if "=" in text and _numbers(text.rpartition("=")[2]):
        text = text.rpartition("=")[2]
    return [
        number
        for outer, inner, digits, divisor in NUMBER.findall(text)
        if (number := canonical_number(f"{outer or inner}{digits}", divisor)) is not None
    ]


def canonical_number(digits: str, divisor: str = "") -> str | None:
    """`-1,234.50` to `-1234.5`; a fraction to its decimal where that is exact, else None."""
    if len(digits) + len(divisor) > MAX_DIGITS:
        return None
    try:
        value = Decimal(digits.replace(",", "").replace("−", "-"))
        if divisor:
            quotient = value / Decimal(divisor)
            if quotient * Decimal(divisor) != value:
                return None
            value = quotient
    except (InvalidOperation, ZeroDivisionError):
        return None
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
