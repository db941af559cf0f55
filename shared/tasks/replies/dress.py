"""Removes what models put around a short answer: markup, quotation marks, brackets, a full stop.

Every pattern takes time linear in the text. Free text isn't undressed here: its markup is content.
"""

from __future__ import annotations

import re

FENCE_LINE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*(?:[\w+-]+[ \t]*)?$", re.MULTILINE)
TAG = re.compile(r"</?[A-Za-z][\w-]{0,30}>")
TEX_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s?\{([^{}]{0,200})\}")
STRUCK_OUT = re.compile(r"~~[^~\n]{1,200}~~")
# A star between digits or spaces multiplies.
EMPHASIS = re.compile(r"`+|__+|(?<!\d)\*+(?=[^\s*])|(?<=[^\s*])\*+(?!\d)")
# Four hashes mark an answer in GSM8K, so they stay.
# Before a number, ">" is a bound.
QUOTE_OR_HEADING = re.compile(
    r"^[ \t]*(?:>+(?![ \t]*[\d$€£.-])[ \t]*|(?:#{1,3}|#{5,})[ \t]+)", re.MULTILINE
)
BULLET = re.compile(
    r"^[ \t]*(?:[•·→⇒➜]+|[-=]+>|\*)[ \t]*|^[ \t]*[-–—+][ \t]+(?=[^\s\d.,$€£])", re.MULTILINE
)

PAIRS = {
    '"': '"',
    "'": "'",
    "“": "”",
    "„": "“",
    "‘": "’",
    "«": "»",
    "「": "」",
    "『": "』",
    "[": "]",
    "{": "}",
    "<": ">",
}
MATHEMATICS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
COPULAS = ("입니다", "です")  # behind a value
STOPS = ".。．,;；:"  # an exclamation mark may be a factorial
MAX_LAYERS = 6  # of dress around one value


def undressed(text: str) -> str:
    """Return a short answer's text without markup: markdown, XML, LaTeX. Lines stay lines."""
    if text.isalnum():
        return text
    text = STRUCK_OUT.sub("", TEX_TEXT.sub(r" \1", text))
    text = TAG.sub("\n", FENCE_LINE.sub("", text))
    text = QUOTE_OR_HEADING.sub("", EMPHASIS.sub(" ", text))
    return BULLET.sub("", text).strip()


def bare(line: str) -> str:
    """Return a value without the quotation marks, square brackets and stops around it."""
    value = line.strip()
    for _ in range(MAX_LAYERS):
        inner = _without_layer(value)
        if inner == value:
            break
        value = inner
    return value


def _without_layer(value: str) -> str:
    for opening, closing in MATHEMATICS:
        is_wrapped = value.startswith(opening) and value.endswith(closing)
        inner = value[len(opening) : -len(closing)]
        if is_wrapped and len(value) > len(opening) + len(closing) and opening not in inner:
            return inner.strip()
    inner = value[1:-1].strip()
    if inner and PAIRS.get(value[0]) == value[-1]:
        is_nested = inner[0] == value[0] and inner[-1] == value[-1]
        if is_nested or value[0] not in inner:
            return inner
    for copula in COPULAS:
        value = value.removesuffix(copula)
    is_cut_off = "..." in value[-5:]
    return value if is_cut_off else value.rstrip(STOPS).rstrip() or value
