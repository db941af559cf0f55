"""Numbers in prose, each in one canonical form: equal numbers have equal texts.

`1,234.0` is `1234`, `5/10` is `0.5`, `2/6` is `1/3`, `-0` is `0`. A percentage is its number (`50%`
is `50`), and a unit is dropped. What could be two numbers is none: `1.234,50`, `12:30`, `1/2/3`,
`5-3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

MAX_DIGITS = 40  # longer numbers answer no word problem
MINUS_SIGNS = "−‐‑–﹣－"
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
SPELLINGS = str.maketrans(
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
TEX_SYMBOLS = {
    r"{,}": ",",
    r"\,": "",
    r"\!": "",
    r"\;": " ",
    r"\$": "$",
    r"\%": "%",
    r"\times": "×",
}
TEX_DELIMITER = re.compile(r"\\[()\[\]]")
UNIT_POWER = re.compile(r"(?<=[A-Za-z])\^\{?-?\d{1,2}\}?")
POWER_OF_TEN = re.compile("(?<=10)[⁺⁻]?[⁰¹²³⁴-⁹]{1,3}")

DIGITS = r"[0-9][0-9.,]*"
NUMBER = re.compile(
    rf"(?P<sign>[-+] ?)?(?P<currency>[$€£¥₹] ?)?(?P<inner_sign>[-+])?"
    rf"(?:(?P<whole>[0-9]{{1,15}}) {{1,2}}(?=[0-9]{{1,6}} ?/))?(?P<top>{DIGITS}|\.[0-9]+)"
    rf"(?:[eE](?P<exponent>[-+]?[0-9]+)"
    rf"| ?[×x*·] ?10 ?(?:\^|\*\*)[{{(]?(?P<power_of_ten>[-+]?[0-9]+)[)}}]?)?"
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
    """Return the text with one spelling of minus signs, fractions, powers and spaces.

    LaTeX is reduced to what it shows.
    """
    text = POWER_OF_TEN.sub(_plain_power, text).translate(SPELLINGS)
    if "\\" in text or "{" in text:
        text = FRACTION.sub(_plain_fraction, text)
        for symbol, shown in TEX_SYMBOLS.items():
            text = text.replace(symbol, shown)
        text = TEX_DELIMITER.sub(" ", text)
    return UNIT_POWER.sub("", text)


def numbers_in(text: str) -> Iterator[str | None]:
    """Yield the numbers of a normalised text in canonical form, None for an ambiguous one."""
    for match in NUMBER.finditer(text):
        before = text[max(0, match.start() - 3) : match.start()]
        after = text[match.end() : match.end() + 6]
        if _is_part_of_word(before, match) or ORDINAL.match(after):
            continue
        is_ambiguous = _continues(before, match) or MORE_FACTORS.match(after)
        yield None if is_ambiguous else _canonical_number(match)


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


def _plain_power(power: re.Match[str]) -> str:
    return f"^{power[0].translate(SUPERSCRIPTS)}"


def _plain_fraction(match: re.Match[str]) -> str:
    is_mixed_number = match.string[match.start() - 1 : match.start()].isdigit()
    space = " " if is_mixed_number else ""
    return f"{space}{match[1].strip()}/{match[2].strip()}"


def _is_part_of_word(before: str, match: re.Match[str]) -> bool:
    """Return whether the number belongs to a word: `H2O`, `covid-19`, `No.5`; but not `US$5`."""
    last = before[-1:]
    return (last.isalpha() or last == "_") and not match["currency"]


def _continues(before: str, match: re.Match[str]) -> bool:
    """Return whether the number continues a range, a time, a power or a difference."""
    last = before[-1:]
    if last and last in "^/.,√":
        return True
    if last and last in ":%" and before[-2:-1].isdigit():
        return True
    sign = match["sign"]
    if not sign:
        return last.isdigit()
    last_visible = before.rstrip()[-1:]
    sign_is_apart = sign[-1] == " " and before[-2:-1].isalpha()
    return last_visible.isdigit() or last_visible == ")" or sign_is_apart


def _canonical_number(match: re.Match[str]) -> str | None:
    if match["sign"] and match["inner_sign"]:
        return None
    top = _decimal(match["top"])
    bottom = _decimal(match["bottom"] or "1")
    exponent = match["exponent"] or match["power_of_ten"] or "0"
    if top is None or not bottom or len(exponent) > 3 or abs(int(exponent)) > MAX_DIGITS:
        return None
    value = top * Fraction(10) ** int(exponent) / bottom + Fraction(match["whole"] or 0)
    value *= SCALES.get((match["scale"] or "").lower(), 1)
    sign = match["sign"] or match["inner_sign"] or ""
    return canonical(-value if "-" in sign else value)


def _decimal(digits: str) -> Fraction | None:
    """Return the number that `1,234.50` stands for.

    None if comma and point could mean two things, or if there are too many digits.
    """
    body = digits.rstrip(".,")  # these belong to the sentence
    if len(body) > MAX_DIGITS or len(digits) - len(body) > 2 or not WELL_FORMED.fullmatch(body):
        return None
    return Fraction(body.replace(",", ""))
