"""Natural language inference: the answer is one of the labels that the row's own prompt names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.base import Schema, Unreadable
from shared.tasks.parsing import is_question
from shared.tasks.short_answers import Hedged, ShortAnswerTask

DEFAULT_LABELS = ("entailment", "neutral", "contradiction")
QUOTED = re.compile(r"(?<!\w)['\"‘“`]([A-Za-z][A-Za-z _-]{1,30}?)['\"’”`](?!\w)")
NAMES_LABELS = re.compile(
    r"label|one of|answer with|respond with|output|classif|relation", re.IGNORECASE
)
NOT_LABELS = frozenset({"premise", "hypothesis", "text", "label", "answer"})
# other words for the usual labels, each tried only where its label is offered
SYNONYMS = {
    "entailment": ("entails", "entailed", "entail", "implies", "implied"),
    "contradiction": ("contradicts", "contradicted", "contradictory", "contradict"),
    "neutral": ("neither entails nor contradicts", "neither entailment nor contradiction"),
    "not entailment": ("non entailment",),
}
# these only where they are the whole answer: prose has other uses for them
LONE_SYNONYMS = {"neutral": ("neither", "undetermined", "unknown")}
# before a label, these deny or doubt it
DOUBTING = re.compile(
    r"not?|never|n?either|nor|non|cannot|without|hardly|or|maybe|perhaps|possibly|might|may|could"
    r"|unsure|uncertain|unlikely|than|instead|except|wrong|incorrect"
)
DOUBTING_REACH = 3  # words


class Nli(ShortAnswerTask):
    name = "nli"
    min_rows = 65

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": list(row_labels(row))}

    def value(self, row: Row, text: str) -> str | Unreadable:
        if (alone := self.alone(row, text)) is not None:
            return alone
        labels, words = row_labels(row), _words(text)
        mentions = list(_mention(labels).finditer(words))
        found = {_spellings(labels)[mention[0]] for mention in mentions}
        if not found:
            return _problem(Unreadable, "none of the labels", labels)
        if len(found) > 1:
            return _problem(Hedged, "several labels", labels)
        if is_question(text) or any(_is_doubted(words, mention, labels) for mention in mentions):
            return _problem(Hedged, "a label with doubt", labels)
        return found.pop()

    def alone(self, row: Row, line: str) -> str | None:
        labels = row_labels(row)
        spellings = _spellings(labels) | _lone_spellings(labels)
        return None if is_question(line) else spellings.get(_words(line))


def row_labels(row: Row) -> tuple[str, ...]:
    """The labels that the row's prompts name, or the three usual ones."""
    for text in (row.system or "", _instructions(row)):
        quoted = _quoted_labels(text)
        if len(quoted) >= 2:
            return quoted
    return DEFAULT_LABELS


def _instructions(row: Row) -> str:
    """The user message up to the texts to be compared: quotations in those are no labels."""
    return re.split(r"(?im)^\W*(?:premise|text 1|sentence 1)\W*:", row.turns[0]["content"])[0]


@lru_cache(maxsize=256)
def _quoted_labels(text: str) -> tuple[str, ...]:
    sentences = [part for part in re.split(r"(?<=[.!?])\s+|\n", text) if NAMES_LABELS.search(part)]
    quoted = [label.strip() for sentence in sentences for label in QUOTED.findall(sentence)]
    return tuple(dict.fromkeys(label for label in quoted if label.lower() not in NOT_LABELS))


def _problem(kind: type[Unreadable], named: str, labels: tuple[str, ...]) -> Unreadable:
    return kind(
        RejectionReason.INVALID_LABEL,
        f"the reply names {named}; it must be one of: {', '.join(labels)}",
    )


def _words(text: str) -> str:
    """Lower case, one space between words; "isn't" as two words."""
    return re.sub(r"[\W_]+", " ", re.sub(r"n['’]t\b", " not", text)).strip().lower()


@lru_cache(maxsize=256)
def _spellings(labels: tuple[str, ...]) -> dict[str, str]:
    """Each way to write a label, to the label."""
    return {_words(label): label for label in labels} | _named(labels, SYNONYMS)


@lru_cache(maxsize=256)
def _lone_spellings(labels: tuple[str, ...]) -> dict[str, str]:
    return _named(labels, LONE_SYNONYMS)


def _named(labels: tuple[str, ...], synonyms: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    own = {_words(label) for label in labels}
    return {
        other: label
        for label in labels
        for other in synonyms.get(_words(label), ())
        if other not in own
    }


@lru_cache(maxsize=256)
def _mention(labels: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(_spellings(labels), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")


def _is_doubted(words: str, mention: re.Match[str], labels: tuple[str, ...]) -> bool:
    before = words[max(0, mention.start() - 60) : mention.start()].split()[-DOUBTING_REACH:]
    own = {_words(label) for label in labels}
    return words[mention.end() : mention.end() + 4] in (" or", " or ") or any(
        DOUBTING.fullmatch(word) and word not in own for word in before
    )
