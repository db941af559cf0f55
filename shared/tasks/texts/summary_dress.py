"""Removes what teachers put around a summary: only whole, and only in the forms listed.

A summary may begin with words and a colon, and end in a paragraph about anything. So what isn't in
`summary_dress.toml` stays, or makes the reply unreadable if it plainly speaks about the summary.
"""

from __future__ import annotations

import re

from shared.core.tables import Table, read_table
from shared.dataset.rejection import RejectionReason
from shared.tasks.base import Unreadable
from shared.tasks.replies.dress import QUOTES, element, untagged
from shared.tasks.replies.json_replies import beside_objects, value_of
from shared.tasks.replies.lenient_json import objects_in
from shared.tasks.texts.patterns import longest_of, one_of
from shared.tasks.texts.refusals import reports

MAX_LAYERS = 6
MAX_HEAD = 300  # characters of an introduction or a heading
MAX_TAIL = 400  # of a closing paragraph

NOT_ALONE = Unreadable(
    RejectionReason.UNREADABLE,
    "it holds more than a summary, such as words about it; it must be the summary alone",
)
AROUND = {**QUOTES, "**": "**", "*": "*", "__": "__"}
MARKUP = r"[*_#>~`\s¡\U0001f300-\U0001faff\u2600-\u27bf\ufe0f]{0,9}"


class _Table(Table):
    headings: list[str]
    bare_headings: list[str]
    tags: list[str]
    keys: frozenset[str]
    openers: list[str]
    introductions: list[str]
    closings: list[str]
    word_counts: list[str]
    unknown_introductions: str


_TABLE = read_table(_Table, __file__)
_FLAGS = re.IGNORECASE
_OPENER = rf"(?:{longest_of(map(re.escape, _TABLE.openers))})"
_COLON = r"[*_]{0,3} ?[:：][*_]{0,3}"
_HEADING = re.compile(
    rf"{MARKUP}(?:(?:{one_of(_TABLE.headings)})(?:{_COLON}|[*_#\s]{{0,5}}$|[ ][-–—](?=\s))"
    rf"|(?:{longest_of(map(re.escape, _TABLE.bare_headings))})(?=\s))",
    _FLAGS | re.MULTILINE,
)
_INTRODUCTION = re.compile(
    rf"{MARKUP}(?:{_OPENER}(?:[ ]?[!,.:，。！、]+\s*|\s+))?(?:{one_of(_TABLE.introductions)})"
    rf"(?:{_COLON}|[.*_]{{0,3}}(?=\s*\n))",
    _FLAGS,
)
_HEAD_ALONE = re.compile(
    rf"(?:{_INTRODUCTION.pattern}|{_HEADING.pattern})\s*", _FLAGS | re.MULTILINE
)
_OPENING = re.compile(rf"{MARKUP}{_OPENER}(?:!+(?=\s)|[!.:,]?[ ]*(?=\n))", _FLAGS)
_CLOSING = re.compile(rf"{MARKUP}(?:{one_of(_TABLE.closings)})", _FLAGS)
_COUNT = rf"(?:{one_of(_TABLE.word_counts)})\.?"
_BRACKETED_COUNT = rf"[(\[*_（【]{{1,3}}{_COUNT}[)\]*_）】]{{1,3}}"
_WORD_COUNT = re.compile(  # in brackets behind a sentence, or on a line of its own
    rf"(?:(?<=[.!?。！？”\"»…])[ ]?|\n\s*){_BRACKETED_COUNT}\Z"
    rf"|\n\s*[*_]{{0,3}}{_COUNT}[*_]{{0,3}}\Z",
    _FLAGS,
)
_ELEMENT = element(_TABLE.tags)
_BRACKETED_TAG = re.compile(r"\A\[(\w+)\]|\[(/\w+)\]\Z")
_RULES = re.compile(r"\A\s*[-*_=]{3,}[ \t]*\n|\n[ \t]*[-*_=]{3,}\s*\Z")  # above and below
_AROUND_JSON = re.compile(r"(?:```(?:json)?|[\s\[\]])*", re.IGNORECASE)
_UNKNOWN = re.compile(rf"{MARKUP}(?:{one_of([_TABLE.unknown_introductions])})", _FLAGS)


def bare_summary(text: str) -> str | Unreadable:
    """Return a summary without its dress; Unreadable if words about it cannot be told from it."""
    for _ in range(MAX_LAYERS):
        bare = _RULES.sub("", text.strip()).strip()
        for layer in (_from_json, _untagged, _headless, _tailless, _unquoted):
            bare = layer(bare).strip()
        if bare == text:
            break
        text = bare
    first, newline, _ = text.partition("\n")
    is_introduced = newline and first.rstrip("*_ ").endswith((":", "："))
    if is_introduced and len(first) <= MAX_HEAD and _UNKNOWN.match(first):
        return NOT_ALONE
    is_head_alone = len(text) <= MAX_HEAD and _HEAD_ALONE.fullmatch(text)
    is_json = text.startswith("{") and objects_in(text)
    return NOT_ALONE if is_head_alone or is_json else text


def _from_json(text: str) -> str:
    """Return the summary of a text that is one JSON object, in a fence or not."""
    if not _AROUND_JSON.fullmatch(beside_objects(text)):
        return text
    value = value_of(text, _TABLE.keys)
    return value if isinstance(value, str) else text


def _untagged(text: str) -> str:
    tagged = _BRACKETED_TAG.sub(r"<\1\2>", text)
    inner = untagged(tagged, _ELEMENT)
    return text if inner == tagged else inner


def _headless(text: str) -> str:
    """Return the text without one introduction, opener or heading at its beginning."""
    for head in (_INTRODUCTION, _HEADING, _OPENING):
        match = head.match(text[: MAX_HEAD + 1])
        if match and text[match.end() :].strip():
            return text[match.end() :]
    return text


def _tailless(text: str) -> str:
    """Return the text without one closing paragraph or word count at its end."""
    body, gap, last = text.rpartition("\n\n")
    last = _RULES.sub("", last)
    is_closing = gap and len(last) <= MAX_TAIL and "\n" not in last.strip()
    if is_closing and body.strip() and _CLOSING.match(last.strip()) and not reports(last):
        return body
    tail = text[-MAX_TAIL:]
    count = _WORD_COUNT.search(tail)
    return text[: len(text) - len(tail) + count.start()] if count else text


def _unquoted(text: str) -> str:
    """Return what stands in quotes, bold or a block quote, if all of the text does."""
    for opening, closing in AROUND.items():
        inner = text[len(opening) : -len(closing)]
        is_whole = text.startswith(opening) and text.endswith(closing) and len(inner.strip()) > 1
        if is_whole and not any(mark in inner for mark in (opening, closing)):
            return inner
    lines = text.splitlines()
    if lines and all(line.startswith(">") for line in lines):
        return "\n".join(line[1:].removeprefix(" ") for line in lines)
    return text
