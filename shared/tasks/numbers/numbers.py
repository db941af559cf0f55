"""Reads a text that is one number, and nothing else, in canonical form: equal numbers, equal texts.

`1,234.0` is `1234`, `5/10` is `0.5`, `2/6` is `1/3`, `-0` is `0`. A text is read as a whole or not
at all: no number is searched for, and what the grammar doesn't know makes the text unreadable.

    text       [arrow] {name or calculation "="} quantity [footnote] [full stop]

A percentage is its number (`50%` is `50`), as are cents (`75¢` is `75`). `3,500` is 3500, `3,5` is
3.5, `1.234` is 1.234; `1.234 €` could be two numbers and is none, like `(7)`, `5!`, `- 7` (a list
item?), a ratio, a range, a date, and a sum without its result. A calculation before an equals
sign must give what stands behind it.
"""

from __future__ import annotations

import re
from decimal import Context
from fractions import Fraction

from shared.tasks.numbers.expressions import MAX_DIGITS, NotANumber, evaluated
from shared.tasks.numbers.number_spelling import plainly_spelled
from shared.tasks.numbers.number_tables import TABLES
from shared.tasks.numbers.quantities import CURRENCY, quantity

MAX_CHARACTERS = 200  # of one number with its unit, and of a calculation before it
PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
ROUNDING = Fraction(1, 200)  # of the result of a calculation
FLOAT_DIGITS = 15  # those behind are an error of arithmetic: 0.1 + 0.2 is 0.30000000000000004
ROUNDED_DIGITS = 3  # of a rounded value that agrees with the exact one

LIST_ITEM = re.compile(r"[-−–—‐‑][ \t\u00a0]")
ARROW = re.compile(r"(?:→|➜|➔|⇒|=>|->|[=≈•*])\s*")
EMOJI = re.compile(r"[\s\U0001f000-\U0001faff\u2600-\u27bf\u2b50-\u2b55\ufe0f]+$")
FULL_STOP = re.compile(r"(?<!\.)[.。]$|(?<=[^\W\d_])!$")
FOOTNOTE = re.compile(r"\s*(?:\[\d{1,2}\]|(?<!\*)\*|[†‡])$")
EQUALS = re.compile(r"\s*[=≈]\s*")
UNIT_OF_TERM = re.compile(r"(?<=[\d )])(?<!\\)[A-Za-z]{2,20}(?: |$)")
NAME = re.compile(
    r"\\?[A-Za-z]{1,16}(?:_\(?\w{1,3}\)?)?(?:\([\w, ]{1,12}\))?|[^\W\d_]{2,20}(?: [^\W\d_]+){1,5}"
)


def read_number(text: str) -> str | None:
    """Return the number that the text is, in canonical form; None if it isn't one for certain.

    Never raises, and takes a bounded time. Dress of other kinds (bold, code fences, a mark such
    as "Answer:") must be removed before.
    """
    text = text.strip()
    if PLAIN.fullmatch(text):
        return str(int(text)) if text.isdigit() else canonical(Fraction(text))
    if not 0 < len(text) <= MAX_CHARACTERS or LIST_ITEM.match(text):
        return None
    try:
        *terms, result = EQUALS.split(_undressed(plainly_spelled(text)))
        value = quantity(result)
        is_certain = _is_of_size(value) and all(_is_worth(term, value) for term in terms)
    except NotANumber:
        return None
    return canonical(value) if is_certain else None


def canonical(value: Fraction) -> str:
    """Return `7`, `-0.25`, or `1/3` if no decimal is exact."""
    if value.denominator == 1:
        return str(value.numerator)
    for places in range(1, MAX_DIGITS + 1):
        if 10**places % value.denominator == 0:
            sign = "-" if value < 0 else ""
            scaled = abs(value.numerator) * 10**places // value.denominator
            digits = str(scaled).zfill(places + 1)
            return f"{sign}{digits[:-places]}.{digits[-places:]}"
    return f"{value.numerator}/{value.denominator}"


def without_float_error(text: str) -> str:
    """Return a canonical decimal with the digits that a floating-point number is sure of."""
    whole, point, _ = text.lstrip("-").partition(".")
    if not point or len(whole) >= FLOAT_DIGITS:
        return text
    return canonical(Fraction(Context(prec=FLOAT_DIGITS).create_decimal(text)))


def shortened(text: str, characters: int) -> str | None:
    """Return a canonical number as a decimal of at most so many characters.

    None if it is an integer, or would lose digits that tell it from others.
    """
    value = Fraction(text)
    places = characters - len(f"-{abs(int(value))}.")
    if value.denominator == 1 or places < ROUNDED_DIGITS or abs(value) < Fraction(1, 1000):
        return None
    return canonical(round(value, places))


def same_number(first: str, second: str, tolerance: Fraction | None) -> bool:
    """Return whether two canonical texts are the same number.

    They are if they are equal; if they differ by no more than the tolerance, relative to the
    larger; or if one is the other rounded to the digits it has, three significant ones at least
    and one behind the point: `0.333` and `1/3` agree; `0.33` and `1/3` don't, nor do `123` and
    `122.6`. A tie may be rounded either way.
    """
    if first == second:
        return True
    one, other = Fraction(first), Fraction(second)
    difference = abs(one - other)
    if tolerance is not None and difference <= tolerance * max(abs(one), abs(other)):
        return True
    return any(difference <= _rounding_of(text) for text in (first, second))


def _rounding_of(text: str) -> Fraction:
    """Return half a unit of the last place; a negative number if too few digits tell anything."""
    digits = text.replace("-", "").replace(".", "").lstrip("0")
    if "." not in text or len(digits) < ROUNDED_DIGITS:
        return Fraction(-1)
    return Fraction(1, 2 * 10 ** len(text.partition(".")[2]))


def _is_of_size(value: Fraction) -> bool:
    return max(abs(value.numerator), value.denominator) < 10**MAX_DIGITS


def _undressed(text: str) -> str:
    """Return the text without an arrow, footnote, emoji or full stop around it."""
    if arrow := ARROW.match(text):
        text = text[arrow.end() :]
    for ending in (EMOJI, FULL_STOP, FOOTNOTE):
        text = ending.sub("", text)
    return text.strip()


def _is_worth(term: str, value: Fraction) -> bool:
    """Return whether a term is a calculation with this value, or only a name."""
    if not TABLES.excluded.isdisjoint(re.findall(r"[^\W\d_]+", term.lower())):
        return False
    try:
        exact = evaluated(UNIT_OF_TERM.sub(" ", CURRENCY.sub("", term)))
    except NotANumber:
        return NAME.fullmatch(term) is not None
    result = canonical(value)
    tolerance = ROUNDING if "." in result else None
    return _is_of_size(exact) and same_number(canonical(exact), result, tolerance)
