"""Natural language inference: the answer is one of the labels that the row's prompt names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.tasks.answer_marks import is_question
from shared.tasks.base import Schema, Unreadable
from shared.tasks.short_answers import Hedged, ShortAnswerTask

Labels = tuple[str, ...]

DEFAULT_LABELS: Labels = ("entailment", "neutral", "contradiction")
QUOTED = re.compile(r"(?<!\w)['\"‘“`]([A-Za-z][A-Za-z _-]{1,30}?)['\"’”`](?!\w)")
NAMES_LABELS = re.compile(
    r"label|one of|answer with|respond with|output|classif|relation", re.IGNORECASE
)
NOT_LABELS = frozenset({"premise", "hypothesis", "text", "label", "answer"})
SENTENCE_OR_LINE_END = re.compile(r"(?<=[.!?])\s+|\n")
COMPARED_TEXT = re.compile(r"(?im)^\W*(?:premise|text 1|sentence 1)\W*:")
# Other words for the usual labels, each accepted only if its label is offered.
SYNONYMS = {
    "entailment": ("entails", "entailed", "entail", "implies", "implied"),
    "contradiction": ("contradicts", "contradicted", "contradictory", "contradict"),
    "neutral": ("neither entails nor contradicts", "neither entailment nor contradiction"),
    "not entailment": ("non entailment",),
}
# Accepted only as the whole answer: prose has other uses for these words.
LONE_SYNONYMS = {"neutral": ("neither", "undetermined", "unknown")}
# Before a label, these words deny or doubt it.
DOUBTING = re.compile(
    r"not?|never|n?either|nor|non|cannot|without|hardly|or|maybe|perhaps|possibly|might|may|could"
    r"|unsure|uncertain|unlikely|than|instead|except|wrong|incorrect"
)
DOUBTING_REACH = 3  # words
DOUBTING_REACH_CHARACTERS = 60


class Nli(ShortAnswerTask):
    name = "nli"
    min_rows = 65

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": list(row_labels(row))}

    def value(self, row: Row, text: str) -> str | Unreadable:
        alone = self.alone(row, text)
        if alone is not None:
            return alone
        labels = row_labels(row)
        words = _words(text)
        mentions = list(_mention(labels).finditer(words))
        mentioned = {_spellings(labels)[mention[0]] for mention in mentions}
        if not mentioned:
            return _problem(Unreadable, "none of the labels", labels)
        if len(mentioned) > 1:
            return _problem(Hedged, "several labels", labels)
        if is_question(text) or any(_is_doubted(words, mention, labels) for mention in mentions):
            return _problem(Hedged, "a label with doubt", labels)
        return mentioned.pop()

    def alone(self, row: Row, line: str) -> str | None:
        if is_question(line):
            return None
        labels = row_labels(row)
        spellings = _spellings(labels) | _lone_spellings(labels)
        return spellings.get(_words(line))


def row_labels(row: Row) -> Labels:
    """Return the labels that the row's prompts name, or the three usual ones."""
    for text in (row.system or "", _instructions(row)):
        labels = _quoted_labels(text)
        if len(labels) >= 2:
            return labels
    return DEFAULT_LABELS


def _instructions(row: Row) -> str:
    """Return the user message up to the texts to compare: quotations in those aren't labels."""
    return COMPARED_TEXT.split(row.turns[0]["content"])[0]


@lru_cache(maxsize=256)
def _quoted_labels(text: str) -> Labels:
    labels: list[str] = []
    for sentence in SENTENCE_OR_LINE_END.split(text):
        if NAMES_LABELS.search(sentence):
            labels += [label.strip() for label in QUOTED.findall(sentence)]
    return tuple(label for label in dict.fromkeys(labels) if label.lower() not in NOT_LABELS)


def _problem(kind: type[Unreadable], named: str, labels: Labels) -> Unreadable:
    detail = f"the reply names {named}; it must be one of: {', '.join(labels)}"
    return kind(RejectionReason.INVALID_LABEL, detail)


def _words(text: str) -> str:
    """Return the text in lower case with one space between words; "isn't" becomes two words."""
    return re.sub(r"[\W_]+", " ", re.sub(r"n['’]t\b", " not", text)).strip().lower()


@lru_cache(maxsize=256)
def _spellings(labels: Labels) -> dict[str, str]:
    """Return the label for each way to write it."""
    return {_words(label): label for label in labels} | _synonyms(labels, SYNONYMS)


@lru_cache(maxsize=256)
def _lone_spellings(labels: Labels) -> dict[str, str]:
    return _synonyms(labels, LONE_SYNONYMS)


def _synonyms(labels: Labels, synonyms: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    label_words = {_words(label) for label in labels}
    spellings: dict[str, str] = {}
    for label in labels:
        for synonym in synonyms.get(_words(label), ()):
            if synonym not in label_words:
                spellings[synonym] = label
    return spellings


@lru_cache(maxsize=256)
def _mention(labels: Labels) -> re.Pattern[str]:
    longest_first = sorted(_spellings(labels), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")


def _is_doubted(words: str, mention: re.Match[str], labels: Labels) -> bool:
    if words[mention.end() : mention.end() + 4] in (" or", " or "):
        return True
    start = max(0, mention.start() - DOUBTING_REACH_CHARACTERS)
    words_before = words[start : mention.start()].split()[-DOUBTING_REACH:]
    label_words = {_words(label) for label in labels}
    return any(DOUBTING.fullmatch(word) and word not in label_words for word in words_before)
