"""Finds where a reply marks its answer: `\\boxed{}`, `####`, "Answer: …", "The answer is …".

The words are in `sentences.toml`. Every pattern takes time linear in the text, and what is read
around a mark is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from shared.tasks.replies.sentences import NOUN, SENTENCE_END, WORDS, any_of, sentences_in

MAX_MARKS = 20  # of a kind; the last ones count
LINE_WINDOW = 400  # characters behind a mark in which its answer must begin and end
DENIAL_WINDOW = 40  # characters before a mark
FLAGS = re.IGNORECASE | re.MULTILINE

UNSPACED_NOUN = re.compile(rf"{any_of('unspaced_nouns')}[ \t]*[:：=]?[ \t]*")
UNSPACED_DENIALS = ("错误", "不", "非")
BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
HASHES = re.compile(r"(?<!\S)####[ \t]*(?!\d{1,2}[.)][ \t])(?=\S)", re.MULTILINE)
# What makes another value of the one in a box: "-\\boxed{7}", "at least \\boxed{7}".
OPERATOR = rf"\\[dt]?(?:{'|'.join(WORDS['box_operators'])})"
CHANGED_BEFORE = re.compile(
    rf"(?:[-−+×÷*/^<≤≥±√]|(?<![=-])>|\d\s*[-−–]\s|n['’]t|{OPERATOR}|{any_of('before_box')})"
    r"[\s$({]*\Z",
    re.IGNORECASE,
)
CHANGED_BEHIND = re.compile(
    rf"!|[\s$]*(?:[\^±]|[-−+×÷*/]\s*[\d\\(]|{OPERATOR}|{any_of('behind_box')})", re.IGNORECASE
)
DENIED = re.compile(
    rf"(?:{any_of('denied_nouns')}|n['’]t)[^\w,;:.]+(?:\w+[^\w,;:.]+){{0,2}}\Z", FLAGS
)
BEGINS_LINE = re.compile(
    rf"^[^\S\n]*(?:#{{1,6}}[ \t]+)?[*_]{{0,3}}(?:{any_of('determiners')}[ \t]+)?\Z", FLAGS
)
FINAL = re.compile(r"\b(?:final|endgültige|finale|окончательный)\b|最终|最終", re.IGNORECASE)


class Rank(IntEnum):
    """How clearly a mark says that its answer is the reply's."""

    WEAK = 0
    PLAIN = 1
    FINAL = 2
    BOX = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark, the line behind it (or the box's content), and the text that follows these."""

    position: int
    rank: Rank
    content: str
    rest: str
    is_denied: bool = False
    is_hashes: bool = False


def marks_in(text: str) -> list[Mark]:
    """Return the marks of an undressed text in their order."""
    marks = [*_boxes(text), *_hashes(text), *_nouns(text), *_unspaced_nouns(text)]
    return sorted(marks, key=lambda mark: mark.position)


def _boxes(text: str) -> Iterator[Mark]:
    for start in _last(BOXED, text):
        content = _braced(text, start.end())
        rest = text[start.end() + len(content) + 1 :]
        before = text[max(0, start.start() - DENIAL_WINDOW) : start.start()]
        is_changed = CHANGED_BEFORE.search(before) or CHANGED_BEHIND.match(rest)
        if content.strip():
            rest = rest.lstrip("$ .)")
            yield Mark(start.start(), Rank.BOX, content.strip(), rest, bool(is_changed))


def _hashes(text: str) -> Iterator[Mark]:
    for start in _last(HASHES, text):
        yield Mark(start.start(), Rank.BOX, *_line_behind(text, start.end()), is_hashes=True)


def _nouns(text: str) -> Iterator[Mark]:
    for noun in _last(NOUN, text):
        before = text[max(0, noun.start() - DENIAL_WINDOW) : noun.start()]
        begins_line = BEGINS_LINE.search(before) is not None
        content, rest = _line_behind(text, noun.end())
        if noun["heading"] is not None and not begins_line:
            continue
        is_weak = noun["weak"] is not None and not begins_line
        if not content or (is_weak and len(sentences_in(f"{content}\n{rest}")) > 1):
            continue
        rank = Rank.WEAK if noun["weak"] is not None else Rank.PLAIN
        if FINAL.search(noun["adjectives"]):
            rank = Rank.FINAL
        is_denied = DENIED.search(SENTENCE_END.split(before)[-1]) is not None
        yield Mark(noun.start(), rank, content, rest, is_denied)


def _unspaced_nouns(text: str) -> Iterator[Mark]:
    for noun in _last(UNSPACED_NOUN, text):
        content, rest = _line_behind(text, noun.end())
        if content:
            rank = Rank.FINAL if FINAL.search(noun[0]) else Rank.PLAIN
            is_denied = text[: noun.start()].endswith(UNSPACED_DENIALS)
            yield Mark(noun.start(), rank, content, rest, is_denied)


def _last(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    return list(pattern.finditer(text))[-MAX_MARKS:]


def _line_behind(text: str, start: int) -> tuple[str, str]:
    """Return the rest of the line, or the next line that isn't blank, and the text behind it."""
    behind = text[start:].lstrip()
    line, _, rest = behind.partition("\n")
    return line[:LINE_WINDOW].strip(), f"{line[LINE_WINDOW:]}\n{rest}"


def _braced(text: str, start: int) -> str:
    """Return the text up to the brace that closes the one before `start`, or "" if none does."""
    depth = 1
    for position in range(start, min(len(text), start + LINE_WINDOW)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return ""
