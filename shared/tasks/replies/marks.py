"""Finds where a reply marks its answer: `\\boxed{}`, `####`, "Answer: …", "The answer is …".

The words are in `marks.toml`. Every pattern takes time linear in the text, and what is read around
a mark is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from shared.core.tables import Table, read_table

MAX_MARKS = 20  # the last ones count
LINE_WINDOW = 400  # characters behind a mark in which its answer must begin and end


class _Nouns(Table):
    strong: list[str]
    weak: list[str]
    adjectives: list[str]
    copulas: list[str]
    articles: list[str]
    unspaced: list[str]


class _Denials(Table):
    before_noun: list[str]


class _Words(Table):
    words: list[str]


class _Boxes(Table):
    operators: list[str]
    before: list[str]
    after: list[str]


class _Frames(Table):
    before: list[str]
    after: list[str]


class _Marks(Table):
    nouns: _Nouns
    denials: _Denials
    conclusions: _Words
    corrections: _Words
    explanations: _Words
    next_turns: _Words
    frames: _Frames
    boxes: _Boxes


def _any_of(words: Iterable[str]) -> str:
    """Return a pattern for any of the words, longest first, with any white space between them."""
    longest_first = sorted(set(words), key=len, reverse=True)
    return "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest_first)


_WORDS = read_table(_Marks, __file__)
_ADJECTIVES = rf"(?:(?:{_any_of(_WORDS.nouns.adjectives)})\s+)"
_FLAGS = re.IGNORECASE | re.MULTILINE

NOUN = re.compile(
    rf"(?<!\w)(?P<adjectives>{_ADJECTIVES}{{0,3}})"
    rf"(?:(?P<strong>{_any_of(_WORDS.nouns.strong)})|(?P<weak>{_any_of(_WORDS.nouns.weak)}))(?!\w)"
    rf"(?:\s(?:{_any_of(_WORDS.nouns.adjectives)})(?!\w))?"
    r"(?:[ \t]+(?:to|for|of|between|here|à|zu|auf|de|(?-i:a)|на)\b[^.:：=?!\n]{0,60}?)?"
    r"[\"'”’]?"
    rf"(?:[ \t]*(?!(?<=\d):\d)(?:[:：=→⇒—–]|->|=>)|[ \t]+(?:{_any_of(_WORDS.nouns.copulas)})(?!\w)"
    r"|[ \t]+-[ \t]+(?=[^\W\d])|(?P<heading>[*_]{0,3}[ \t]*$))"
    rf"[ \t:：=]*(?:(?:{_any_of(_WORDS.nouns.articles)})[ \t]+)?",
    _FLAGS,
)
UNSPACED = re.compile(rf"(?:{_any_of(_WORDS.nouns.unspaced)})[ \t]*[:：=]?[ \t]*")
BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
# What makes another value of the one in a box: "-\\boxed{7}", "at least \\boxed{7}".
CHANGED_BEFORE = re.compile(
    r"(?:[-−+×÷*/^<≤≥±√]|(?<![=-])>|\d\s*[-−–]\s|n['’]t"
    rf"|\\[dt]?(?:{'|'.join(map(re.escape, _WORDS.boxes.operators))})"
    rf"|\b(?:{_any_of(_WORDS.boxes.before)}))[\s$({{]*\Z",
    re.IGNORECASE,
)
CHANGED_BEHIND = re.compile(
    r"!|[\s$]*(?:[\^±]|[-−+×÷*/]\s*[\d\\(]"
    rf"|\\(?:{'|'.join(map(re.escape, _WORDS.boxes.operators))})"
    rf"|(?:{_any_of(_WORDS.boxes.after)})\b)",
    re.IGNORECASE,
)
HASHES = re.compile(r"(?<!\S)####[ \t]*(?!\d{1,2}[.)][ \t])(?=\S)", re.MULTILINE)
DENIED = re.compile(
    rf"(?:\b(?:{_any_of(_WORDS.denials.before_noun)})\b|n['’]t)[^\w,;:.]+(?:\w+[^\w,;:.]+){{0,2}}\Z",
    _FLAGS,
)
DENIAL_WINDOW = 40
BEGINS_LINE = re.compile(
    r"^[^\S\n]*(?:#{1,6}[ \t]+)?[*_]{0,3}(?:(?:the|my|our|la|le|el|die|das|il|o|a)[ \t]+)?\Z",
    _FLAGS,
)
FINAL = re.compile(r"\b(?:final|endgültige|finale|окончательный)\b|最终|最終", re.IGNORECASE)

CONCLUSION = re.compile(
    rf"(?:(?:and|but|y|et|und)\s+)?(?:{_any_of(_WORDS.conclusions.words)})(?!\w)[\s,，:：]*", _FLAGS
)
UNSPACED_CONCLUSION = re.compile("(?:所以|因此|故|したがって|따라서)[\\s,，]*")
CORRECTION = re.compile(
    rf"\W*(?:(?:but|oh|ah|and|note|edit|update)[\s,:]+)?(?:{_any_of(_WORDS.corrections.words)})(?!\w)"
    r"|\W*not\b[^.\n]{1,40}\bbut\b",
    _FLAGS,
)
EXPLANATION = re.compile(
    rf"(?:\s*[,;(（—–]+\s*|\s+-\s+|\s+)(?:{_any_of(_WORDS.explanations.words)})(?!\w)", _FLAGS
)
NEXT_TURN = re.compile(
    rf"(?:\n[ \t]*(?:{_any_of(_WORDS.next_turns.words)})"
    r"|(?<=[\w.!*}])[ \t]+(?:question|user|human))"
    r"[ \t]*(?:\d{1,3})?[ \t]*[:：]",
    re.IGNORECASE,
)
BEGINS_WITH_NO = re.compile(r"\W*no\s+\w", re.IGNORECASE)  # "No answer is given"
FRAME_BEFORE = re.compile(rf"\W*(?:{_any_of(_WORDS.frames.before)})(?!\w)", _FLAGS)
FRAME_AFTER = re.compile(rf"\W*(?:{_any_of(_WORDS.frames.after)})(?!\w)", _FLAGS)
# "B. the text" continues, and so does "z.B. the text"
# "5! ways" continues, too.
SENTENCE_END = re.compile(
    r"(?<!\b[A-Za-z])(?<!\bNo)(?<!\bvs)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bDr)(?<!\bRs)"
    r"(?:[.?…]|(?<!\d)!|!(?=\s+[A-Z]))(?=\s)|[。！？]|\n"
)


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
    marks = [*_boxes(text), *_hashes(text), *_nouns(text), *_unspaced(text)]
    return sorted(marks, key=lambda mark: mark.position)


def before_next_turn(text: str) -> str:
    """Return the text up to a line that begins another example or the user's turn.

    A text that begins with such a line repeats its question, and is returned whole.
    """
    if NEXT_TURN.match(f"\n{text}"):
        return text
    turn = NEXT_TURN.search(text)
    return text[: turn.start()] if turn else text


def framed_lines(text: str) -> list[str]:
    """Return the lines that aren't blank, without an introduction ("Sure!") and an afterword."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    start = 0
    while start < len(lines) - 1 and FRAME_BEFORE.match(lines[start]):
        start += 1
    for end in range(start + 1, len(lines)):
        if FRAME_AFTER.match(lines[end]):
            return lines[start:end]
    return lines[start:]


