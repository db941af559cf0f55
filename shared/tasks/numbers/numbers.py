"""Reads a text that is one number, and nothing else, in canonical form: equal numbers, equal texts.

`1,234.0` is `1234`, `5/10` is `0.5`, `2/6` is `1/3`, `-0` is `0`. A text is read as a whole or not
at all: no number is searched for, and what the grammar doesn't know makes the text unreadable.

    text       [arrow] {name or calculation "="} quantity [footnote] [full stop]
    quantity   [about] [sign] [currency] expression or number words {magnitude} [rest] [remark]
    quantity   "(" money ")"       as accountants write losses
    rest       [percent] [currency] [unit]
    unit       one to nine words that are no number, magnitude, operator or conjunction
    remark     "(" the same value, a unit, "rounded to …" or "not …" ")"

A percentage is its number (`50%` is `50`), as are cents (`75¢` is `75`). `3,500` is 3500, `3,5` is
3.5, `1.234` is 1.234; `1.234 €` could be two numbers and is none, like `(7)`, `5!`, `- 7` (a list
item?), a ratio, a range, a date, and a sum without its result. A calculation before an equals
sign must give what stands behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from shared.tasks.numbers.expressions import MAX_DIGITS, NotANumber, evaluated, number_at_start
from shared.tasks.numbers.number_spelling import plainly_spelled
from shared.tasks.numbers.number_tables import TABLES, one_of, value_of_words

MAX_CHARACTERS = 200  # of one number with its unit, and of a calculation before it
PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
ROUNDING = Fraction(1, 200)  # of the result of a calculation
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

FLAGS = re.IGNORECASE
CURRENCY = re.compile(rf"(?<![A-Za-z])(?:{one_of(TABLES.currencies)}) ?", FLAGS)
BRACKETS = re.compile(rf"((?:{CURRENCY.pattern})?)\(([^()]*)\)", FLAGS)
WITH_COMMA = one_of(TABLES.written_with_comma)
GROUPED_OR_NOT = re.compile(
    rf"(?:{WITH_COMMA}) ?[1-9]\d{{0,2}}\.\d{{3}}(?![\d,]|\.\d)"
    rf"|(?<![\d.,])[1-9]\d{{0,2}}\.\d{{3}} ?(?:{WITH_COMMA})",
    FLAGS,
)
APPROXIMATION = re.compile(rf"(?:[≈~]|{one_of(TABLES.approximations)})\s*", FLAGS)
SIGN = re.compile(
    rf"(?:(-(?![-+])|{one_of(TABLES.negative)})|\+(?![-+])|{one_of(TABLES.positive)}) *", FLAGS
)
WORD = rf"(?:{one_of(TABLES.words)})"
WORDS = re.compile(rf"{WORD}(?:(?:[ -]| and ){WORD})*", FLAGS)
MAGNITUDE = re.compile(rf"(?: {{1,4}}|-)?({one_of(TABLES.magnitudes)})(?!-)\.?", FLAGS)
AND_A_HALF = re.compile(r" and (?:a|one)[ -]half(?![A-Za-z])", FLAGS)
THOUSANDS = re.compile(r"(?<=\d)k(?![A-Za-z])")
MONEY_MAGNITUDE = re.compile(rf" ?({one_of(TABLES.money_magnitudes)})")
MAGNITUDE_OF_MONEY = re.compile(
    rf"{MONEY_MAGNITUDE.pattern}(?= +(?i:{CURRENCY.pattern}|dollars|euros))"
)
LONE_LETTER = re.compile(r"(?! a ) ?[A-Za-z](?![A-Za-z])")

NO_UNIT = {*TABLES.never_units, *TABLES.magnitudes, *TABLES.words}
UNFINISHED = (TABLES.joining | {"to"}) - TABLES.short_units  # `5 apples per`
GREAT_NUMBER = re.compile(  # and all that no table lists
    rf"[a-z]+(?:illi(?:on|ard)s?|fold)|(?:{'|'.join(TABLES.never_unit_stems)}).*"
)
ALPHABET = "A-Za-zÀ-ɏḀ-ỿЀ-ӿ"
LETTERS = rf"[{ALPHABET}µΩ]"
LONG_WORD = rf"{LETTERS}[{ALPHABET}]{{%d,}}(?:['’-]{LETTERS}+)*['’]?\.?"
POWER = r"(?:\^(?:\(-?[1-9]\)|-?[1-9](?!\d)))?"
SHORT_UNIT = rf"(?:{one_of(TABLES.short_units)})\.?(?:{POWER}|[23](?!\d))"
JOINING = rf"(?:{one_of(TABLES.joining)})(?= +[A-Za-z])"
FIRST_WORD = (
    rf"(?: {{1,4}}|-)(?:{LONG_WORD % 2}|{JOINING})|{LONG_WORD % 3}|(?: +|(?!m )){SHORT_UNIT}"
)
NEXT_WORD = rf" {{1,4}}(?:{LONG_WORD % 1}|{JOINING})"
UNIT = rf"(?:(?:{FIRST_WORD}){POWER}| */ *{LONG_WORD % 1}| */ *{SHORT_UNIT})"
UNITS = rf"{UNIT}(?: *[/·] *{SHORT_UNIT}| */ *{LONG_WORD % 1}|{NEXT_WORD}{POWER}){{0,8}}"
PERCENT = r" *(?:%|(?i:per ?cent|percentage points?|pct)\b|°(?: ?[CFK]\b)?)"
REMARK = re.compile(r"(?<!\^) *\(([^()]*)\)$")
HARMLESS_REMARK = re.compile(
    r"(?:approx(?:\.|imately)?|(?:when )?rounded(?: (?:up|down|off))?(?: to [^()]*)?"
    r"|to (?:the nearest|\w+ decimal|\w+ significant) [a-z ]+"
    r"|not -?[\d.,]+|cannot be (?:negative|fractional|zero|a fraction))",
    FLAGS,
)
EQUIVALENT = re.compile(r"(?:or|i\.e\.,?|that is,?|=)\s+", FLAGS)


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
        value = _quantity(result)
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


@dataclass(slots=True)
class _Cursor:
    """A place in a text, which moves over what is read."""

    text: str
    position: int = 0

    def accept(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.position)
        if match:
            self.position = match.end()
        return match


def _quantity(text: str) -> Fraction:
    """Return the value of a number with all that may stand around it. Raises NotANumber."""
    if bracketed := BRACKETS.fullmatch(text):
        return _in_brackets(bracketed[1], bracketed[2])
    cursor = _Cursor(text)
    cursor.accept(APPROXIMATION)
    sign = cursor.accept(SIGN)
    currency = cursor.accept(CURRENCY)
    sign = sign or cursor.accept(SIGN)
    if cursor.accept(SIGN) or GROUPED_OR_NOT.search(text):
        raise NotANumber
    value = _magnified(cursor, _number(cursor), is_money=currency is not None)
    value = -value if sign and sign[1] else value
    remark = REMARK.search(text, cursor.position)
    rest = text[: remark.start()] if remark else text
    is_lakh = currency and LONE_LETTER.match(text, cursor.position)  # `₹5L`
    if is_lakh or not _leaves_value(rest, cursor.position):
        raise NotANumber
    if remark and not _is_harmless(remark[1].strip(), value):
        raise NotANumber
    return value


def _in_brackets(currency: str, inside: str) -> Fraction:
    """Return the loss that accountants write as `($5)`; a bare `(7)` says too little."""
    if SIGN.match(inside):
        return _quantity(currency + inside)
    if not CURRENCY.search(currency + inside):
        raise NotANumber
    return -_quantity(currency + inside)


def _number(cursor: _Cursor) -> Fraction:
    if words := cursor.accept(WORDS):
        value = Fraction(value_of_words(words[0].lower()))
    else:
        value, length = number_at_start(cursor.text[cursor.position :])
        cursor.position += length
    return value + Fraction(cursor.accept(AND_A_HALF) is not None, 2)


def _magnified(cursor: _Cursor, value: Fraction, *, is_money: bool) -> Fraction:
    """Return the value times the magnitudes behind it."""
    for _ in range(2):  # `3 hundred thousand`
        if magnitude := cursor.accept(MAGNITUDE):
            word = magnitude[1].lower()
            factor = TABLES.magnitudes[word]
            if factor < 1 and not word.endswith("s") and value != 1:  # `twenty-fifth`
                raise NotANumber
            value *= factor
    if cursor.accept(THOUSANDS):
        return value * 1000
    if letters := cursor.accept(MONEY_MAGNITUDE if is_money else MAGNITUDE_OF_MONEY):
        return value * TABLES.money_magnitudes[letters[1]]
    return value


def _is_harmless(remark: str, value: Fraction) -> bool:
    """Return whether a remark in brackets leaves the value as it is."""
    if HARMLESS_REMARK.fullmatch(remark):
        return True
    try:
        return _quantity(EQUIVALENT.sub("", remark, count=1)) == value
    except NotANumber:
        return _leaves_value(f" {remark}")


def _leaves_value(text: str, position: int = 0) -> bool:
    """Return whether what follows a number is a unit, which leaves its value as it is."""
    words = re.findall(f"{LETTERS}+", text[position:].lower())
    if not NO_UNIT.isdisjoint(words) or any(map(GREAT_NUMBER.fullmatch, words)):
        return False
    if words and (words[0] in TABLES.dates or words[-1] in UNFINISHED):
        return False
    return _rest().fullmatch(text, position) is not None


@cache
def _rest() -> re.Pattern[str]:
    """Return the pattern of all that may follow a number, compiled when a number first needs it."""
    return re.compile(
        rf"(?:{PERCENT})?(?: *(?i:{CURRENCY.pattern})(?![^\s/]))?"
        rf"(?:{UNITS}| ?(?:{one_of(TABLES.counters)})"
        rf"(?:(?![{TABLES.never_unit_characters}])[\u4e00-\u9fff]){{0,6}})? *"
    )
