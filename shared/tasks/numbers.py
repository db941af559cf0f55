"""Numbers in prose, each in one canonical form: equal numbers have equal texts.

`1,234.0` is `1234`, `5/10` is `0.5`, `2/6` is `1/3`, `-0` is `0`; a percentage is its number (`50%` is `50`), a unit is
dropped. What could be two numbers is none: `1.234,50`, `12:30`, `1/2/3`, `5-3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

MAX_DIGITS = 40  # more is no answer to a word problem
MINUS_SIGNS = "−‐‑–﹣－"
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
SAME = str.maketrans(
    {
        **dict.fromkeys(MINUS_SIGNS, "-"),
        **dict.fromkeys("⁄∕", "/"),
        **dict.fromkeys("\u00a0\u2009\u202f", " "),
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
        "½": " 1/2",
        "¼": " 1/4",
        "¾": " 3/4",
        "⅓": " 1/3",
        "⅔": " 2/3",
    }
)
FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]{1,60})\}\s?\{([^{}]{1,60})\}")
TEX_SYMBOLS = (
    (r"{,}", ","),
    (r"\,", ""),
    (r"\!", ""),
    (r"\;", " "),
    (r"\$", "$"),
    (r"\%", "%"),
    (r"\times", "×"),
)
UNIT_POWER = re.compile(r"(?<=[A-Za-z])\^\{?-?\d{1,2}\}?")
POWER_OF_TEN = re.compile("(?<=10)[⁺⁻]?[⁰¹²³⁴-⁹]{1,3}")

DIGITS = r"[0-9][0-9.,]*"
NUMBER = re.compile(
    rf"(?P<sign>[-+] ?)?(?P<currency>[$€£¥₹] ?)?(?P<inner>[-+])?"
    rf"(?:(?P<whole>[0-9]{{1,15}}) {{1,2}}(?=[0-9]{{1,6}} ?/))?(?P<top>{DIGITS}|\.[0-9]+)"
    rf"(?:[eE](?P<power>[-+]?[0-9]+)| ?[×x*·] ?10 ?(?:\^|\*\*)[{{(]?(?P<tens>[-+]?[0-9]+)[)}}]?)?"
    rf"(?: ?/ ?(?P<bottom>-?{DIGITS}))?(?P<percent> ?%)?"
    rf"(?: (?P<scale>hundred|thousand|million|billion|trillion|dozen)\b)?",
    re.IGNORECASE,
)
WELL_FORMED = re.compile(
    r"-?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
)
SCALES = {
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}
ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
MORE_FACTORS = re.compile(r"[kK]\b|\s?(?:π|√|\\?pi\b|\\?sqrt)|[/:][0-9]")  # the number goes on


def normalised(text: str) -> str:
    """One spelling of minus signs, fractions, powers and spaces; LaTeX reduced to what it shows."""
    text = POWER_OF_TEN.sub(lambda power: f"^{power[0].translate(SUPERSCRIPTS)}", text).translate(
        SAME
    )
    if "\\" in text or "{" in text:
        text = FRACTION.sub(_fraction, text)
        for symbol, shown in TEX_SYMBOLS:
            text = text.replace(symbol, shown)
        text = re.sub(r"\\[()\[\]]", " ", text)
    return UNIT_POWER.sub("", text)


def numbers_in(text: str) -> Iterator[str | None]:
    """The numbers of a normalised text in their canonical form, None for one that cannot be told for sure."""
    for match in NUMBER.finditer(text):
        before, after = (
            text[max(0, match.start() - 3) : match.start()],
            text[match.end() : match.end() + 6],
        )
        if _is_part_of_word(before, match) or ORDINAL.match(after):
            continue
        unsure = _goes_back(before, match) or MORE_FACTORS.match(after)
        yield None if unsure else _value(match)


def canonical(value: Fraction) -> str:
    """`7`, `-0.25`, or `1/3` where no decimal is exact."""
    if value.denominator == 1:
        return str(value.numerator)
    for places in range(1, MAX_DIGITS + 1):
        if 10**places % value.denominator == 0:
            digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
            return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    return f"{value.numerator}/{value.denominator}"


def _fraction(match: re.Match[str]) -> str:
    after_digit = match.string[match.start() - 1 : match.start()].isdigit()  # a mixed number
    return f"{' ' if after_digit else ''}{match[1].strip()}/{match[2].strip()}"


def _is_part_of_word(before: str, match: re.Match[str]) -> bool:
    """`H2O`, `covid-19`, `No.5`; but `US$5` is an amount."""
    return (before[-1:].isalpha() or before[-1:] == "_") and not match["currency"]


def _goes_back(before: str, match: re.Match[str]) -> bool:
    """Whether the number belongs to what stands before it: a range, a time, a power, a difference."""
    if (before[-1:] and before[-1] in "^/.,√") or (before[-2:-1].isdigit() and before[-1] in ":%"):
        return True
    sign = match["sign"]
    if not sign:
        return before[-1:].isdigit()
    return (
        before.rstrip()[-1:].isdigit()
        or before.rstrip()[-1:] == ")"
        or (sign[-1] == " " and before[-2:-1].isalpha())
    )


def _value(match: re.Match[str]) -> str | None:
    if match["sign"] and match["inner"]:
        return None
    top, bottom = _plain(match["top"]), _plain(match["bottom"] or "1")
    power = match["power"] or match["tens"] or "0"
    if top is None or not bottom or len(power) > 3 or abs(int(power)) > MAX_DIGITS:
        return None
    value = top * Fraction(10) ** int(power) / bottom + Fraction(match["whole"] or 0)
    value *= SCALES.get((match["scale"] or "").lower(), 1)
    return canonical(-value if "-" in (match["sign"] or match["inner"] or "") else value)


def _plain(digits: str) -> Fraction | None:
    """`1,234.50` as a number; None where comma and point could mean two things, or there are too many digits."""
    body = digits.rstrip(".,")  # of the sentence
    if len(body) > MAX_DIGITS or len(digits) - len(body) > 2 or not WELL_FORMED.fullmatch(body):
        return None
    return Fraction(body.replace(",", ""))
