"""Extractive summaries: sentences chosen by place, names, numbers and frequent words, never above the word limit."""

from __future__ import annotations

import re
from collections import Counter

from local.emulators.teacher.answers.prompt import Form, Prompt
from local.emulators.teacher.answers.solution import DensityStep, Solution
from local.emulators.teacher.answers.text import content_stems, sentences

DEFAULT_WORDS = 80
DENSITY_STEPS = 4
MIN_SENTENCE_WORDS = 5
_ASKED = re.compile(r"\bsummar|\bcondense|\btl;?dr\b", re.IGNORECASE)
_HEADING = re.compile(r"^.*?\b(?:article|text|document)\s*[:\n]\s*", re.IGNORECASE | re.DOTALL)
_LIMIT = re.compile(
    r"(?:at most|no more than|not exceed|up to|within|maximum of|max\.?|limit of|fewer than|less than|under|"
    r"not longer than|no longer than|in)\s+(\d+)\s+words|\b(\d+)[- ]words?\b(?: or (?:less|fewer)| at most| maximum)",
    re.IGNORECASE,
)
_STRICTLY_FEWER = re.compile(r"(?:fewer than|less than|under)\s+\d+\s+words", re.IGNORECASE)
_ENTITY = re.compile(r"[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*|\b\d[\d.,]*\d\b|\b\d\b")
_DATELINE = re.compile(r"\d\d:\d\d (?:EST|EDT|GMT)|^\W*(?:PUBLISHED|UPDATED|By \.)")
_FUNCTION_WORDS = frozenset(
    {"A", "An", "The", "In", "On", "At", "From", "Since", "For", "Of", "By", "After", "Before"}
)


def recognises(prompt: Prompt) -> bool:
    """A request for a summary of a text; a word about summaries in a running conversation is none."""
    asked = _ASKED.search(prompt.system) or _ASKED.search(prompt.user[:300])
    return bool(asked) and not prompt.has_history


def word_limit(prompt: Prompt) -> int:
    """The smallest limit that the prompt states, in words; 80 if it states none."""
    text = f"{prompt.system}\n{prompt.user[:300]}\n{prompt.user[-300:]}"
    limits = [int(one or other) for one, other in _LIMIT.findall(text)]
    limit = min((limit for limit in limits if limit > 0), default=DEFAULT_WORDS)
    return max(1, limit - 1) if _STRICTLY_FEWER.search(text) else limit


def solve(prompt: Prompt) -> Solution:
    """A summary; with chain of density also the steps that lead to it."""
    limit = word_limit(prompt)
    article = _article(prompt.user)
    told = [part for part in sentences(article) if _tells(part)] or [article.strip()]
    ranking = _ranking(told)
    if prompt.form is not Form.DENSENED:
        answer = _compose(told, ranking, limit)
        return Solution(
            answer, _compose(told, ranking[::-1], limit), (f"The word limit is {limit}.",)
        )
    steps = _densen(told, ranking, limit)
    return Solution(steps[-1].summary, _compose(told, ranking[::-1], limit), (), steps)


def _tells(sentence: str) -> bool:
    """Whether it is a sentence of the story: long enough, and no dateline of the kind "12:29 EST, 1 January"."""
    return len(sentence.split()) >= MIN_SENTENCE_WORDS and not _DATELINE.search(sentence)


def _article(user: str) -> str:
    first, _, rest = user.partition("\n\n")
    if rest and len(first) < 300 and _ASKED.search(first):
        return _article(rest)
    match = _HEADING.match(user[:300])
    return user[match.end() :] if match and match.end() < len(user) else user


def entities(text: str) -> tuple[str, ...]:
    """Names and numbers in order of appearance, each once. A capital that only opens a sentence makes no name."""
    found: dict[str, None] = {}
    for match in _ENTITY.finditer(text):
        name = match.group().split()
        opens = not match.start() or text[max(0, match.start() - 2)] in ".!?"
        if name[0] in _FUNCTION_WORDS:
            name, opens = name[1:], False
        if name and (len(name) > 1 or not opens or name[0][0].isdigit()):
            found[" ".join(name)] = None
    return tuple(found)


def _ranking(told: list[str]) -> list[int]:
    """Places of sentences, the most telling first. The opening sentence always leads."""
    frequency = Counter(root for sentence in told for root in set(content_stems(sentence)))

    def score(place: int) -> float:
        roots = content_stems(told[place])
        common = sum(frequency[root] for root in roots) / (len(roots) + 4)
        return (
            common
            + len(entities(told[place])) / (len(told[place].split()) + 4) * 6
            + 2 / (place + 1)
        )

    return sorted(range(len(told)), key=lambda place: (place != 0, -score(place)))


def _compose(told: list[str], ranking: list[int], limit: int) -> str:
    """As many of the best sentences as fit, in the order of the article; the first is cut if it alone is too long."""
    chosen = _choose(told, ranking, limit, [])
    if not chosen:
        return " ".join(told[ranking[0]].split()[:limit]).rstrip(" ,;:.") + "."
    return _join(told, chosen)


def _choose(told: list[str], ranking: list[int], limit: int, kept: list[int]) -> list[int]:
    """Places of the sentences kept so far and of the best others that fit beside them."""
    chosen = list(kept)
    room = limit - sum(len(told[place].split()) for place in kept)
    for place in ranking:
        length = len(told[place].split())
        if place not in chosen and length <= room:
            chosen.append(place)
            room -= length
    return chosen


def _join(told: list[str], places: list[int]) -> str:
    return " ".join(" ".join(told[place].split()) for place in sorted(places))


def _densen(told: list[str], ranking: list[int], limit: int) -> tuple[DensityStep, ...]:
    """A larger share of the limit each step, nothing dropped; each step names the entities that came in with it."""
    steps: list[DensityStep] = []
    kept = [ranking[0]] if len(told[ranking[0]].split()) <= limit else []
    known: set[str] = set()
    for number in range(1, DENSITY_STEPS + 1):
        kept = _choose(told, ranking, limit * (number + 1) // (DENSITY_STEPS + 1), kept)
        summary = _join(told, kept) if kept else _compose(told, ranking, limit)
        new = tuple(name for name in entities(summary) if name not in known)
        known.update(new)
        steps.append(DensityStep(new, summary))
    return tuple(steps)
