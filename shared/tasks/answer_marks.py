"""Finds a short answer in prose: in `\\boxed{}`, behind `####` or "Answer:", on a line of its own.

Every pattern takes time linear in the text, and the text searched around a mark is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

FENCE_LINE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*(?:[\w+-]+[ \t]*)?$", re.MULTILINE)
TAG = re.compile(r"</?[A-Za-z][\w-]{0,30}>")
TEX_TEXT = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\s?\{([^{}]{0,200})\}")
EMPHASIS = re.compile(r"`+|__+|(?<!\d)\*+|\*+(?!\d)")  # a star between digits multiplies
QUOTE_OR_HEADING = re.compile(r"^[ \t]*[>#]+[ \t]*", re.MULTILINE)

# \x08 is what JSON makes of the backslash and b of "\boxed" if the backslash wasn't doubled.
BOXED = re.compile(r"(?:\\b|\x08)oxed\s*\{")
HASHES = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)$", re.MULTILINE)
MARK = re.compile(
    r"\b(?:(final|correct)[ \t]+)?"
    r"(?:answer|label|classification|relationship|result|choice|option)"
    r"(?:[ \t]+(?:to|for|of|between)\b[^.:=?!\n]{0,40}?)?[\"']?[ \t]*"
    r"(?:\bis\b|\bwas\b|\b(?:would|should|must)[ \t]+be\b|\bequals\b|[:=])[\s:=]*",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<!\b[A-Za-z])[.!?](?=\s)")  # "B. the text" continues
MAX_MARKS = 20  # the last ones count
MARK_WINDOW = 200  # characters behind a mark in which its answer must end

DOUBT = re.compile(
    r"\b(?:not|never|neither|nor|either|or|maybe|perhaps|possibly|unsure|uncertain|unclear|cannot"
    r"|wrong|incorrect|(?:might|may|could|can)[ \t]+be)\b|n['’]t\b",
    re.IGNORECASE,
)
# Text that follows an answer without being part of it.
AFTERWORD = re.compile(
    r"\W*(?:explanation|reason|because|justification|rationale|why|note|here|let me|i hope|hope"
    r"|feel free|if you|please)",
    re.IGNORECASE,
)

Readings = list[str]  # of one mark: the likeliest first


@dataclass(slots=True)
class MarkedAnswers:
    """The texts behind "final answer: …", and behind plainer marks."""

    final: list[Readings] = field(default_factory=list[Readings])
    plain: list[Readings] = field(default_factory=list[Readings])


def undressed(text: str) -> str:
    """Return a short answer's text without markup: markdown, XML, LaTeX. Lines stay lines."""
    text = TEX_TEXT.sub(r" \1", text)
    text = TAG.sub("\n", FENCE_LINE.sub("", text))
    return QUOTE_OR_HEADING.sub("", EMPHASIS.sub(" ", text))


def boxed(text: str) -> list[str]:
    """Return the content of each `\\boxed{…}` that isn't blank and has balanced braces."""
    starts = [match.end() for match in BOXED.finditer(text)]
    contents = [_braced(text, start) for start in starts[-MAX_MARKS:]]
    return [content for content in contents if content.strip()]


def hashed(text: str) -> list[str]:
    """Return the text behind each `####`, which marks the answers of GSM8K."""
    return HASHES.findall(text)[-MAX_MARKS:]


def marked_answers(text: str) -> MarkedAnswers:
    """Return the text behind each mark, read as its first sentence and as its whole line."""
    answers = MarkedAnswers()
    for match in list(MARK.finditer(text))[-MAX_MARKS:]:
        marks = answers.final if match[1] else answers.plain
        marks.append(_behind(text, match.end()))
    return answers


def outer_lines(text: str) -> list[str]:
    """Return the first and last lines that aren't blank: an answer may stand there alone."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) <= 2 * MAX_MARKS:
        return lines
    return [*lines[:MAX_MARKS], *lines[-MAX_MARKS:]]


def is_doubtful(text: str) -> bool:
    """Return whether the text denies, weighs or asks."""
    return DOUBT.search(text) is not None or is_question(text)


def is_question(text: str) -> bool:
    return text.rstrip(" \t\r\n\"'”’).").endswith("?")


def _braced(text: str, start: int) -> str:
    """Return the text up to the brace that closes the one before `start`, or "" if none does."""
    depth = 1
    for position in range(start, min(len(text), start + MARK_WINDOW)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return ""


def _behind(text: str, start: int) -> Readings:
    line, newline, _ = text[start : start + MARK_WINDOW].partition("\n")
    sentence, *rest = SENTENCE_END.split(line, maxsplit=1)
    # A line that the window cut could end within a number.
    line_is_whole = bool(newline) or start + MARK_WINDOW >= len(text)
    readings: Readings = []
    if line_is_whole:
        readings = [sentence, line]
    elif rest:
        readings = [sentence]
    return [reading for reading in readings if reading.strip()]
