"""Natural language inference: the answer is one of the labels that the row's own prompt names."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.rows import Row
from shared.tasks.base import Schema, Unreadable
from shared.tasks.labelled import ShortAnswerTask

DEFAULT_LABELS = ("entailment", "neutral", "contradiction")
QUOTED = re.compile(r"['\"‘“`]([A-Za-z][A-Za-z _-]{1,30}?)['\"’”`]")
NAMES_LABELS = re.compile(r"label|one of|answer with|respond with|output|classif|relation", re.IGNORECASE)
NOT_LABELS = frozenset({"premise", "hypothesis", "text", "label", "answer"})
# other words for the three usual labels, each tried only where its label is offered
SYNONYMS = {
    "entailment": ("entails", "entailed", "entail", "implies", "implied"),
    "contradiction": ("contradicts", "contradicted", "contradictory", "contradict"),
    "neutral": ("neither", "undetermined", "unknown"),
}


class Nli(ShortAnswerTask):
    name = "nli"
    min_rows = 65

    def answer_schema(self, row: Row) -> Schema:
        return {"type": "string", "enum": list(row_labels(row))}

    def value(self, row: Row, text: str) -> str | Unreadable:
        labels = row_labels(row)
        word = re.sub(r"[\W_]+", " ", text).strip().lower()
        spellings = _spellings(labels)
        if word in spellings:
            return spellings[word]
        found = {spellings[spelling] for spelling in spellings if _stands_in(spelling, word)}
        if len(found) == 1 and not re.search(rf"\b(?:not|no|isn t|never)\b (?:an? )?(?:{'|'.join(spellings)})\b", word):
            return found.pop()
        named = "several labels" if found else "none of the labels"
        return Unreadable("invalid_label", f"the reply names {named}; it must be one of: {', '.join(labels)}")


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


@lru_cache(maxsize=256)
def _spellings(labels: tuple[str, ...]) -> dict[str, str]:
    spellings = {re.sub(r"[\W_]+", " ", label).strip().lower(): label for label in labels}
    for label in labels:
        for synonym in SYNONYMS.get(label.lower(), ()):
            spellings.setdefault(synonym, label)
    return spellings


def _stands_in(spelling: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(spelling)}\b", text) is not None
