"""Reads a number with its sign, currency, magnitude, unit and remark, by one pattern.

quantity   [about] [sign] [currency] expression or number words {magnitude} [rest] [remark]
quantity   "(" money ")"       as accountants write losses
rest       [percent] [currency] [unit]
unit       one to nine words that are no number, magnitude, operator or conjunction
remark     "(" the same value, a unit, "rounded to …" or "not …" ")"
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache

from shared.tasks.numbers.expressions import NUMBER, NotANumber, number_value
from shared.tasks.numbers.number_tables import TABLES, one_of, value_of_words

FLAGS = re.IGNORECASE
CURRENCY = re.compile(rf"(?<![A-Za-z])(?:{one_of(TABLES.currencies)}) ?", FLAGS)
BRACKETS = re.compile(rf"((?:{CURRENCY.pattern})?)\(([^()]*)\)", FLAGS)
WITH_COMMA = one_of(TABLES.written_with_comma)
MINUS = rf"-(?![-+])|{one_of(TABLES.negative)}"
SIGN = rf"(?:{MINUS}|\+(?![-+])|{one_of(TABLES.positive)}) *"
GROUPED_OR_NOT = re.compile(
    rf"(?:{WITH_COMMA}) ?(?:{SIGN})?[1-9]\d{{0,2}}\.\d{{3}}(?![\d,]|\.\d)"
    rf"|(?<![\d.,])[1-9]\d{{0,2}}\.\d{{3}} ?(?:{WITH_COMMA})",
    FLAGS,
)
NEGATIVE = re.compile(MINUS, FLAGS)
WORD = rf"(?:{one_of(TABLES.words)})"
WORDS = rf"{WORD}(?:(?:[ -]| and ){WORD})*"
MAGNITUDE = rf"(?: {{1,4}}|-)?({one_of(TABLES.magnitudes)})(?!-)\.?"
MONEY_MAGNITUDE = rf"(?:{one_of(TABLES.money_magnitudes)})"

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
COUNTED = (
    rf" ?(?:{one_of(TABLES.counters)})"
    rf"(?:(?![{TABLES.never_unit_characters}])[\u4e00-\u9fff]){{0,6}}"
)
PERCENT = r" *(?:%|(?i:per ?cent|percentage points?|pct)\b|°(?: ?[CFK]\b)?)"
REST = rf"(?:{PERCENT})?(?: *(?i:{CURRENCY.pattern})(?![^\s/]))?(?:{UNITS}|{COUNTED})? *"
HARMLESS_REMARK = re.compile(
    r"(?:approx(?:\.|imately)?|(?:when )?rounded(?: (?:up|down|off))?(?: to [^()]*)?"
    r"|to (?:the nearest|\w+ decimal|\w+ significant) [a-z ]+"
    r"|not -?[\d.,]+|cannot be (?:negative|fractional|zero|a fraction))",
    FLAGS,
)
EQUIVALENT = re.compile(r"(?:or|i\.e\.,?|that is,?|=)\s+", FLAGS)


@cache
def _pattern() -> re.Pattern[str]:
    """Return the pattern of a quantity, compiled when a number first needs it."""
    money = rf"(?i:{CURRENCY.pattern})"
    lone_letter = r"(?! a ) ?[A-Za-z](?![A-Za-z])"  # `₹5L`
    return re.compile(
        rf"(?i:(?:[≈~]|{one_of(TABLES.approximations)})\s*)?"
        rf"(?P<sign>(?i:{SIGN}))?(?P<currency>{money})?(?P<inner_sign>(?i:{SIGN}))?"
        rf"(?:(?P<words>(?i:{WORDS}))|(?P<number>{NUMBER}))"
        r"(?P<half>(?i: and (?:a|one)[ -]half)(?![A-Za-z]))?"
        rf"(?P<magnitudes>(?i:{MAGNITUDE}){{0,2}})"  # `3 hundred thousand`
        rf"(?: ?(?P<letters>(?<=\d)k(?![A-Za-z])|(?(currency){MONEY_MAGNITUDE}|(?!))"
        rf"|{MONEY_MAGNITUDE}(?= +(?:{money}|(?i:dollar|euro)s))))?"
        rf"(?(currency)(?!{lone_letter}))"
        rf"(?P<rest>{REST})(?:(?<!\^) *\((?P<remark>[^()]*)\))?"
    )


def quantity(text: str) -> Fraction:
    """Return the value of a number with all that may stand around it. Raises NotANumber."""
    if bracketed := BRACKETS.fullmatch(text):
        return _in_brackets(bracketed[1], bracketed[2])
    parts = _pattern().fullmatch(text)
    if not parts or GROUPED_OR_NOT.search(text) or not _is_unit(parts["rest"]):
        raise NotANumber
    if parts["sign"] and parts["inner_sign"]:
        raise NotANumber
    words = parts["words"]
    value = Fraction(value_of_words(words.lower())) if words else number_value(parts["number"])
    value = _magnified(value + Fraction(parts["half"] is not None, 2), parts)
    if NEGATIVE.match(parts["sign"] or parts["inner_sign"] or ""):
        value = -value
    if parts["remark"] is not None and not _is_harmless(parts["remark"].strip(), value):
        raise NotANumber
    return value


def _in_brackets(currency: str, inside: str) -> Fraction:
    """Return the loss that accountants write as `($5)`; a bare `(7)` says too little."""
    if re.match(SIGN, inside, FLAGS):
        return quantity(currency + inside)
    if not CURRENCY.search(currency + inside):
        raise NotANumber
    return -quantity(currency + inside)


def _magnified(value: Fraction, parts: re.Match[str]) -> Fraction:
    """Return the value times the magnitudes behind it."""
    for word in re.findall(MAGNITUDE, parts["magnitudes"].lower()):
        factor = TABLES.magnitudes[word]
        if factor < 1 and not word.endswith("s") and value != 1:  # `twenty-fifth`
            raise NotANumber
        value *= factor
    return value * TABLES.money_magnitudes[parts["letters"]] if parts["letters"] else value


def _is_harmless(remark: str, value: Fraction) -> bool:
    """Return whether a remark in brackets leaves the value as it is."""
    if HARMLESS_REMARK.fullmatch(remark):
        return True
    try:
        return quantity(EQUIVALENT.sub("", remark, count=1)) == value
    except NotANumber:
        rest = f" {remark}"
        return re.fullmatch(REST, rest) is not None and _is_unit(rest)


def _is_unit(rest: str) -> bool:
    """Return whether no word behind a number changes its value or makes a date of it."""
    words = re.findall(f"{LETTERS}+", rest.lower())
    if not NO_UNIT.isdisjoint(words) or any(map(GREAT_NUMBER.fullmatch, words)):
        return False
    return not words or (words[0] not in TABLES.dates and words[-1] not in UNFINISHED)
