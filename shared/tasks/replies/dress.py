"""Removes what models put around an answer: elements, markup, quotation marks, a full stop.

Every pattern takes time linear in the text. The markup in free text is content: only what stands
around all of it is removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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

QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»", "「": "」", "『": "』"}
PAIRS = {**QUOTES, "[": "]", "{": "}", "<": ">"}
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


def element(tags: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of a text that is one of these elements, cut off at one end or not.

    A closing tag alone must touch the text or follow a sentence: "It ends with </s>" names it.
    """
    names = "|".join(map(re.escape, tags))
    return re.compile(
        rf"<(?P<tag>{names})(?:\s[^<>]*)?>(?P<text>.*?)(?:</(?:{names})>)?"
        rf"|(?P<unopened>.*(?:\S|[.!?。！？]\s))</(?P<last>{names})>",
        re.IGNORECASE | re.DOTALL,
    )


def untagged(text: str, pattern: re.Pattern[str]) -> str:
    """Return what stands in an `element`, and a text that isn't exactly one as it is."""
    dress = pattern.fullmatch(text)
    if dress is None:
        return text
    inner = dress["text"] if dress["tag"] else dress["unopened"]
    tag = (dress["tag"] or dress["last"]).lower()
    is_one_element = f"<{tag}>" not in inner.lower() and f"</{tag}>" not in inner.lower()
    return inner if is_one_element else text
