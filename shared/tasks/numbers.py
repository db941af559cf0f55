"""Reads a text that is one number, and nothing else, in canonical form: equal numbers, equal texts.

`1,234.0` is `1234`, `5/10` is `0.5`, `2/6` is `1/3`, `-0` is `0`. A text is read as a whole or not
at all: no number is searched for, and what the grammar doesn't know makes the text unreadable.

    text       [arrow] {name or calculation "="} quantity [remark] [footnote] [full stop]
    quantity   [about] [sign] [currency] expression or number words {magnitude} [%] [unit]
    quantity   "(" money ")"                       accountants write losses so
    unit       one to four words that are no number, magnitude, operator or conjunction
    remark     "(" the same value, a unit, "rounded to …" or "not …" ")"

A percentage is its number (`50%` is `50`), as are cents (`75¢` is `75`). `3,500` is 3500, `3,5` is
3.5, `1.234` is 1.234; `1.234 €` could be two numbers and is none, like `(7)`, `5!`, `- 7` (a list
item?), a ratio, a range, a date, and a sum without its result. A calculation before an equals
sign must give what stands behind it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from shared.tasks.expressions import MAX_DIGITS, Expression, NotANumber, evaluated
from shared.tasks.number_spelling import plainly_spelled
from shared.tasks.number_tables import TABLES, one_of, value_of_words

MAX_CHARACTERS = 200  # of one number with its unit, and of a calculation before it
PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
ROUNDED_DIGITS = 3  # of a rounded value that agrees with the exact one
NEARLY = Fraction(1, 100)

LIST_ITEM = re.compile(r"[-−–—‐‑][ \t\u00a0]")
ARROW = re.compile(r"(?:→|➜|➔|⇒|=>|->|[=•*])\s*")
QUOTED = re.compile(r"[\"'“‘«`](.+)[\"'”’»`]")
FOOTNOTE = re.compile(r"\s*(?:\[\d{1,2}\]|(?<!\*)\*|[†‡])$")
FULL_STOP = re.compile(r"(?<!\.)[.。]$|(?<=[^\W\d_])!$")
EQUALS = re.compile(r"\s*([=≈]|\bor\b)\s*")
UNITS_OF_TERM = re.compile(r"(?<=[\d )])(?<!\\)(?!sqrt|log)[A-Za-z]{2,20}(?: |$)")
NAME = re.compile(
    r"\\?[A-Za-z]{1,16}(?:_\{?\w{1,3}\}?)?(?:\([\w, ]{1,12}\))?|[^\W\d_]{2,20}(?: [^\W\d_]+){1,5}"
)

CURRENCY = re.compile(
    rf"(?<![A-Za-z])(?:{one_of([*TABLES.currencies.symbols, *TABLES.currencies.codes])}) ?",
    re.IGNORECASE,
)
WITH_COMMA = re.compile(one_of(TABLES.currencies.written_with_comma), re.IGNORECASE)
CURRENCY_BEHIND = re.compile(rf" *{CURRENCY.pattern}(?![^\s/])", re.IGNORECASE)
BRACKETS = re.compile(rf"((?:{CURRENCY.pattern})?)\(([^()]*)\)", re.IGNORECASE)
APPROXIMATION = re.compile(rf"(?:[≈~]|{one_of(TABLES.approximations)})\s*", re.IGNORECASE)
NEGATIVE = rf"-(?![-+])|{one_of(TABLES.signs.negative)}"
POSITIVE = rf"\+(?![-+])|{one_of(TABLES.signs.positive)}"
SIGN = re.compile(rf"(?:(?P<negative>{NEGATIVE})|{POSITIVE}) *", re.IGNORECASE)
WORD = re.compile(rf"(?:[ -]| and )?({one_of(TABLES.words)})", re.IGNORECASE)
A_HUNDRED = re.compile(
    r"an? (?=(?:hundred|thousand|[mbtr]+illion|dozen|half|[a-z]+th|third)\b)", re.IGNORECASE
)
HALF = re.compile(r"half(?: an?(?= (?:hundred|thousand|[mb]illion|dozen)))?(?! of|[A-Za-z])", re.I)
AND_A_HALF = re.compile(r" and (?:a|one)[ -]half(?![A-Za-z])", re.IGNORECASE)
MAGNITUDE = re.compile(rf"[ -]?({one_of(TABLES.magnitudes)})(?!-)\.?", re.IGNORECASE)
THOUSANDS = re.compile(r"(?<=\d)k(?![A-Za-z])")
MONEY_MAGNITUDE = re.compile(rf" ?({one_of(TABLES.money_magnitudes)})")
LONE_LETTER = re.compile(r" ?(?! a )[A-Za-z](?![A-Za-z])")
RAISED = re.compile(r" (squared|cubed)$", re.IGNORECASE)

PERCENT = re.compile(
    r" *(?:%|per ?cent(?![A-Za-z])|percentage points?|pct\b|°(?: ?[CFK]\b)?)", re.IGNORECASE
)
UNIT_WORD = re.compile(
    r"(?P<join> *[/·] *| {1,4}|-|)(?P<word>[A-Za-zÀ-ɏḀ-ỿµΩ]+(?:['’-][A-Za-z]+)*)\.?"
    r"(?:\^(?:\{-?[1-9]\}|-?[1-9](?!\d))|(?P<power>[23])(?!\d))?"
)
COUNTER = re.compile(rf" ?(?:{one_of(TABLES.units.counters)})")
MAX_UNIT_WORDS = 4
GREAT_NUMBER = re.compile(r"[a-z]+illi(?:on|ard)s?")  # gazillions, and all that no table lists
REMARK = re.compile(r"(.*?) ?\(([^()]*)\)")
GROUPED_OR_NOT = re.compile(r"[1-9]\d{0,2}\.\d{3}")
HARMLESS_REMARK = re.compile(
    r"(?:approx(?:\.|imately)?|(?:when )?rounded(?: (?:up|down|off))?(?: to [^()]*)?"
    r"|to (?:the nearest|\w+ decimal|\w+ significant) [a-z ]+"
    r"|not -?[\d.,]+|cannot be (?:negative|fractional|zero|a fraction))",
    re.IGNORECASE,
)
EQUIVALENT = re.compile(r"(?:or|i\.e\.,?|that is,?|=)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Quantity:
    value: Fraction
    is_money: bool = False
    is_signed: bool = False
    is_approximate: bool = False


def read_number(text: str) -> str | None:
    """Return the number that the text is, in canonical form; None if it isn't one for certain.

    Never raises, and takes a bounded time. Dress of other kinds (bold, quotes, code fences, a
    mark such as "Answer:") must be removed before.
    """
    text = text.strip()
    if PLAIN.fullmatch(text):
        return str(int(text)) if text.isdigit() else canonical(Fraction(text))
    if not 0 < len(text) <= MAX_CHARACTERS or LIST_ITEM.match(text):
        return None
    try:
        value = _equated(_undressed(plainly_spelled(text)))
    except NotANumber:
        return None
    return canonical(value) if _is_of_size(value) else None


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
    while quoted := QUOTED.fullmatch(FULL_STOP.sub("", text)):
        text = quoted[1].strip()
    text = ARROW.sub("", text, count=1) if ARROW.match(text) else text
    while text and (text[-1] == "\ufe0f" or _is_emoji(text[-1])):
        text = text[:-1].rstrip()
    return FOOTNOTE.sub("", FULL_STOP.sub("", text)).strip()


def _is_emoji(character: str) -> bool:
    return unicodedata.category(character) == "So" and character != "°"


def _equated(text: str) -> Fraction:
    """Return the value behind the last equals sign, which all in front of it must have or name."""
    *terms, result = EQUALS.split(text)
    value = _quantity(result).value
    signs = terms[1::2]
    for position, (term, sign) in enumerate(zip(terms[::2], signs, strict=True)):
        if position == 0 and not term and sign == "≈":
            continue
        if not _is_worth(term, value, sign):
            raise NotANumber
    return value


def _is_worth(term: str, value: Fraction, sign: str) -> bool:
    """Return whether a term is a calculation with this value, or only a name."""
    words = set(re.findall(r"[^\W\d_]+", term.lower()))
    if words & TABLES.sentences.excluded:
        return False
    try:
        exact = evaluated(UNITS_OF_TERM.sub(" ", CURRENCY.sub("", term)))
    except NotANumber:
        return sign != "or" and NAME.fullmatch(term) is not None
    if not _is_of_size(exact):
        return False
    tolerance = NEARLY if sign == "≈" else None
    return same_number(canonical(exact), canonical(value), tolerance)


def _quantity(text: str) -> _Quantity:
    """Read a number with all that may stand around it. Raises NotANumber."""
    bracketed = BRACKETS.fullmatch(text)
    if bracketed:
        return _bracketed(_quantity(f"{bracketed[1]}{bracketed[2]}"))
    expression = Expression(text)
    is_approximate = expression.accept(APPROXIMATION) is not None
    sign = expression.accept(SIGN)
    currency = expression.accept(CURRENCY)
    if currency and not sign:
        sign = expression.accept(SIGN)
    if sign and expression.accept(SIGN):
        raise NotANumber
    value = _number(expression)
    if expression.accept(AND_A_HALF):
        value += Fraction(1, 2)
    value = _magnified(expression, value, is_money=currency is not None)
    rest = text[expression.position :]
    is_money = currency is not None or CURRENCY.search(rest) is not None
    if is_money and _could_be_grouped(text, expression):
        raise NotANumber
    if sign and sign["negative"]:
        value = -value
    if currency and LONE_LETTER.match(rest):  # `₹5L` is five lakh
        raise NotANumber
    _check_rest(rest, value, is_attached=text[expression.position - 1].isdigit())
    return _Quantity(value, is_money, sign is not None, is_approximate)


def _bracketed(inside: _Quantity) -> _Quantity:
    """Return the loss that accountants write as `($5)`; a bare `(7)` says too little."""
    if inside.is_signed:
        return inside
    if not inside.is_money:
        raise NotANumber
    return _Quantity(-inside.value, is_money=True, is_signed=True)


def _number(expression: Expression) -> Fraction:
    words: list[str] = []
    if expression.accept(A_HUNDRED):
        words.append("one")
    while word := expression.accept(WORD):
        if word[0].startswith(" and ") and TABLES.words[words[-1]] < 100:
            raise NotANumber
        words.append(word[1].lower())
    if words:
        value = value_of_words(words)
        if value is None:
            raise NotANumber
        return Fraction(value)
    if expression.accept(HALF):
        return Fraction(1, 2)
    value = expression.sum()
    if expression.is_calculation or expression.text[: expression.position].endswith("!"):
        raise NotANumber
    return value


def _magnified(expression: Expression, value: Fraction, *, is_money: bool) -> Fraction:
    """Return the value times the magnitudes behind it."""
    for _ in range(2):  # `3 hundred thousand`
        if magnitude := expression.accept(MAGNITUDE):
            word = magnitude[1].lower()
            factor = TABLES.magnitudes[word]
            if factor < 1 and not word.endswith("s") and value != 1:  # `twenty-fifth`
                raise NotANumber
            value *= factor
    if expression.accept(THOUSANDS):
        return value * 1000
    letters = MONEY_MAGNITUDE.match(expression.text, expression.position)
    if letters and (is_money or CURRENCY_BEHIND.match(expression.text, letters.end())):
        expression.position = letters.end()
        return value * TABLES.money_magnitudes[letters[1]]
    if power := expression.accept(RAISED):
        return value ** (2 if power[1].lower() == "squared" else 3)
    return value


def _could_be_grouped(text: str, expression: Expression) -> bool:
    """Return whether `1.234` stands beside a currency that is written `1.234,00`."""
    return WITH_COMMA.search(text) is not None and any(
        GROUPED_OR_NOT.fullmatch(run) for run in expression.runs
    )


def _check_rest(rest: str, value: Fraction, *, is_attached: bool) -> None:
    """Raise NotANumber unless what follows the number leaves its value as it is."""
    if remark := REMARK.fullmatch(rest):
        _check_remark(remark[2].strip(), value)
        rest = remark[1]
    for pattern in (PERCENT, CURRENCY_BEHIND):
        if match := pattern.match(rest):
            rest = rest[match.end() :]
            is_attached = False
    if rest and not COUNTER.fullmatch(rest):
        _check_unit(rest, is_attached=is_attached)


def _check_remark(remark: str, value: Fraction) -> None:
    if HARMLESS_REMARK.fullmatch(remark):
        return
    try:
        repeated = _quantity(EQUIVALENT.sub("", remark, count=1))
    except NotANumber:
        _check_unit(f" {remark}", is_attached=False)
        return
    if repeated.value != value and not (
        repeated.is_approximate and abs(repeated.value - value) <= NEARLY * abs(value)
    ):
        raise NotANumber


def _check_unit(text: str, *, is_attached: bool) -> None:
    position = 0
    for count in range(MAX_UNIT_WORDS):
        word = UNIT_WORD.match(text, position)
        if not word or not _is_of_unit(word, is_first=count == 0, is_attached=is_attached):
            break
        position = word.end()
        is_attached = False
        if position == len(text):
            return
    raise NotANumber


def _is_of_unit(match: re.Match[str], *, is_first: bool, is_attached: bool) -> bool:
    word = match["word"]
    join = match["join"]
    parts = {word.lower(), *re.split("['’-]", word.lower())}
    if GREAT_NUMBER.fullmatch(word.lower()):
        return False
    if (
        parts & TABLES.units.never
        or parts & TABLES.magnitudes.keys()
        or parts & TABLES.words.keys()
    ):
        return False
    is_known = word in TABLES.units.short
    if match["power"] or (is_attached and not join and len(word) <= 3):
        return is_known and not (word == "m" and match.end() < len(match.string) and is_attached)
    if word in TABLES.units.joining:
        return bool(join) and match.end() < len(match.string)
    if len(word) == 1 or (is_first and len(word) == 2):
        return is_known and (is_first or join.strip() != "")
    return is_first or bool(join)
