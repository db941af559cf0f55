"""Summaries by a plain rule: the first sentences of a text within the word limit of the prompt."""

from __future__ import annotations

import re
from typing import Any

DEFAULT_WORDS = 80
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9])")
_HEADING = re.compile(r"^[^.\n]*?\b(?:article|text|document)\s*[:\n]\s*", re.IGNORECASE)
_LIMIT = re.compile(
    r"(?:at most|no more than|not exceed|up to|within|maximum of|max\.?|limit of|fewer than"
    r"|less than|under|not longer than|no longer than|in)\s+(\d+)\s+words"
    r"|\b(\d+)[- ]words?\b(?: or (?:less|fewer)| at most| maximum)",
    re.IGNORECASE,
)
_STRICTLY_FEWER = re.compile(r"(?:fewer than|less than|under)\s+\d+\s+words", re.IGNORECASE)
_ENTITY = re.compile(r"[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)+|\b\d[\d.,]*\d\b|\b\d\b")


def word_limit(system: str, question: str) -> int:
    """Return the smallest limit that the prompt states, in words; 80 if it states none."""
    text = f"{system}\n{question[:300]}\n{question[-300:]}"
    limits = [int(first or second) for first, second in _LIMIT.findall(text)]
    limit = min((limit for limit in limits if limit > 0), default=DEFAULT_WORDS)
    return max(1, limit - 1) if _STRICTLY_FEWER.search(text) else limit


def article(question: str) -> str:
    """Return the text to summarize, without an instruction and a heading before it."""
    first, _, rest = question.partition("\n\n")
    text = rest if rest and len(first) < 300 and "summar" in first.lower() else question
    return _HEADING.sub("", text, count=1).strip() or question


def sentences(text: str) -> list[str]:
    return [" ".join(sentence.split()) for sentence in _SENTENCE_END.split(text.strip())]


def first_sentences(parts: list[str], limit: int) -> str:
    """Return as many sentences as fit, in order; the first one is cut if it is too long itself."""
    chosen: list[str] = []
    words = 0
    for part in parts:
        words += len(part.split())
        if words > limit:
            break
        chosen.append(part)
    if chosen:
        return " ".join(chosen)
    return " ".join(parts[0].split()[:limit]).rstrip(" ,;:.") + "."


def density_steps(summary: str) -> list[dict[str, Any]]:
    """Return a chain of density that ends in this summary: each step adds a sentence to the last.

    A step names the entities (names of several words, numbers) that come in with it.
    """
    parts = sentences(summary)
    steps: list[dict[str, Any]] = []
    for count, part in enumerate(parts, start=1):
        entities = list(dict.fromkeys(_ENTITY.findall(part)))
        steps.append({"missing_entities": entities, "summary": " ".join(parts[:count])})
    return steps
