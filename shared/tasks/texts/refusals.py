"""Tells a teacher that declines to answer from a text in the first person.

A refusal is a closed form at the beginning of a short text (`refusals.toml`). What an article or a
chat says somebody cannot do isn't one.
"""

from __future__ import annotations

import re

from shared.core.tables import Table, read_table
from shared.tasks.texts.patterns import longest_of, one_of
from shared.tasks.texts.word_counts import word_count

WINDOW = 500  # characters in which a refusal must be told
MAX_WORDS = 120  # a longer text has more to it than a refusal
SENTENCE_END = re.compile(r"[.!?\n。！？]")


class _Table(Table):
    apologies: list[str]
    inabilities: list[str]
    acts: list[str]
    objects: list[str]
    not_acts: list[str]
    whole: list[str]
    reporting: str
    other_languages: list[str]
    asked_for: str


_TABLE = read_table(_Table, __file__)
_NOUN = (
    r"(?:request|question|topic|kind|type|sort|information|content|task|query|prompt|discussion)"
)
_THIS = rf"(?:that|this)(?=\W*(?:\Z|[.!?,;\n])| (?:\w+ )?{_NOUN}\b)"
_APOLOGY = (
    rf"(?:(?:{longest_of(_TABLE.apologies)})\b[^.!?\n]{{0,60}}?[.!,;:–—-]*\s+(?:but |however,? )?)"
)
_REFUSAL = re.compile(
    rf"\W*{_APOLOGY}{{0,2}}(?:as an ai\b[^,.]{{0,60}},\s*)?(?:{longest_of(_TABLE.inabilities)})"
    rf"(?: (?:really|currently|directly|personally|in good conscience|to|with)){{0,2}}"
    rf" (?!(?:{longest_of(_TABLE.not_acts)})\b)(?:{longest_of(_TABLE.acts)})\b"
    rf"(?:[^.!?\n]{{0,80}}?\b(?:(?:{longest_of(_TABLE.objects)})\b|{_THIS})| you\W*(?=\Z|[.!\n]))",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    rf"\W*(?:{_APOLOGY}?(?:{longest_of(_TABLE.whole)})\W*(?:\Z|(?<=[.!?])\s)"
    rf"|{_APOLOGY}{{1,2}}(?:{longest_of(_TABLE.inabilities)})\W*\Z)",  # "Sorry, but I can't."
    re.IGNORECASE,
)
_OTHER = re.compile(rf"\W*(?:{one_of(_TABLE.other_languages)})", re.IGNORECASE)
_REPORTING = re.compile(_TABLE.reporting, re.IGNORECASE)
_ASKED_FOR = re.compile(one_of([_TABLE.asked_for]), re.IGNORECASE)


def is_refusal(text: str) -> bool:
    """Return whether the text declines to answer in its first sentence, and doesn't report that."""
    start = text[:WINDOW]
    for pattern in (_REFUSAL, _WHOLE, _OTHER):
        refusal = pattern.match(start)
        if refusal and not reports(SENTENCE_END.split(start[refusal.end() :], maxsplit=1)[0]):
            return word_count(text) <= MAX_WORDS
    return False


def reports(text: str) -> bool:
    """Return whether the text tells what somebody said."""
    return _REPORTING.search(text) is not None


def asks_to_decline(prompt: str) -> bool:
    """Return whether a prompt tells the teacher to decline some questions."""
    return _ASKED_FOR.search(prompt) is not None
