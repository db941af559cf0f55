"""Natural language inference by comparing words: what the hypothesis adds is open, what it reverses is a contradiction."""

from __future__ import annotations

import re

from local.emulators.teacher.answers.comparatives import compare
from local.emulators.teacher.answers.lexicon import means, opposed
from local.emulators.teacher.answers.prompt import Prompt
from local.emulators.teacher.answers.quantities import IN_MINUTES, check_quantities, uncounted
from local.emulators.teacher.answers.solution import Solution
from local.emulators.teacher.answers.text import NUMBER_WORDS, STOPWORDS, stem, words

ENTAILMENT, CONTRADICTION, NEUTRAL = "entailment", "contradiction", "neutral"
CLASSES = (ENTAILMENT, CONTRADICTION, NEUTRAL)
# how the labels may be called, by class, the usual name first
NAMES = {
    ENTAILMENT: (
        "entailment",
        "entails",
        "entailed",
        "supported",
        "supports",
        "true",
        "yes",
        "implied",
    ),
    CONTRADICTION: (
        "contradiction",
        "contradicts",
        "contradictory",
        "refuted",
        "refutes",
        "false",
        "no",
    ),
    NEUTRAL: (
        "neutral",
        "unknown",
        "undetermined",
        "unrelated",
        "not enough info",
        "maybe",
        "neither",
    ),
}
PREMISES = (
    "premise|text 1|text a|sentence 1|sentence a|statement 1|passage|context|evidence|document|text"
)
HYPOTHESES = "hypothesis|text 2|text b|sentence 2|sentence b|statement 2|claim|statement|conclusion"
_PAIR = re.compile(
    rf"(?:^|\n)\W*(?:{PREMISES})\W{{0,3}}:\s*(.+?)\s*\n\W*(?:{HYPOTHESES})\W{{0,3}}:\s*(.+)",
    re.IGNORECASE | re.DOTALL,
)
_QUOTED = re.compile(r"['\"‘“`]([A-Za-z][A-Za-z _-]{1,30}?)['\"’”`]")
_NEGATION = re.compile(
    r"\b(?:no|not|never|nobody|none|nothing|neither|nor|without|cannot)\b|n['’]t\b", re.IGNORECASE
)
_PLACE = re.compile(r"\bin ((?:[A-Z][\w'’-]+ ?)+)")
# words that every scene has room for: they add nothing that a premise would have to say
_GENERIC = """
    someone somebody something person people thing place piece wear make stay have get be take every each whole brand
    fast many several more least most fewer less
"""
GENERIC = frozenset(stem(word) for word in _GENERIC.split())


def recognises(prompt: Prompt) -> bool:
    """A pair of texts, or a system prompt that names labels of at least two classes."""
    return _PAIR.search(prompt.user) is not None or (
        bool(prompt.system) and len(_quoted_labels(prompt.system)) >= 2
    )


def solve(prompt: Prompt) -> Solution:
    """The label as the prompt spells it, with the words that decided."""
    premise, hypothesis = _texts(prompt.user)
    decided, why = decide(premise, hypothesis)
    labels = label_names(prompt)
    wrong, *others = dict.fromkeys(
        labels[other] for other in CLASSES if labels[other] != labels[decided]
    )
    reasoning = (
        f'The premise states: "{premise[:200]}"',
        f'The hypothesis states: "{hypothesis[:200]}"',
        why,
        f"Therefore the label is {labels[decided]}.",
    )
    return Solution(labels[decided], wrong, reasoning, wrong_too=tuple(others))


def _texts(user: str) -> tuple[str, str]:
    match = _PAIR.search(user)
    if match:
        return match.group(1).strip(), match.group(2).strip()
    lines = [line.strip() for line in user.splitlines() if line.strip()] or [""]
    return " ".join(lines[:-1]), lines[-1]


def label_names(prompt: Prompt) -> dict[str, str]:
    """What the prompt calls each class; the usual names where it names none."""
    found = _quoted_labels(prompt.system) or _quoted_labels(_PAIR.sub("", prompt.user))
    if len(found) < 2:
        return {name: name for name in CLASSES}
    fallback = next(found[name] for name in (CONTRADICTION, NEUTRAL, ENTAILMENT) if name in found)
    return {name: found.get(name, fallback) for name in CLASSES}


def _quoted_labels(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for quoted in _QUOTED.findall(text):
        spelled = re.sub(r"[_-]+", " ", quoted).lower()
        kind = next((kind for kind, names in NAMES.items() if spelled in names), "")
        if not kind and spelled.startswith("not "):
            kind = CONTRADICTION
        if kind:
            found.setdefault(kind, quoted)
    return found


def decide(premise: str, hypothesis: str) -> tuple[str, str]:
    """The class and one sentence that says why."""
    compared = compare(premise, hypothesis)
    if compared is not None:
        return compared
    kind, why = _decide_unnegated(premise, hypothesis)
    denied = bool(_NEGATION.search(hypothesis)) != bool(_NEGATION.search(premise))
    if denied and kind != NEUTRAL:
        return (
            CONTRADICTION if kind == ENTAILMENT else ENTAILMENT
        ), f"{why} But one of the two texts denies it."
    return kind, why


def _decide_unnegated(premise: str, hypothesis: str) -> tuple[str, str]:
    stated = [stem(word) for word in words(premise)]
    asked = [(word, stem(word)) for word in words(hypothesis) if _matters(word)]
    missing = [
        word
        for word, root in asked
        if root not in GENERIC and not any(means(have, root) for have in stated)
    ]
    clash = _clash(stated, [root for _, root in asked]) or check_quantities(premise, hypothesis)
    if not clash and "alone" in missing and re.search(r"\b[A-Z]\w+ and [A-Z]\w+", premise):
        clash = "One text speaks of company, the other of being alone."
    clash = clash or _other_place(premise, hypothesis, missing)
    if clash:
        return CONTRADICTION, clash
    missing += uncounted(premise, hypothesis)
    if missing:
        return (
            NEUTRAL,
            f"The premise does not say anything about: {', '.join(dict.fromkeys(missing))}.",
        )
    return ENTAILMENT, "Everything that the hypothesis claims is stated in the premise."


def _matters(word: str) -> bool:
    if word in ("front", "behind"):
        return True
    if stem(word) in IN_MINUTES:
        return False
    return (
        word not in STOPWORDS
        and word not in NUMBER_WORDS
        and not word[0].isdigit()
        and not _NEGATION.match(word)
    )


def _clash(stated: list[str], asked: list[str]) -> str:
    for root in asked:
        if root in stated:
            continue
        for have in stated:
            if have not in asked and opposed(have, root):
                return f'"{root}" in the hypothesis cannot be true together with "{have}" in the premise.'
    return ""


def _other_place(premise: str, hypothesis: str, missing: list[str]) -> str:
    """The same thing said of another place, where nothing else is new."""
    here, there = _PLACE.findall(premise), _PLACE.findall(hypothesis)
    new = {word for place in there for word in words(place)}
    if here and there and missing and set(missing) <= new:
        return f"The premise places it in {here[0].strip()}, the hypothesis in {there[0].strip()}."
    return ""