def sentences_in(text: str) -> list[str]:
    """Return the sentences of the text; each line ends one."""
    return [sentence.strip() for sentence in _split(text) if sentence.strip()]


def without_conclusion(sentence: str) -> str | None:
    """Return what "Therefore, …" draws as the conclusion, None if the sentence draws none."""
    drawn = CONCLUSION.match(sentence) or UNSPACED_CONCLUSION.match(sentence)
    return sentence[drawn.end() :] if drawn else None


def is_correction(sentence: str) -> bool:
    """Return whether the sentence takes back what was said before."""
    return CORRECTION.match(sentence) is not None


def is_afterword(sentence: str) -> bool:
    """Return whether the sentence is one like "Let me know if …", which takes nothing back."""
    is_frame = FRAME_AFTER.match(sentence) or not any(map(str.isalnum, sentence))
    return bool(is_frame) and not is_correction(sentence)


def readings(content: str) -> list[tuple[str, str]]:
    """Return the ways to end an answer that begins the text: (answer, the text behind it)."""
    ends = [len(content)]
    for pattern in (SENTENCE_END, EXPLANATION, NOUN):
        end = pattern.search(content, 1)
        if end and not (pattern is NOUN and BEGINS_WITH_NO.match(content)):
            ends.append(end.start())
    return [(content[:end].strip(), content[end:]) for end in ends if content[:end].strip()]


def _split(text: str) -> list[str]:
    sentences: list[str] = []
    start = 0
    for end in SENTENCE_END.finditer(text):
        sentences.append(text[start : end.end()])
        start = end.end()
    return [*sentences, text[start:]]


def _boxes(text: str) -> list[Mark]:
    marks: list[Mark] = []
    for start in list(BOXED.finditer(text))[-MAX_MARKS:]:
        content = _braced(text, start.end())
        rest = text[start.end() + len(content) + 1 :]
        before = text[max(0, start.start() - DENIAL_WINDOW) : start.start()]
        is_changed = CHANGED_BEFORE.search(before) or CHANGED_BEHIND.match(rest)
        if content.strip():
            position = start.start()
            behind = rest.lstrip("$ .)")
            marks.append(Mark(position, Rank.BOX, content.strip(), behind, bool(is_changed)))
    return marks


def _hashes(text: str) -> list[Mark]:
    marks: list[Mark] = []
    for start in list(HASHES.finditer(text))[-MAX_MARKS:]:
        content, rest = _line_behind(text, start.end())
        marks.append(Mark(start.start(), Rank.BOX, content, rest, is_hashes=True))
    return marks


def _nouns(text: str) -> list[Mark]:
    marks: list[Mark] = []
    for noun in list(NOUN.finditer(text))[-MAX_MARKS:]:
        before = text[max(0, noun.start() - DENIAL_WINDOW) : noun.start()]
        begins_line = BEGINS_LINE.search(before) is not None
        if noun["heading"] is not None and not begins_line:
            continue
        content, rest = _line_behind(text, noun.end())
        if not content or (noun["weak"] and not begins_line and not _is_last(content, rest)):
            continue
        rank = Rank.WEAK if noun["weak"] else Rank.PLAIN
        if FINAL.search(noun["adjectives"]):
            rank = Rank.FINAL
        sentence_before = SENTENCE_END.split(before)[-1]
        is_denied = DENIED.search(sentence_before) is not None
        marks.append(Mark(noun.start(), rank, content, rest, is_denied))
    return marks


def _is_last(content: str, rest: str) -> bool:
    """Return whether no sentence follows the one that a line begins with."""
    return len(sentences_in(f"{content}\n{rest}")) <= 1


def _unspaced(text: str) -> list[Mark]:
    marks: list[Mark] = []
    for start in list(UNSPACED.finditer(text))[-MAX_MARKS:]:
        content, rest = _line_behind(text, start.end())
        if content:
            rank = Rank.FINAL if FINAL.search(start[0]) else Rank.PLAIN
            is_denied = text[: start.start()].endswith(("错误", "不", "非"))
            marks.append(Mark(start.start(), rank, content, rest, is_denied))
    return marks


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
