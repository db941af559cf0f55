"""Sentences that state one value, of whatever task: "The answer is …", "…, so …", "… because …"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.tasks.labels.answer_words import WORDS, any_of
from shared.tasks.replies.marks import is_correction

W = WORDS.replies
FLAGS = re.IGNORECASE | re.DOTALL
MAX_SENTENCE = 1000  # characters; a longer one states nothing
MAX_HEADS = 12

LEAD = re.compile(rf"(?:{any_of(W.leads)}[\s,:]*)+", FLAGS)
OF_WHAT = (
    r"(?:\s+(?:between|of|for|to|from|zwischen|entre|tra|между)\s[^;:]{1,200}?"
    r"|\s*[\"“][^\"”]{1,300}[\"”])?"
)
SUBJECT = "|".join(subject.replace(" ", r"\s+").replace("…", OF_WHAT) for subject in W.subjects)
STATED = re.compile(
    rf"(?:{SUBJECT})\s*(?:{any_of(W.links)}[\s:]*|\s*:\s*)(?:{any_of(W.softeners)}[\s:]*)*(\S.*)",
    FLAGS,
)
EXPLANATION = re.compile(rf",?\s+{any_of(W.explanations)}|\s*[:;(—–](?=\s|\w)|\s+-\s", FLAGS)
CONCLUSION = re.compile(rf"[\s,;.—–]+{any_of(W.conclusions)}[\s,:]+", FLAGS)
CLAUSE = re.compile(rf"[,;.—–]\s+|\s+{any_of([*W.corrections, *W.conclusions, 'and'])}\s+", FLAGS)
CORRECTION = re.compile(any_of(W.corrections), FLAGS)
RATHER = re.compile(
    r"(.+?),?\s+(?:and\s+not|not|rather\s+than|instead\s+of|as\s+opposed\s+to)\s+(?:an?\s+)?(.+)",
    FLAGS,
)
# "It is not X but Y", "not X; it is Y"
NOT_BUT = re.compile(
    r"not\s+(?:an?\s+)?(\S+(?:\s\S+){0,3}?)(?:,?\s+but(?:\s+rather)?|\s*[;,.]\s*(?:but|rather|it\s+is|it['’]s))"
    r"\s+(?:an?\s+)?(\S.*)",
    FLAGS,
)
# "neutral: no"
DENIAL = re.compile(r"\W*(?:no|false|wrong|incorrect)\W*(?:\Z|[,.;])", FLAGS)
COMMA = re.compile(r"[,;.!]\s+")
BEGINS_DOUBT = re.compile(any_of([*W.conditions, "or", "maybe", "except"]), FLAGS)
CONDITION = re.compile(any_of(W.conditions), FLAGS)
QUOTATION = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)|(?<!\w)‘[^’]*’(?!\w)")

Value = Callable[[str], str | None]


@dataclass(frozen=True)
class Statement:
    """The value that a sentence states, and what it says behind it."""

    value: str
    rest: str = ""


def unled(text: str) -> str:
    """Return a sentence without "So", "I think" and the like before it, and its final stop."""
    text = text.strip().rstrip(".!。").strip().removesuffix("です")
    lead = LEAD.match(text)
    return text[lead.end() :] if lead and lead.end() < len(text) else text


def said(text: str, value: Value) -> str | None:
    """Return the value of "(The answer is) X": of what stands alone or behind a subject."""
    text = unled(text)
    stated = STATED.fullmatch(text)
    return _chosen(text, value) or (_chosen(stated[1], value) if stated else None)


def _chosen(text: str, value: Value) -> str | None:
    """Return the value of "X", "X, not Y", "X rather than Y"."""
    chosen = value(text)
    if chosen:
        return chosen
    but = NOT_BUT.fullmatch(text)
    if but:
        chosen = value(but[2])
        return chosen if value(but[1]) not in (None, chosen) else None
    rather = RATHER.fullmatch(text)
    if rather is None:
        return None
    chosen = value(rather[1])
    return chosen if value(rather[2]) not in (None, chosen) else None


def statement(text: str, read: Value) -> Statement | None:
    """Return what a sentence states, as `read` reads its parts.

    The value stands before an explanation ("X because …", "X: …") or behind a conclusion ("…, so
    X").
    """
    text = " ".join(text[: 2 * MAX_SENTENCE].split())
    if len(text) > MAX_SENTENCE or text.rstrip().endswith(("?", "？")):
        return None
    for head, rest in _heads(text):
        value = read(head)
        if value:
            return Statement(value, rest)
    for match in list(CONCLUSION.finditer(text))[-MAX_HEADS:]:
        before = text[: match.start()]
        for head, rest in _heads(text[match.end() :]):
            value = read(head)
            if value and not CONDITION.search(QUOTATION.sub("", before)):
                return Statement(value, f"{before}. {rest}")
    return None


def with_afterthought(text: str, value: Value) -> Statement | None:
    """Return what "X, of course" states: a value alone, and more words behind a comma."""
    for comma in list(COMMA.finditer(text))[:MAX_HEADS]:
        before = text[: comma.start()]
        rest = text[comma.end() :]
        chosen = value(before)
        others = {value(part) for part in COMMA.split(rest)} - {None, chosen}
        if others or is_correction(rest):
            return None
        if chosen and len(before.strip(" ()[]*")) > 1 and not BEGINS_DOUBT.match(text, comma.end()):
            return Statement(chosen, rest)
    return None


def takes_back(stated: Statement, read: Value, mentioned: Callable[[str], set[str]]) -> bool:
    """Return whether the words around a value state another one, or a correction names one."""
    rest = QUOTATION.sub(" ", stated.rest)
    if DENIAL.match(rest):
        return True
    clauses = (head for clause in CLAUSE.split(rest) for head, _ in _heads(clause))
    values = {read(clause) for clause in clauses} - {None, stated.value}
    correction = CORRECTION.search(rest)
    behind = mentioned(rest[correction.end() :]) if correction else set[str]()
    return bool(values or behind - {stated.value})


def _heads(text: str) -> Iterator[tuple[str, str]]:
    yield text, ""
    for match in list(EXPLANATION.finditer(text))[:MAX_HEADS]:
        yield text[: match.start()], text[match.end() :]
