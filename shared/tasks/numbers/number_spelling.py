"""One spelling for the signs of a number: digits of any script, minus signs, fractions, LaTeX."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from shared.tasks.numbers.number_tables import TABLES

SMALL_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉", "0123456789+-0123456789")
SMALL = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        ("([⁰¹²³⁴-⁹]{1,9})[⁄∕/]([₀-₉]{1,9})", r"\\frac{\1}{\2}"),
        ("(?<![{⁰¹²³⁴-⁹])([⁺⁻]?[⁰¹²³⁴-⁹]+)", r"^{\1}"),
        ("(?<![{₀-₉])([₀-₉]+)", r"_{\1}"),
        ("(\\d)\u0305", r"\\bar{\1}"),
    )
]
CHARACTERS = {variant: sign for sign, variants in TABLES.characters.items() for variant in variants}
INVISIBLE_OPERATORS = "\u2061\u2062\u2063\u2064"
TEX_DOLLAR = re.compile(r"(?<!\\)\$")
TEX_TEXT = re.compile(
    r"\\(?:text|math)(?:rm|bf|it|sf|tt)?(?![a-z]) ?\{([^{}]*)\}"
    r"|\\(?:mbox|operatorname|boxed|fbox) ?\{([^{}]*)\}"
)
MAX_NESTED_TEXTS = 3


def plainly_spelled(text: str) -> str:
    """Return the text with one spelling for each sign, and LaTeX reduced to what it shows."""
    if not text.isascii():
        for pattern, replacement in SMALL:
            text = pattern.sub(replacement, text)
        text = "".join(map(_plain_character, text.translate(SMALL_DIGITS)))
    dollars = [dollar.end() for dollar in TEX_DOLLAR.finditer(text)]
    # As in Pandoc, no formula ends before a digit: two prices do.
    has_prices = any(text[end : end + 1].isdigit() for end in dollars[1::2])
    if len(dollars) % 2 == 0 and not has_prices:
        text = TEX_DOLLAR.sub("  ", text)  # two spaces: digits on both sides stay apart
    text = text.replace(r"\$", "$")
    if "\\" in text or "{" in text:
        for pattern, replacement in TABLES.tex_spellings:
            text = pattern.sub(replacement, text)
        for _ in range(MAX_NESTED_TEXTS):
            text = TEX_TEXT.sub(r" \1\2", text)
    text = text.strip()
    for pattern, replacement in TABLES.spellings:
        text = pattern.sub(replacement, text)
    return text


@lru_cache(maxsize=2048)
def _plain_character(character: str) -> str:
    category = unicodedata.category(character)
    if character in CHARACTERS:
        return CHARACTERS[character]
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Zs":
        return " "
    if category == "Cf" and character not in INVISIBLE_OPERATORS:
        return ""
    compatible = unicodedata.normalize("NFKC", character)
    kind = unicodedata.decomposition(character).partition(" ")[0]
    if kind == "<fraction>":
        top, _, bottom = compatible.partition("⁄")
        return f"\\frac{{{top}}}{{{bottom}}}"
    return compatible if kind in ("<wide>", "<small>", "<square>") else character
