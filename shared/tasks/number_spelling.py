"""One spelling for the signs of a number: digits of any script, minus signs, fractions, LaTeX."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

SIGNS = {
    **dict.fromkeys("−‐‑‒–﹣－", "-"),
    **dict.fromkeys("’‘ʼ", "'"),
    **dict.fromkeys("⁄∕", "/"),
    **dict.fromkeys("∗＊", "*"),
    **dict.fromkeys("⋅∙", "·"),
    "٫": ".",
    "٬": ",",
    "٪": "%",
    "μ": "µ",
    "˚": "°",
    "✕": "×",
    "✖": "×",
}
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
SMALL_FRACTION = re.compile("([⁰¹²³⁴-⁹]{1,9})[⁄∕/]([₀-₉]{1,9})")
POWER = re.compile("[⁺⁻]?[⁰¹²³⁴-⁹]+")
INDEX = re.compile("[₀-₉]+")
OVERLINED = re.compile("((?:\\d\u0305)+)")

TEX_TEXT = re.compile(
    r"\\(?:text|mathrm|mathbf|mathit|mathsf|textbf|textit|textrm|mbox|operatorname|boxed|fbox)"
    r" ?\{([^{}]*)\}"
)
TEX = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:displaystyle|left|right|[bB]igg?[lr]?)(?![a-z])|\\!", ""),
        (r"\\[,;: >]", " "),
        (r"~|\\q?quad(?![a-z])", "  "),
        (r"\{,\}", ","),
        (r"\{\.\}", "."),
        (r"\\%", "%"),
        (r"\\[()\[\]]", "  "),
        (r" ?\^ ?(?:\\circ|\{ ?\\circ ?\})(?![a-z])|\\degree(?![a-z])", "°"),
        (r"\\(?:times|ast)(?![a-z])", "×"),
        (r"\\cdot(?![a-z])", "·"),
        (r"\\div(?![a-z])", "÷"),
        (r"\\(?:approx|simeq)(?![a-z])", "≈"),
        (r"\\[dtc]frac(?![a-z])", r"\\frac"),
        (r"\\[lr]?vert(?![a-z])", "|"),
        (r"\\(?:dots|ldots|cdots)(?![a-z])", "…"),
        (r"\\(?:Rightarrow|implies|to|rightarrow)(?![a-z])", "→"),
    )
]
TEX_DOLLAR = re.compile(r"(?<!\\)\$")
MAX_NESTED_TEXTS = 3


def plainly_spelled(text: str) -> str:
    """Return the text with one spelling for each sign, and LaTeX reduced to what it shows."""
    if not text.isascii():
        text = SMALL_FRACTION.sub(_fraction, text)
        text = POWER.sub(lambda match: f"^{{{match[0].translate(SUPERSCRIPTS)}}}", text)
        text = INDEX.sub(lambda match: f"_{{{match[0].translate(SUBSCRIPTS)}}}", text)
        text = OVERLINED.sub(_overlined, text)
        text = "".join(map(_plain_character, text))
    if TEX_DOLLAR.search(text) and len(TEX_DOLLAR.findall(text)) % 2 == 0:
        text = TEX_DOLLAR.sub("  ", text)  # two spaces: digits on both sides stay apart
    text = text.replace(r"\$", "$")
    if "\\" in text or "{" in text:
        text = _without_tex(text)
    return text.strip()


def _without_tex(text: str) -> str:
    for pattern, replacement in TEX:
        text = pattern.sub(replacement, text)
    for _ in range(MAX_NESTED_TEXTS):
        text = TEX_TEXT.sub(r" \1", text)
    return text


@lru_cache(maxsize=2048)
def _plain_character(character: str) -> str:
    if character in SIGNS:
        return SIGNS[character]
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Zs":
        return " "
    if category == "Cf" and not "\u2061" <= character <= "\u2064":  # invisible operators
        return ""
    decomposition = unicodedata.decomposition(character)
    if decomposition.startswith("<fraction>"):
        top, _, bottom = unicodedata.normalize("NFKC", character).partition("⁄")
        return f"\\frac{{{top}}}{{{bottom}}}"
    if decomposition.startswith(("<wide>", "<small>", "<square>")):
        return unicodedata.normalize("NFKC", character)
    return character


def _fraction(match: re.Match[str]) -> str:
    return f"\\frac{{{match[1].translate(SUPERSCRIPTS)}}}{{{match[2].translate(SUBSCRIPTS)}}}"


def _overlined(match: re.Match[str]) -> str:
    digits = match[0].replace("\u0305", "")
    return f"\\overline{{{digits}}}"
