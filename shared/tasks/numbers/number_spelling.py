"""One spelling for the signs of a number: minus signs, small digits, fractions, LaTeX."""

from __future__ import annotations

import re
import unicodedata

from shared.tasks.numbers.number_tables import TABLES

SMALL_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉", "0123456789+-0123456789")
CHARACTERS = {
    **{ord(sign): plain for plain, signs in TABLES.characters.items() for sign in signs},
    **{wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)},
    **SMALL_DIGITS,
}
for _fraction in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞":
    _top, _, _bottom = unicodedata.normalize("NFKC", _fraction).partition("⁄")
    CHARACTERS[ord(_fraction)] = f"\\frac{{{_top}}}{{{_bottom}}}"
TEX_DOLLAR = re.compile(r"(?<!\\)\$")
MAX_NESTING = 5  # of LaTeX commands


def plainly_spelled(text: str) -> str:
    """Return the text with one spelling for each sign, and LaTeX reduced to what it shows."""
    if not text.isascii():
        text = _replaced(text, TABLES.small_spellings).translate(CHARACTERS)
    dollars = [dollar.end() for dollar in TEX_DOLLAR.finditer(text)]
    # As in Pandoc, no formula ends before a digit: two prices do.
    has_prices = any(text[end : end + 1].isdigit() for end in dollars[1::2])
    if len(dollars) % 2 == 0 and not has_prices:
        text = TEX_DOLLAR.sub("  ", text)  # two spaces: digits on both sides stay apart
    text = text.replace(r"\$", "$")
    if "\\" in text or "{" in text:
        text = _replaced(text, TABLES.tex_spellings)
        for _ in range(MAX_NESTING):
            before = text
            text = _replaced(text, TABLES.nested_spellings)
            if text == before:
                break
    return _replaced(text.strip(), TABLES.spellings)


def _replaced(text: str, spellings: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in spellings:
        text = pattern.sub(replacement, text)
    return text
